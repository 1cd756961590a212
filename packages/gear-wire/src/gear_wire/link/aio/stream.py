"""One socket on an asyncio loop, plain or TLS; making it anew when it is lost is `link`'s."""

import asyncio
import socket
import time
from typing import Final, Protocol, cast

from gear_wire.errors import DisconnectError, GearmanError, ProtocolError
from gear_wire.escape import quoted
from gear_wire.framing import MAX_LINE_SIZE, Frame, FrameReader, Malformed
from gear_wire.link.aio.within import within
from gear_wire.link.deadline import Deadline
from gear_wire.link.quickack import Settable, acknowledge
from gear_wire.link.sendqueue import unacknowledged
from gear_wire.link.tls import TLSStream, describe

HIGH_WATER: Final = 65536
"""Bytes that the kernel does not take above which whoever sends more waits."""
GATHERED: Final = 65536
"""Bytes that are not held back for others: from here on the transport must know how many wait."""
_LOOK_AGAIN: Final = 0.02
"""Seconds between looks at what the other side has acknowledged; nothing tells of it."""


class StreamOwner(Protocol):
    """What a stream needs of the connection that it belongs to."""

    def receive(self, frame: Frame) -> None:
        """Take in a packet; a ProtocolError breaks the connection."""

    def receive_line(self, line: bytes) -> bool:
        """Take in a line of text; False when nobody asked for it."""

    @property
    def expects_text(self) -> bool:
        """Whether somebody asked for text."""


class Stream(asyncio.Protocol):
    """One socket's worth of a connection.

    TLS is done here and not by the loop: so closing ends in time, what the kernel has taken is
    known, and a refusal has a reason, on any loop.

    Args:
        owner: Whose it is.
        sock: The connected socket.
        tls: The TLS stream, when TLS is spoken.
        max_line_size: The longest line of text accepted, in bytes.

    Attributes:
        transport: Where bytes go; None before `connection_made`.
        closed: Done when the socket is closed.
        secured: Done when bytes can be written; with TLS, after the handshake. A DisconnectError if
            the connection was lost before.
        accepted: Done when the server has shown that it accepts this side; likewise.
        reason: Why the connection was lost, as far as it is known.
        wrong: Whether it was broken because of something wrong that the server sent.
        received: When the last bytes came, on the monotonic clock.
    """

    def __init__(
        self,
        owner: StreamOwner,
        sock: socket.socket,
        tls: TLSStream | None = None,
        max_line_size: int = MAX_LINE_SIZE,
    ) -> None:
        self._owner = owner
        self._socket = sock
        self._tls = tls
        self._reader = FrameReader(max_line_size=max_line_size, from_server=True)
        self._options: Settable | None = None
        self.transport: asyncio.Transport | None = None
        self._loop = asyncio.get_running_loop()
        self._gathering = False
        self._gathered: list[bytes] = []
        self._size = 0
        self._written = 0
        self.closed: asyncio.Future[None] = self._loop.create_future()
        self.secured: asyncio.Future[None] = self._loop.create_future()
        self.accepted: asyncio.Future[None] = self._loop.create_future()
        self._emptied: asyncio.Future[bool] | None = None
        self._finished = False
        self.reason: str = ""
        self.wrong: bool = False
        self.received: float = time.monotonic()

    # What the loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Note the transport, and begin with TLS."""
        # uvloop's transports have the methods of asyncio.Transport, but not its class.
        self.transport = cast(asyncio.Transport, transport)
        self._options = transport.get_extra_info("socket")
        # The loop tells then when the kernel has all, and when that changes.
        self.transport.set_write_buffer_limits(high=0)
        if self._tls is None:
            self.secured.set_result(None)
            self.accepted.set_result(None)
        else:
            self._shake_hands(self._tls, b"")

    def data_received(self, data: bytes) -> None:
        """Decrypt and cut what came, and give it to the owner."""
        self.received = time.monotonic()
        if self._tls is not None:
            data = self._decrypt(self._tls, data)
            if not data:
                return
        events = self._reader.feed(data)
        if not events and self._options is not None:
            acknowledge(self._options, len(data))
        try:
            for event in events:
                if isinstance(event, Frame):
                    self._owner.receive(event)
                elif isinstance(event, Malformed):
                    raise ProtocolError(event.reason)
                elif not self._owner.receive_line(event.line):
                    raise ProtocolError(f"text that nobody asked for: {quoted(event.line, 40)}")
            if self._reader.in_line and not self._owner.expects_text:
                raise ProtocolError("text that nobody asked for")
        except ProtocolError as error:
            self.distrust(str(error))

    def eof_received(self) -> None:
        """Give the connection up, as the server closed it.

        The loop would first send what is queued, which nobody may ever read.
        """
        self.break_off("the server closed the connection")

    def pause_writing(self) -> None:
        """Note that the kernel did not take all."""
        self._emptied = self._loop.create_future()

    def resume_writing(self) -> None:
        """Note that the kernel has all, and tell those who wait for it."""
        emptied, self._emptied = self._emptied, None
        if emptied is not None and not emptied.done():
            emptied.set_result(True)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell those who wait for anything."""
        if exc is not None:
            self.reason = self.reason or describe(exc)
        self.reason = self.reason or "the connection was closed"
        if self._emptied is not None and not self._emptied.done():
            self._emptied.set_result(False)
        for stage in (self.secured, self.accepted):
            if not stage.done():
                stage.set_exception(DisconnectError(self.reason))
                stage.exception()  # seen: nobody may be waiting
        if not self.closed.done():
            self.closed.set_result(None)

    # TLS

    def _shake_hands(self, tls: TLSStream, data: bytes) -> bool:
        """Go on with the handshake; True when it is done."""
        import ssl

        try:
            done = tls.handshake(data)
        except (ssl.SSLError, OSError) as error:
            self._send_records(tls.outgoing())  # the alert that tells the server why
            self.break_off(describe(error))
            return False
        self._send_records(tls.outgoing())
        if done:
            self.secured.set_result(None)
            if not tls.may_refuse:
                self.accepted.set_result(None)
        return done

    def _decrypt(self, tls: TLSStream, data: bytes) -> bytes:
        """Return what came for the owner, if anything did."""
        if not self.secured.done():
            if not self._shake_hands(tls, data):
                return b""
            data = b""  # what followed the handshake is in the TLS stream
        try:
            plain = tls.decrypt(data)
        except DisconnectError as error:
            self.break_off(str(error))
            return b""
        if data and not self.accepted.done():
            self.accepted.set_result(None)
        self._send_records(tls.outgoing())
        if tls.ended:
            self._loop.call_soon(self.break_off, "the server closed the connection")
        return plain

    # Sending

    def write(self, data: bytes) -> None:
        """Send bytes, unless the connection is going down.

        The first of a turn of the loop leave at once, those after them together at its end: a
        system call takes longer than all else that a packet needs.
        """
        self._written += len(data)
        if not self._gathering:
            self._gathering = True
            self._loop.call_soon(self._end_turn)
            self._send(data)
            return
        self._gathered.append(data)
        self._size += len(data)
        if self._size >= GATHERED:
            self._send_gathered()

    @property
    def sent(self) -> int:
        """How many of the bytes written the kernel has taken; with TLS, about."""
        waiting = 0 if self.transport is None else self.transport.get_write_buffer_size()
        return self._written - self._size - waiting

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
        transport = self.transport
        if transport is None or transport.is_closing() or self._finished:
            return
        if self._tls is not None:
            self._tls.encrypt(data)
            data = self._tls.outgoing()
        transport.write(data)

    def _send_records(self, records: bytes) -> None:
        """Send what TLS says of itself."""
        if self.transport is not None and self._open:
            self.transport.write(records)

    @property
    def _open(self) -> bool:
        return not self._finished and self.transport is not None and not self.transport.is_closing()

    @property
    def crowded(self) -> bool:
        """Whether the server takes nothing and much is queued already."""
        if self._emptied is None or self.transport is None:
            return False
        return self.transport.get_write_buffer_size() > HIGH_WATER

    async def drain(self, deadline: Deadline | None = None) -> None:
        """Wait while the server takes nothing and much is queued already.

        Args:
            deadline: How long; None for no limit.

        Raises:
            TimeoutError: The server has still not taken it.
        """
        emptied = self._emptied
        if emptied is not None and self.crowded:
            async with within(deadline, "%r takes nothing: no room to send", self._owner):
                await asyncio.shield(emptied)

    async def flush(self, deadline: Deadline | None = None) -> None:
        """Wait until the kernel has all that was written so far.

        Args:
            deadline: How long; None for no limit.

        Raises:
            TimeoutError: It has still not taken all.
            DisconnectError: The connection was lost; the server may have received it or not.
        """
        if self._gathered:
            self._send_gathered()
        if not self._open:
            raise self._gone()
        if self._emptied is not None:
            async with within(deadline, "%r does not read: not all was sent", self._owner):
                if not await asyncio.shield(self._emptied):
                    raise self._gone()

    def _gone(self) -> DisconnectError:
        return DisconnectError(f"{self._owner!r} was lost before all was sent: {self.reason}")

    # Ending

    def break_off(self, reason: str) -> None:
        """Break the connection.

        Args:
            reason: Why, as log lines and exceptions name it; the first one counts.
        """
        self.reason = self.reason or reason
        if self.transport is not None:
            self.transport.abort()
        else:
            self._socket.close()

    def distrust(self, reason: str) -> None:
        """Break the connection because of something that the server sent; the rest is not read."""
        self.wrong = True
        self.break_off(reason)

    def release(self) -> None:
        """Break the connection without waiting, from any thread; even if the loop was closed."""
        if self._loop.is_closed():
            self._socket.close()
        else:
            self._loop.call_soon_threadsafe(self.break_off, "nobody had it any more")

    async def close(self, deadline: Deadline) -> None:
        """Let what was written leave, then close.

        Args:
            deadline: When to break the connection instead.
        """
        if self.transport is None:
            self._socket.close()
            return
        try:
            await self.flush(deadline)
            async with within(deadline, "not closed"):
                await self._finish(self.transport)
        except GearmanError:
            pass  # lost, or too slow: what is left is broken off
        finally:
            self.transport.abort()
        await self.closed

    async def _finish(self, transport: asyncio.Transport) -> None:
        if self._tls is not None:
            self._send_records(self._tls.end())
        self._finished = True
        if unacknowledged(self._socket):
            # A socket that is closed answers whatever comes with a reset, which discards what the
            # server has not taken yet. So it is only half closed until the server has it.
            transport.write_eof()
            while unacknowledged(self._socket) and not self.closed.done():
                await asyncio.wait((self.closed,), timeout=_LOOK_AGAIN)
        transport.close()
        await asyncio.shield(self.closed)
