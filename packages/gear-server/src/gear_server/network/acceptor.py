"""Accepts connections, and pauses when descriptors run out.

uvloop's own server closes all waiting connections when the process has no descriptor left, and
those of both loops drop connections whose TLS handshake fails without a word.
"""

import asyncio
import logging
import socket
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from gear_server.engine.counters import Counters
from gear_server.network.doors import Admission, Doors
from gear_wire.loglimit import LogLimit

if TYPE_CHECKING:
    from gear_server.network.handshakes import Handshakes

AT_ONCE: Final = 32
"""Connections accepted in one turn of the loop, so that others have theirs, however many knock."""
PAUSE: Final = 0.1
"""Seconds until accepting is tried again after the system could not."""


class Acceptor:
    """Accepts the connections of one listening socket.

    Args:
        sock: The socket.
        doors: Decides which connections are let in.
        make_protocol: Returns the protocol for a connection, which reports when that is lost.
        handshakes: Performs TLS handshakes; None for plaintext.
        counters: Where pauses are counted.
        log: Logs them.
    """

    def __init__(
        self,
        sock: socket.socket,
        doors: Doors,
        make_protocol: Callable[[Admission], asyncio.BaseProtocol],
        handshakes: "Handshakes | None",
        counters: Counters,
        log: logging.Logger,
    ) -> None:
        self._socket = sock
        self._doors = doors
        self._make_protocol = make_protocol
        self._handshakes = handshakes
        self._counters = counters
        self._pauses = LogLimit(log, "Pauses of accepting")
        self._loop = asyncio.get_running_loop()
        self._entering: set[asyncio.Task[None]] = set()
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
        if self._handshakes is not None:
            for task in self._entering:
                task.cancel()
        self._pauses.finish()

    async def wait_closed(self) -> None:
        """Wait for the connections that were accepted before it was closed."""
        await asyncio.gather(*self._entering, return_exceptions=True)

    def _accept(self) -> None:
        for _ in range(AT_ONCE):
            try:
                sock, address = self._socket.accept()
            except BlockingIOError:
                return
            except ConnectionAbortedError:
                continue
            except OSError as error:
                self._pause(error)
                return
            if self._exhausted:
                self._note_end_of_pause()
            admission = self._doors.admit(address[0], address[1])
            if admission is None:
                sock.close()
                continue
            task = self._loop.create_task(self._enter(sock, admission))
            self._entering.add(task)
            task.add_done_callback(self._entering.discard)

    def _pause(self, error: OSError) -> None:
        """Try again in a moment, and log the first failure."""
        self._loop.remove_reader(self._socket)
        self._retry = self._loop.call_later(PAUSE, self._resume)
        if self._exhausted:
            return
        self._exhausted = True
        self._counters.accept_pauses += 1
        self._pauses.log(
            time.monotonic(), logging.ERROR,
            "Cannot accept connections: %s; %d are open, and new ones wait until others are closed",
            error.strerror, self._doors.open,
        )  # fmt: skip

    def _resume(self) -> None:
        self._retry = None
        self._loop.add_reader(self._socket, self._accept)

    def _note_end_of_pause(self) -> None:
        self._exhausted = False
        self._pauses.log(time.monotonic(), logging.WARNING, "Accepting connections again")

    async def _enter(self, sock: socket.socket, admission: Admission) -> None:
        try:
            if self._handshakes is None:
                await self._loop.connect_accepted_socket(
                    lambda: self._make_protocol(admission), sock
                )
            else:
                await self._handshakes.perform(sock, admission)
        except OSError:
            admission.leave()
        except BaseException:
            admission.leave()
            raise
