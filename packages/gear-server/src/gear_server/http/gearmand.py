"""Jobs over HTTP in gearmand's own form: ``--protocol http``; one job for each connection.

The function is the path as it stands, and how the job is done is in headers. What gearmand does not
know it ignores.
"""

from typing import Final

from aiohttp import hdrs, web

from gear_server.engine.rights import Right
from gear_server.http.access import needs
from gear_server.http.context import CONTEXT
from gear_server.http.exchange import Exchange
from gear_server.http.jobs import RESULT, payload_of, read_handle, read_packet
from gear_server.http.orders import SUBMISSIONS, to_bytes
from gear_server.http.payloads import read_payload
from gear_server.http.refusals import COMMAND, FAILURES, HANDLE
from gear_wire.enums import PacketType, Precedence
from gear_wire.escape import escaped
from gear_wire.framing import Frame

METHODS: Final = (hdrs.METH_GET, hdrs.METH_PUT, hdrs.METH_POST, hdrs.METH_HEAD, hdrs.METH_TRACE)
_WITH_BODY: Final = (hdrs.METH_PUT, hdrs.METH_POST)
_PRECEDENCES: Final = {"high": Precedence.HIGH, "low": Precedence.LOW}
_ENDS: Final = FAILURES | {PacketType.WORK_COMPLETE}
_SECRET: Final = (hdrs.AUTHORIZATION, hdrs.COOKIE)
"""Headers that are not sent back."""


@needs(Right.NONE)
async def _answer(request: web.Request) -> web.StreamResponse:
    """Do what a request asks for, and close its connection."""
    if request.method not in METHODS:
        raise web.HTTPMethodNotAllowed(request.method, METHODS)
    function = to_bytes(request.raw_path.lstrip("/"))
    if request.method == hdrs.METH_TRACE:
        response = _echo(request)
    elif function:
        response = await _run(request, function)
    elif request.method == hdrs.METH_HEAD:
        response = web.Response()
    else:
        response = web.Response(status=404, reason="NOT_FOUND")
    response.force_close()
    return response


async def name_server(request: web.Request, response: web.StreamResponse) -> None:
    """Name the server in an answer as gearmand does."""
    version = request.app[CONTEXT].network.engine.identity.version
    response.headers[hdrs.SERVER] = f"Gearman/{version.decode()}"


def _echo(request: web.Request) -> web.Response:
    lines = [f"{request.method} {request.raw_path} HTTP/{request.version[0]}.{request.version[1]}"]
    lines += [f"{name}: {value}" for name, value in request.headers.items() if name not in _SECRET]
    text = "\r\n".join([*lines, "", ""])
    return web.Response(body=to_bytes(text), content_type="message/http")


async def _run(request: web.Request, function: bytes) -> web.Response:
    """Submit a job, and return the answer: the whole of its data, or nothing in the background."""
    headers = request.headers
    unique = to_bytes(headers.get("X-Gearman-Unique", "-"))
    background = headers.get("X-Gearman-Background", "").lower() == "true"
    urgency = headers.get("X-Gearman-Priority", "").lower()
    number = SUBMISSIONS[background, _PRECEDENCES.get(urgency, Precedence.NORMAL)]
    head = b"%b\0%b\0" % (function, unique)
    with Exchange(request, exceptions=False) as exchange:
        body = head
        if request.method in _WITH_BODY:
            settings = request.app[CONTEXT].network.settings
            body = await read_payload(request, exchange, settings, head)
        exchange.send(number, body)
        handle = await read_handle(exchange)
        parts: list[Frame] = []
        command = PacketType.JOB_CREATED
        while not background and command not in _ENDS:
            # None is released before the last has come: what is gathered counts as unsent.
            frame = await read_packet(exchange)
            command = PacketType(frame.type)
            if command is not PacketType.WORK_STATUS and command is not PacketType.WORK_WARNING:
                parts.append(frame)
    result = {HANDLE: escaped(handle)}
    if request.method != hdrs.METH_HEAD:
        result[COMMAND] = command.name
    return web.Response(body=b"".join(map(payload_of, parts)), content_type=RESULT, headers=result)


ROUTES: Final = [web.route(hdrs.METH_ANY, "/{function:.*}", _answer)]
