"""Who may ask for what over HTTP, and how a browser must treat the answers.

Any web page can have a browser send requests to a server on its machine or its network. So requests
that another site's page makes are refused, and those to a name that somebody else gave to this
machine.
"""

import ipaddress
import logging
import time
from collections.abc import Callable, Iterable
from typing import Final, TypeVar
from urllib.parse import urlsplit

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from gear_server.engine.rights import Right
from gear_server.engine.state import Peer
from gear_server.http import problems
from gear_server.http.problems import ProblemError
from gear_server.http.token import TokenFile
from gear_server.network.server import AsyncServer
from gear_server.network.subject import subject_of
from gear_wire.loglimit import LogLimit

REALM: Final = 'Bearer realm="geard"'
WRONG: Final = f'{REALM}, error="invalid_token"'
HEADERS: Final[dict[str, str]] = {
    hdrs.SERVER: "geard",
    hdrs.CACHE_CONTROL: "no-store",
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""What every answer tells a browser, unless it has such a header of its own."""

_LOG: Final = logging.getLogger("gear.Server")
_SAFE: Final = (hdrs.METH_GET, hdrs.METH_HEAD, hdrs.METH_OPTIONS)
_OWN: Final = ("same-origin", "none")
_RIGHTS: Final[dict[Handler, Right]] = {}
_PUBLIC: Final[set[Handler]] = set()

_Handler = TypeVar("_Handler", bound=Handler)


def needs(right: Right) -> Callable[[_Handler], _Handler]:
    """Return a decorator of a handler: whoever asks needs a right, by the access control list.

    Without it, a handler needs `Right.SEE`. With `Right.NONE`, the handler or the engine looks.
    """

    def mark(handler: _Handler) -> _Handler:
        _RIGHTS[handler] = right
        return handler

    return mark


def public(handler: _Handler) -> _Handler:
    """Mark a handler that answers everyone, without token or right: it tells no secrets."""
    _PUBLIC.add(handler)
    return handler


class Gate:
    """Looks at each request before it is handled.

    Args:
        network: The job server.
        token: The token that requests must bring; None if they need none.
        hosts: The addresses that it listens on.
    """

    def __init__(self, network: AsyncServer, token: TokenFile | None, hosts: Iterable[str]) -> None:
        self._network = network
        self._token = token
        self._loopback = all(map(_is_loopback, hosts))
        where = network.settings.listen_http()
        self._name = None if where is None else where.host
        self._refusals = LogLimit(_LOG, "HTTP requests with a wrong token")

    def check(self, request: web.Request) -> None:
        """Raise ProblemError if a request must not be handled."""
        handler = request.match_info.handler
        self._check_host(request)
        self._check_origin(request, handler)
        if handler in _PUBLIC:
            return
        self._check_token(request)
        self._check_right(request, _RIGHTS.get(handler, Right.SEE))

    def _check_host(self, request: web.Request) -> None:
        """Refuse a name that somebody else has given to this machine, as DNS rebinding does."""
        host = request.headers.get(hdrs.HOST)
        if not self._loopback or host is None or self._is_own(_name_of(f"//{host}")):
            return
        raise ProblemError(
            421,
            f"this server listens on this machine alone, and is not called {host!r}: ask for "
            "localhost; a proxy in front of it must set the header Host so",
        )

    def _is_own(self, name: str | None) -> bool:
        if name is None:
            return False
        return name in ("localhost", self._name) or _is_loopback(name)

    def _check_origin(self, request: web.Request, handler: Handler) -> None:
        """Refuse what the page of another site has asked for; a link to a page may be followed."""
        site = request.headers.get("Sec-Fetch-Site")
        if site is None:
            origin = request.headers.get(hdrs.ORIGIN)
            own = origin is None or _place_of(origin) == request.headers.get(hdrs.HOST)
        else:
            follows = request.headers.get("Sec-Fetch-Mode") == "navigate"
            own = site in _OWN or (follows and handler in _PUBLIC and request.method in _SAFE)
        if not own:
            raise ProblemError(403, "requests of other sites' pages are refused")

    def _check_token(self, request: web.Request) -> None:
        if self._token is None:
            return
        given = request.headers.get(hdrs.AUTHORIZATION)
        if given is None:
            raise ProblemError(
                401,
                "a token is needed: send the header Authorization: Bearer and the token in the "
                "server's --http-token-file",
                {hdrs.WWW_AUTHENTICATE: REALM},
            )
        if not self._token.matches(given):
            self._refusals.log(
                time.monotonic(), logging.WARNING,
                "Refused HTTP request of %s: wrong token", request.remote,
            )  # fmt: skip
            raise ProblemError(
                401,
                "the token is wrong",
                {hdrs.WWW_AUTHENTICATE: f'{REALM}, error="invalid_token"'},
            )

    def _check_right(self, request: web.Request, right: Right) -> None:
        access = self._network.engine.access
        if access is None:
            return
        peer = peer_of(request)
        with self._network.lock:
            allowed = access.may_ask(peer, right, request.path, time.monotonic())
        if not allowed:
            raise denied(peer, right.value)


GATE: Final = web.AppKey("gate", Gate)


def denied(peer: Peer, what: str) -> ProblemError:
    """Return the refusal of what a subject may not do by the access control list."""
    who = "a client without a name" if peer.subject is None else repr(peer.subject)
    return ProblemError(403, f"by the access control list, {who} may not {what}")


def peer_of(request: web.Request) -> Peer:
    """Return who asks, as the engine knows connections: by address and subject."""
    transport = request.transport
    address = transport and transport.get_extra_info("peername")
    host, port = address[:2] if address else ("-", 0)
    certificate = transport and transport.get_extra_info("peercert")
    return Peer(host, port, subject=subject_of(certificate))


def _name_of(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


def _place_of(origin: str) -> str | None:
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return None


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@web.middleware
async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse what must not be handled, and answer errors as problems."""
    try:
        request.app[GATE].check(request)
        return await handler(request)
    except ProblemError as error:
        return problems.answer(error.status, error.detail, error.headers)
    except web.HTTPException as error:
        return _tell(request, error)
    except ConnectionError:
        raise  # the client has left
    except Exception:
        _LOG.exception("Exception while answering %s %s", request.method, request.path)
        if request.writer.output_size:
            raise ConnectionResetError("the answer has begun") from None
        return problems.answer(500, "the server failed to answer; its log says why")


def _tell(request: web.Request, error: web.HTTPException) -> web.StreamResponse:
    """Return the answer of an exception of aiohttp's."""
    if error.status < 400:
        raise error
    allow: dict[str, str] = {}
    if hdrs.ALLOW in error.headers:
        allow[hdrs.ALLOW] = error.headers[hdrs.ALLOW]
    if isinstance(error, web.HTTPMethodNotAllowed) and request.method == hdrs.METH_OPTIONS:
        return web.Response(status=204, headers=allow)
    return problems.answer(error.status, _why(request, error), allow)


def _why(request: web.Request, error: web.HTTPException) -> str:
    match error:
        case web.HTTPMethodNotAllowed():
            allowed = ", ".join(sorted(error.allowed_methods))
            return f"{request.method} is not for {request.path}, but {allowed}"
        case web.HTTPNotFound():
            return f"there is nothing at {request.path}; /api/v1/openapi.json describes the API"
        case web.HTTPRequestEntityTooLarge():
            return "the body is too large"
        case _:
            return error.text or error.reason


async def add_headers(request: web.BaseRequest, response: web.StreamResponse) -> None:
    """Add what every answer tells a browser."""
    response.headers[hdrs.SERVER] = HEADERS[hdrs.SERVER]
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
