"""Accepts connections, performs their TLS handshakes, and pauses when descriptors run out.

The servers of uvloop and asyncio do neither well: uvloop's closes all waiting connections when the
process has no descriptor left, and both drop connections whose handshake fails without a word.
"""

import asyncio
import logging
import socket
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from gear_server.engine.counters import Counters
from gear_server.network.doors import Admission, Doors
from gear_wire.link.inherited import let_go_when_forked
from gear_wire.loglimit import LogLimit

if TYPE_CHECKING:
    from gear_server.network.certificates import Certificates

AT_ONCE: Final = 32
"""Connections accepted in one turn of the loop, so that others have theirs, however many knock."""
PAUSE: Final = 0.1
"""Seconds until accepting is tried again after the system could not."""
HANDSHAKE_TIMEOUT: Final = 10.0
MAX_HANDSHAKES: Final = 256
"""Handshakes in progress beyond which nothing is accepted: the others wait in the backlog."""
STALLED: Final = 1.0
"""Seconds that a handshake may take while others wait for it to end."""


def explain(error: Exception) -> str:
    """Return the reason for a failed handshake."""
    import ssl

    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the client's certificate is not accepted: {error.verify_message}"
    reason = getattr(error, "reason", None)
    if reason in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST"):
        return "the client does not speak TLS"
    if isinstance(reason, str):
        return reason.lower().replace("_", " ")
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


class Acceptor:
    """Accepts the connections of one listening socket.

    Args:
        sock: The socket.
        doors: Decides which connections are let in.
        make_protocol: Returns the protocol for a connection, which reports when that is lost.
        certificates: Those of the TLS server; None for plaintext.
        counters: Where pauses and failed handshakes are counted.
        log: Logs them.
    """

    def __init__(
        self,
        sock: socket.socket,
        doors: Doors,
        make_protocol: Callable[[Admission], asyncio.BaseProtocol],
        certificates: "Certificates | None",
        counters: Counters,
        log: logging.Logger,
    ) -> None:
        self._socket = sock
        self._doors = doors
        self._make_protocol = make_protocol
        self._certificates = certificates
        self._counters = counters
        self._pauses = LogLimit(log, "Pauses of accepting")
        self._refusals = LogLimit(log, "Refused TLS connections")
        self._loop = asyncio.get_running_loop()
        self._entering: dict[asyncio.Task[None], tuple[float, Admission]] = {}
        self._retry: asyncio.TimerHandle | None = None
        self._exhausted = False
        sock.setblocking(False)
        self._loop.add_reader(sock, self._accept)

    def close(self) -> None:
        """Stop accepting connections, and abort handshakes in progress."""
        if self._socket.fileno() < 0:
            return
        self._loop.remove_reader(self._socket)
        self._socket.close()
        if self._retry is not None:
            self._retry.cancel()
        if self._certificates is not None:
            for task in self._entering:
                task.cancel()
        self._pauses.finish()
        self._refusals.finish()

    async def wait_closed(self) -> None:
        """Wait for the connections that were accepted before it was closed."""
        await asyncio.gather(*self._entering, return_exceptions=True)

    def _accept(self) -> None:
        for _ in range(AT_ONCE):
            if len(self._entering) >= MAX_HANDSHAKES:
                self._pause(STALLED, self._drop_stalled)
                return
            try:
                sock, address = self._socket.accept()
            except BlockingIOError:
                return
            except ConnectionAbortedError:
                continue
            except OSError as error:
                self._note_pause(error)
                self._pause(PAUSE, self._resume)
                return
            if self._exhausted:
                self._note_end_of_pause()
            admission = self._doors.admit(address[0], address[1])
            if admission is None:
                sock.close()
                continue
            task = self._loop.create_task(self._enter(sock, admission))
            self._entering[task] = time.monotonic(), admission
            task.add_done_callback(self._entered)

    def _note_pause(self, error: OSError) -> None:
        if self._exhausted:
            return
        self._exhausted = True
        self._counters.accept_pauses += 1
        self._pauses.log(
            time.monotonic(), logging.ERROR,
            "Cannot accept connections: %s; %d are open, and new ones wait until others are closed",
            error.strerror, self._doors.open,
        )  # fmt: skip

    def _note_end_of_pause(self) -> None:
        self._exhausted = False
        self._pauses.log(time.monotonic(), logging.WARNING, "Accepting connections again")

    # Pauses: of a moment when the system has no descriptors, or until a handshake ends

    def _pause(self, seconds: float, then: Callable[[], None]) -> None:
        self._loop.remove_reader(self._socket)
        self._retry = self._loop.call_later(seconds, then)

    def _resume(self) -> None:
        self._retry = None
        self._loop.add_reader(self._socket, self._accept)

    def _entered(self, task: asyncio.Task[None]) -> None:
        del self._entering[task]
        if self._retry is not None and not self._exhausted and self._socket.fileno() >= 0:
            self._retry.cancel()
            self._resume()

    def _drop_stalled(self) -> None:
        before = time.monotonic() - STALLED
        for task, (begin, admission) in self._entering.items():
            if begin > before:
                break
            self._refuse(
                admission, logging.WARNING, "the TLS handshake stalled while others waited"
            )
            task.cancel()
        self._resume()

    # Handshakes

    async def _enter(self, sock: socket.socket, admission: Admission) -> None:
        let_go_when_forked(sock)
        context = None if self._certificates is None else self._certificates.context
        try:
            await self._loop.connect_accepted_socket(
                lambda: self._make_protocol(admission), sock, ssl=context,
                ssl_handshake_timeout=None if context is None else HANDSHAKE_TIMEOUT,
            )  # fmt: skip
        except UnicodeDecodeError:
            # From the standard library, for a certificate of a careless authority.
            admission.leave()
            self._refuse(
                admission, logging.WARNING, "the client's certificate has a name that is not text"
            )
        except OSError as error:
            admission.leave()
            # Health checks of load balancers connect and disconnect without a handshake.
            level = logging.WARNING
            if isinstance(error, ConnectionError) and not isinstance(error, ConnectionAbortedError):
                level = logging.INFO
            self._refuse(admission, level, explain(error))
        except BaseException:
            admission.leave()
            raise

    def _refuse(self, admission: Admission, level: int, reason: str) -> None:
        self._counters.handshakes_refused += 1
        self._refusals.log(
            time.monotonic(), level,
            "Refused TLS connection from %s port %s: %s", admission.host, admission.port, reason,
        )  # fmt: skip
