"""One HTTP connection, which the server has let in and counts like any other.

aiohttp waits for as long as it takes for the headers of a request, and for a client to read its
answer. Here neither may take long: a client that sends or reads a byte at a time is dropped.
"""

import asyncio
import logging
from typing import Final

from aiohttp import web

from gear_server.http import problems
from gear_server.http.access import HEADERS
from gear_server.network.doors import Admission

KEEPALIVE: Final = 75.0
"""Seconds that a connection may stay open between two requests."""
LINGER: Final = 10.0
"""Seconds in which the rest of a body must come that nobody has read."""
HEAD_TIMEOUT: Final = 10.0
"""Seconds in which the headers of a request must come, once it or the connection has begun."""
READ_TIMEOUT: Final = 60.0
"""Seconds in which a client must read a part of what waits for it."""


class HttpConnection(web.RequestHandler):
    """A connection that ends its admission when it is lost, and is dropped when it takes too long.

    Args:
        server: What answers the requests.
        admission: What let it in.

    Attributes:
        admission: As given.
    """

    __slots__ = ("_head", "_stalled", "admission")

    def __init__(self, server: web.Server, admission: Admission) -> None:
        super().__init__(
            server,
            loop=asyncio.get_running_loop(),
            logger=logging.getLogger("gear.Server"),
            access_log=None,  # type: ignore[arg-type]  # None is none, but its type does not say so
            keepalive_timeout=KEEPALIVE,
            lingering_time=LINGER,
        )
        self.admission: Admission = admission
        self._head: asyncio.TimerHandle | None = None
        self._stalled: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for the first request."""
        super().connection_made(transport)
        self._head = self._loop.call_later(HEAD_TIMEOUT, self.force_close)

    def data_received(self, data: bytes) -> None:
        """Take what was read; what begins a request must be followed by the rest of its head."""
        requests = self._request_count
        super().data_received(data)
        if self._request_count > requests:
            if self._head is not None:
                self._head.cancel()
                self._head = None
        elif self._head is None and not self._request_in_progress:
            self._head = self._loop.call_later(HEAD_TIMEOUT, self.force_close)

    def pause_writing(self) -> None:
        """Wait until the client reads on."""
        super().pause_writing()
        if self.transport is not None:
            self._stalled = self._loop.call_later(READ_TIMEOUT, self.transport.abort)

    def resume_writing(self) -> None:
        """Go on, since the client has read."""
        super().resume_writing()
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None

    def connection_lost(self, exc: BaseException | None) -> None:
        """Forget the connection."""
        self.admission.leave()
        for timer in (self._head, self._stalled):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    def log_exception(self, *args: object, **kw: object) -> None:
        """Log a fault of the server's; that the rest of a body is wrong is the client's."""
        if not isinstance(kw.get("exc_info"), web.RequestPayloadError):
            super().log_exception(*args, **kw)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Return the answer to what is not HTTP; of an answer that has begun, there is no other."""
        if request.writer.output_size or isinstance(exc, ConnectionError):
            raise ConnectionResetError("the answer has begun, or nobody waits for it") from exc
        detail = "this is not a request of HTTP" if status == 400 else "the server failed to answer"
        response = problems.answer(status, detail, HEADERS)
        response.force_close()
        return response
