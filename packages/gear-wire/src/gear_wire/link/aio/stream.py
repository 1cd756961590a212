"""One socket on an asyncio loop; making it anew when it is lost is `aio`'s."""

import asyncio
import builtins
import logging
import socket
from typing import Final, Protocol, cast

from gear_wire.framing import Frame, FrameReader, Malformed
from gear_wire.link.address import Keepalive
from gear_wire.link.quickack import Settable, acknowledge

CLOSE_TIMEOUT: Final = 2.0
"""Seconds that queued bytes have to leave when a stream is closed."""
GATHERED: Final = 65536
"""Bytes that are not held back for others: from here on the transport must know how many wait."""


class StreamOwner(Protocol):
    """What a stream needs of the connection that it belongs to."""

    keepalive: Keepalive
    log: logging.Logger

    def receive(self, frame: Frame) -> None:
        """Take in a packet."""

    def answer(self, line: bytes) -> bool:
        """Take in a line of text; False when nobody asked for it."""


class Stream(asyncio.Protocol):
    """One socket's worth of a connection.

    Args:
        owner: Whose it is.

    Attributes:
        transport: Where bytes go; None before it is connected.
        closed: Done when the socket is closed.
        writable: Set unless the server takes nothing and much is queued already.
    """

    def __init__(self, owner: StreamOwner) -> None:
        self._owner = owner
        self._reader = FrameReader(max_line_size=None)
        self._socket: Settable | None = None
        self.transport: asyncio.Transport | None = None
        self._loop = asyncio.get_running_loop()
        self._gathering = False
        self._gathered: list[bytes] = []
        self._size = 0
        self.closed: asyncio.Future[None] = self._loop.create_future()
        self.writable: asyncio.Event = asyncio.Event()
        self.writable.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take note of the transport, and set up its socket."""
        # uvloop's transports have the methods of asyncio.Transport, but not its class.
        self.transport = cast(asyncio.Transport, transport)
        sock = self._socket = transport.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._owner.keepalive.apply(sock)

    def data_received(self, data: bytes) -> None:
        """Cut what came, and give it to the owner."""
        events = self._reader.feed(data)
        if not events and self._socket is not None:
            acknowledge(self._socket, len(data))
        for event in events:
            if isinstance(event, Frame):
                self._owner.receive(event)
            elif isinstance(event, Malformed):
                self._owner.log.error("%r: %s", self._owner, event.reason)
                self.abort()
            elif not self._owner.answer(event.line):
                self._owner.log.error("Received text that nobody asked for: %r", event.line[:80])

    def pause_writing(self) -> None:
        """Have those wait who want to send more."""
        self.writable.clear()

    def resume_writing(self) -> None:
        """Let them go on."""
        self.writable.set()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell who waits for the end."""
        self.writable.set()
        if not self.closed.done():
            self.closed.set_result(None)

    def write(self, data: bytes) -> None:
        """Send bytes, unless the connection is going down.

        The first of a turn of the loop leave at once, those after them together at its end: a
        system call takes longer than all else that a packet needs.
        """
        if not self._gathering:
            self._gathering = True
            self._loop.call_soon(self._end_turn)
            self._send(data)
            return
        self._gathered.append(data)
        self._size += len(data)
        if self._size >= GATHERED:
            self._send_gathered()

    def _end_turn(self) -> None:
        self._gathering = False
        if self._gathered:
            self._send_gathered()

    def _send_gathered(self) -> None:
        data = b"".join(self._gathered)
        self._gathered.clear()
        self._size = 0
        self._send(data)

    def _send(self, data: bytes) -> None:
        if self.transport is not None and not self.transport.is_closing():
            self.transport.write(data)

    def abort(self) -> None:
        """Break the connection."""
        if self.transport is not None:
            self.transport.abort()

    async def close(self) -> None:
        """Let what was written leave, but not for long."""
        if self.transport is None:
            return
        self._end_turn()
        self.transport.close()
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT):
                await asyncio.shield(self.closed)
        except builtins.TimeoutError:
            self.transport.abort()
            await self.closed
