"""TLS handshakes: a few at a time, so that others have their turn, and none for long."""

import asyncio
import collections
import contextlib
import logging
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from typing import Final

from gear_server.engine.counters import Counters
from gear_server.network.certificates import Certificates
from gear_server.network.doors import Admission
from gear_wire.link.inherited import let_go_when_forked
from gear_wire.loglimit import LogLimit

HANDSHAKE_TIMEOUT: Final = 10.0
"""Seconds from when a connection is accepted to the end of its handshake."""
AT_ONCE: Final = 3
"""Handshakes that begin in one turn of the loop: each takes a millisecond of it at once."""
MAX_HANDSHAKES: Final = 256
"""Handshakes in progress beyond which none begins."""
STALLED: Final = 1.0
"""Seconds that a handshake may take while others wait for its place."""


def explain(error: Exception) -> str:
    """Return the reason for a failed handshake."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the client's certificate is not accepted: {error.verify_message}"
    reason = getattr(error, "reason", None)
    if reason in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST"):
        return "the client does not speak TLS"
    if isinstance(reason, str):
        return reason.lower().replace("_", " ")
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


class Handshakes:
    """Performs the handshakes of all TLS connections of a server.

    A handshake begins when the client has said something: those who are silent take no place.

    Args:
        certificates: The server's.
        make_protocol: Returns the protocol for a connection.
        counters: Where handshakes that fail are counted.
        log: Logs them, with the reason.
    """

    def __init__(
        self,
        certificates: Certificates,
        make_protocol: Callable[[Admission], asyncio.BaseProtocol],
        counters: Counters,
        log: logging.Logger,
    ) -> None:
        self._certificates = certificates
        self._make_protocol = make_protocol
        self._counters = counters
        self._refusals = LogLimit(log, "Refused TLS connections")
        self._loop = asyncio.get_running_loop()
        self._ready: collections.deque[asyncio.Future[None]] = collections.deque()
        self._begun: dict[asyncio.Timeout, float] = {}
        self._scheduled = False
        self._recheck: asyncio.TimerHandle | None = None

    def close(self) -> None:
        """Begin no more handshakes."""
        if self._recheck is not None:
            self._recheck.cancel()
        self._refusals.finish()

    async def perform(self, sock: socket.socket, admission: Admission) -> None:
        """Perform the handshake of a connection; raises OSError if it fails, which is logged."""
        let_go_when_forked(sock)
        try:
            async with asyncio.timeout(HANDSHAKE_TIMEOUT) as limit:
                await self._hello(sock)
                with self._in_progress(limit):
                    await self._loop.connect_accepted_socket(
                        lambda: self._make_protocol(admission), sock,
                        ssl=self._certificates.context,
                    )  # fmt: skip
        except TimeoutError:
            self._refuse(admission, logging.WARNING, "the handshake took too long")
            raise
        except UnicodeDecodeError as error:
            # The standard library raises it for the certificate of a careless authority.
            reason = "the client's certificate has a name that is not text"
            self._refuse(admission, logging.WARNING, reason)
            raise ConnectionAbortedError(reason) from error
        except OSError as error:
            # Health checks of load balancers connect and disconnect without a handshake.
            dropped = isinstance(error, ConnectionError)
            self._refuse(admission, logging.INFO if dropped else logging.WARNING, explain(error))
            raise

    def _refuse(self, admission: Admission, level: int, reason: str) -> None:
        self._counters.handshakes_refused += 1
        self._refusals.log(
            time.monotonic(), level,
            "Refused TLS connection from %s port %s: %s", admission.host, admission.port, reason,
        )  # fmt: skip

    # Turns

    async def _hello(self, sock: socket.socket) -> None:
        """Wait until the client has said something, and then for a turn."""
        turn = self._loop.create_future()
        self._loop.add_reader(sock, self._line_up, sock, turn)
        try:
            await turn
        except BaseException:
            self._loop.remove_reader(sock)
            sock.close()
            raise

    def _line_up(self, sock: socket.socket, turn: asyncio.Future[None]) -> None:
        self._loop.remove_reader(sock)
        self._ready.append(turn)
        self._go_on()

    def _go_on(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._begin)

    def _begin(self) -> None:
        """Have the next handshakes begin, or those end for which they have waited too long."""
        self._scheduled = False
        for _ in range(min(AT_ONCE, MAX_HANDSHAKES - len(self._begun))):
            while self._ready:
                turn = self._ready.popleft()
                if not turn.done():
                    turn.set_result(None)
                    break
        if not self._ready:
            return
        if len(self._begun) < MAX_HANDSHAKES:
            self._go_on()
        else:
            self._drop_stalled()

    @contextlib.contextmanager
    def _in_progress(self, limit: asyncio.Timeout) -> Iterator[None]:
        self._begun[limit] = self._loop.time()
        try:
            yield
        finally:
            self._begun.pop(limit, None)
            if self._ready:
                self._go_on()

    def _drop_stalled(self) -> None:
        now = self._loop.time()
        for limit, begin in list(self._begun.items()):
            left = begin + STALLED - now
            if left > 0:
                if self._recheck is None:
                    self._recheck = self._loop.call_later(left, self._look_again)
                return
            del self._begun[limit]
            if not limit.expired():
                limit.reschedule(now)

    def _look_again(self) -> None:
        self._recheck = None
        self._go_on()
