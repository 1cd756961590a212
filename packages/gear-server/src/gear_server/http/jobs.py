"""Jobs over HTTP: a request submits one and is answered with its result, or asks for its state."""

import asyncio
import contextlib
import http
import socket
import struct
import urllib.parse
from collections.abc import AsyncIterator
from typing import Final

import msgspec
from aiohttp import HttpVersion11, web

from gear_server.engine.rights import Right
from gear_server.http.access import needs
from gear_server.http.context import CONTEXT
from gear_server.http.exchange import Exchange
from gear_server.http.orders import name_after, read_order
from gear_server.http.payloads import read_payload
from gear_server.http.problems import Problem, ProblemError
from gear_server.http.refusals import FAILURES, HANDLE, ended, failure, refusal
from gear_wire.codec import decode
from gear_wire.enums import PacketType
from gear_wire.escape import escaped
from gear_wire.framing import Frame
from gear_wire.packets import StatusRes

PREFIX: Final = "/jobs/"
RESULT: Final = "application/octet-stream"
EVENTS: Final = "text/event-stream"
AT_ONCE: Final = 256 << 10
"""Bytes of a result that are handed over at once; the next ones wait until most are sent."""
QUIET: Final = 15.0
"""Seconds without an event after which a comment is sent: proxies close what is silent."""
_RESET: Final = struct.pack("ii", 1, 0)
_EVENTS: Final = {
    PacketType.WORK_DATA: b"data",
    PacketType.WORK_WARNING: b"warning",
    PacketType.WORK_STATUS: b"status",
    PacketType.WORK_COMPLETE: b"complete",
}
"""The events, by their packets."""


class Accepted(msgspec.Struct, frozen=True):
    """A job that was accepted.

    Attributes:
        handle: Its handle.
    """

    handle: str


class State(msgspec.Struct, frozen=True):
    """The state of a job.

    Attributes:
        handle: Its handle.
        known: True: a job that is not known has no state.
        running: Whether a worker has it.
        numerator: How far it has come, as its worker says.
        denominator: The total of which that is a part; 0 if the worker has not said.
    """

    handle: str
    known: bool
    running: bool
    numerator: int
    denominator: int


class Piece(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a worker has sent.

    Attributes:
        text: It, if it is text in UTF-8.
        base64: It, if it is not.
    """

    text: str | None = None
    base64: bytes | None = None


class Progress(msgspec.Struct, frozen=True):
    """How far a job has come.

    Attributes:
        numerator: How far, as its worker says.
        denominator: The total of which that is a part.
    """

    numerator: str
    denominator: str


async def read_packet(exchange: Exchange) -> Frame:
    """Return the next packet of the engine's.

    Raises:
        ProblemError: It is an ERROR, or the server has ended the exchange.
    """
    frame = await exchange.read()
    if frame is None:
        raise ended()
    if frame.type == PacketType.ERROR:
        raise refusal(frame)
    return frame


async def read_handle(exchange: Exchange) -> bytes:
    """Return the handle of the job that was submitted.

    Raises:
        ProblemError: It was refused.
    """
    frame = await read_packet(exchange)
    exchange.release(frame)
    return frame.body.partition(b"\0")[0]


def payload_of(frame: Frame) -> memoryview:
    """Return the payload of a packet about a job, uncopied."""
    return memoryview(frame.body)[frame.body.find(b"\0") + 1 or len(frame.body) :]


@needs(Right.NONE)
async def _submit(request: web.Request) -> web.StreamResponse:
    """Submit a job, and answer with what comes of it."""
    order = read_order(request)
    number, head = order.submission(name_after(request, PREFIX))
    settings = request.app[CONTEXT].network.settings
    with Exchange(request, exceptions=True) as exchange:
        exchange.send(number, await read_payload(request, exchange, settings, head))
        handle = await read_handle(exchange)
        if order.background:
            return _accepted(handle)
        response = web.StreamResponse(headers={HANDLE: escaped(handle)})
        give = _give_events if EVENTS in request.headers.get("Accept", "") else _give_result
        try:
            await give(request, response, exchange, order.timeout)
        except ProblemError:
            if not response.prepared:
                raise
            _cut(request)
        except ConnectionError:
            if not response.prepared:
                raise  # the client left before there was anything to answer
        return response


def _accepted(handle: bytes) -> web.Response:
    return web.Response(
        status=202,
        body=msgspec.json.encode(Accepted(escaped(handle))),
        content_type="application/json",
        headers={
            "Location": PREFIX + urllib.parse.quote(handle, safe=":"),
            HANDLE: escaped(handle),
        },
    )


def _cut(request: web.Request) -> None:
    """Break the connection off: it is all that tells a client that the answer is not whole."""
    transport = request.transport
    if transport is None:
        return
    if request.version < HttpVersion11:
        # There are no chunks, of which the last would be missing: only a reset is no end.
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        transport.abort()
    elif transport.get_write_buffer_size():
        transport.abort()  # the client may have stopped reading
    else:
        transport.close()


@contextlib.asynccontextmanager
async def _time_limit(seconds: float | None) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(seconds) as limit:
            yield
    except TimeoutError:
        if not limit.expired():
            raise
        raise ProblemError(
            504, f"the job has not ended in {seconds:g} s, and nobody waits for it any more"
        ) from None


# The result alone


async def _give_result(
    request: web.Request,
    response: web.StreamResponse,
    exchange: Exchange,
    timeout: float | None,
) -> None:
    """Answer with the data of a job as it comes, and its result at the end.

    Raises:
        ProblemError: The job has failed, or was given up.
    """
    response.content_type = RESULT
    async with _time_limit(timeout):
        while True:
            frame = await read_packet(exchange)
            if frame.type in FAILURES:
                raise failure(frame)
            last = frame.type == PacketType.WORK_COMPLETE
            if last or frame.type == PacketType.WORK_DATA:
                payload = payload_of(frame)
                if not response.prepared:
                    if last:
                        response.content_length = len(payload)
                    await response.prepare(request)
                for start in range(0, len(payload), AT_ONCE):
                    await response.write(payload[start : start + AT_ONCE])
            exchange.release(frame)
            if last:
                await response.write_eof()
                return


# Events


async def _give_events(
    request: web.Request,
    response: web.StreamResponse,
    exchange: Exchange,
    timeout: float | None,
) -> None:
    """Answer with an event for each packet about a job; how it ends is the last."""
    response.content_type = EVENTS
    response.headers["Cache-Control"] = "no-store"
    await response.prepare(request)
    await response.write(_event(b"created", Accepted(response.headers[HANDLE])))
    try:
        async with _time_limit(timeout):
            while True:
                frame = await _next_event(response, exchange)
                await response.write(_event(_EVENTS[PacketType(frame.type)], _shown(frame)))
                exchange.release(frame)
                if frame.type == PacketType.WORK_COMPLETE:
                    break
    except ProblemError as error:
        exchange.close()
        title = http.HTTPStatus(error.status).phrase
        problem = Problem(title=title, status=error.status, detail=error.detail)
        await response.write(_event(b"fail", problem))
    await response.write_eof()


async def _next_event(response: web.StreamResponse, exchange: Exchange) -> Frame:
    """Return the next packet about a job; meanwhile show that the connection is alive."""
    while True:
        try:
            async with asyncio.timeout(QUIET):
                frame = await read_packet(exchange)
        except TimeoutError:
            await response.write(b": waiting\n\n")
            continue
        if frame.type in FAILURES:
            raise failure(frame)
        return frame


def _event(name: bytes, data: msgspec.Struct) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (name, msgspec.json.encode(data))


def _shown(frame: Frame) -> msgspec.Struct:
    payload = bytes(payload_of(frame))
    if frame.type == PacketType.WORK_STATUS:
        numerator, _, denominator = payload.partition(b"\0")
        return Progress(escaped(numerator), escaped(denominator))
    try:
        return Piece(text=payload.decode())
    except UnicodeDecodeError:
        return Piece(base64=payload)


# The state of a job


@needs(Right.NONE)
async def _state(request: web.Request) -> web.Response:
    """Answer with the state of a job that is known, to whoever may see it."""
    handle = name_after(request, PREFIX)
    with Exchange(request, exceptions=True) as exchange:
        exchange.send(PacketType.GET_STATUS, handle)
        packet = decode(await read_packet(exchange))
    assert isinstance(packet, StatusRes)
    if packet.known != b"1":
        raise ProblemError(404, f"no job {escaped(handle)} is queued or running")
    state = State(
        escaped(handle),
        known=True,
        running=packet.running == b"1",
        numerator=int(packet.numerator),
        denominator=int(packet.denominator),
    )
    return web.Response(body=msgspec.json.encode(state), content_type="application/json")


ROUTES: Final = [web.post("/jobs/{function:.+}", _submit), web.get("/jobs/{handle:.+}", _state)]
