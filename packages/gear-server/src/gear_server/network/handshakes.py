"""Accepts TLS connections, and logs which were refused and why.

The servers of asyncio and uvloop silently drop connections whose handshake fails.
"""

import asyncio
import errno
import logging
import socket
import ssl
import time
from collections.abc import Callable
from typing import Final

from gear_wire.link.inherited import let_go_when_forked
from gear_wire.loglimit import LogLimit

HANDSHAKE_TIMEOUT: Final = 10.0
ACCEPT_PAUSE: Final = 0.1
"""Seconds to wait when the process has run out of descriptors."""
EXHAUSTED: Final = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


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


class TLSListener:
    """Accepts connections on a listening socket, and performs their handshakes.

    Args:
        sock: The socket.
        context: The TLS context.
        make_protocol: Returns the protocol for a connection.
        log: Logs refusals.
    """

    def __init__(
        self,
        sock: socket.socket,
        context: ssl.SSLContext,
        make_protocol: Callable[[], asyncio.BaseProtocol],
        log: logging.Logger,
    ) -> None:
        self._socket = sock
        self._context = context
        self._make_protocol = make_protocol
        self._refusals = LogLimit(log, "Refused TLS connections")
        self._loop = asyncio.get_running_loop()
        self._handshakes: set[asyncio.Task[None]] = set()
        sock.setblocking(False)
        self._accepting = self._loop.create_task(self._accept())

    def close(self) -> None:
        """Stop accepting connections, and abort handshakes in progress."""
        for task in (self._accepting, *self._handshakes):
            task.cancel()
        self._refusals.finish()

    async def wait_closed(self) -> None:
        """Wait until everything is closed."""
        await asyncio.gather(self._accepting, *self._handshakes, return_exceptions=True)

    async def _accept(self) -> None:
        try:
            while True:
                try:
                    sock, address = await self._loop.sock_accept(self._socket)
                except OSError as error:
                    await asyncio.sleep(ACCEPT_PAUSE if error.errno in EXHAUSTED else 0)
                    continue
                task = self._loop.create_task(self._shake_hands(sock, address))
                self._handshakes.add(task)
                task.add_done_callback(self._handshakes.discard)
                await asyncio.sleep(0)  # lets others have a turn, however many connect
        finally:
            self._socket.close()

    async def _shake_hands(self, sock: socket.socket, address: tuple[object, ...]) -> None:
        let_go_when_forked(sock)
        try:
            await self._loop.connect_accepted_socket(
                self._make_protocol, sock,
                ssl=self._context, ssl_handshake_timeout=HANDSHAKE_TIMEOUT,
            )  # fmt: skip
        except OSError as error:
            # Health checks of load balancers connect and disconnect without a handshake.
            level = logging.WARNING
            if isinstance(error, ConnectionError) and not isinstance(error, ConnectionAbortedError):
                level = logging.INFO
            self._refusals.log(
                time.monotonic(), level,
                "Refused TLS connection from %s port %s: %s", *address[:2], explain(error),
            )  # fmt: skip
