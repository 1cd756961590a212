"""One connection of the server: reads in slices, and pauses when its peer has to wait."""

import asyncio
import time
from typing import Final, Protocol, cast

from gear_server.network.doors import Admission
from gear_server.network.pace import BULK, BUSY_READS, MOST, SOME
from gear_server.network.patience import Patience
from gear_server.network.peer import StreamPeer
from gear_server.network.traffic import Traffic
from gear_server.settings import ServerSettings
from gear_wire.framing import Event, Frame, FrameReader
from gear_wire.large import LargeFrame
from gear_wire.link.quickack import Settable, acknowledge

LARGE_READ: Final = 131072
"""A packet that still lacks this many bytes is read straight into its final buffer."""


class Watch(Protocol):
    """What a connection is watched by: it may not take too long, or hold too much.

    Attributes:
        silent: Waits for the first byte of connections.
        unfinished: Waits for the rest of packets and lines.
    """

    silent: "Patience[Stream]"
    unfinished: "Patience[Stream]"

    def note_untaken(self, sender: "Stream") -> None:
        """Note how many bytes have come of a connection that the engine has not taken."""

    def forget(self, sender: "Stream") -> None:
        """Forget how many bytes have come of a connection that is lost."""


class Reader(Protocol):
    """The server, as a connection knows it.

    Attributes:
        settings: Its settings.
        most: How many messages of a connection it takes at once.
        busy_reads: How many reads of this turn were those of busy connections.
        traffic: Where what is read is counted.
    """

    settings: ServerSettings
    traffic: Traffic
    most: int
    busy_reads: int

    @property
    def evictions(self) -> Watch:
        """What drops connections that take too long or hold too much."""

    def connected(self, transport: asyncio.Transport, admission: Admission) -> StreamPeer:
        """Add a connection."""

    def receive(self, peer: StreamPeer, events: list[Event]) -> None:
        """Receive what one read returned."""

    def go_on(self, peer: StreamPeer) -> None:
        """Go on with what a peer was halted in."""

    def halted(self, stream: "Stream") -> None:
        """Have a connection that is not read on take its turns."""

    def congested(self, peer: StreamPeer) -> None:
        """Note that a transport holds more than a few bytes."""

    def resumed(self, peer: StreamPeer) -> None:
        """Go on with a peer whose transport has sent most of what it held."""

    def crowds(self, peer: StreamPeer) -> bool:
        """Return whether so much waits for a peer that its requests wait too."""

    def must_pause(self, size: int) -> bool:
        """Return whether a connection of which so much was read at once makes others wait."""

    def ended(self, peer: StreamPeer) -> bool:
        """Give no more jobs to a peer that has closed its side."""

    def lost(self, peer: StreamPeer) -> None:
        """Remove a lost connection."""


class Stream(asyncio.Protocol):
    """One connection.

    Some messages of a read are taken at once; the rest waits for the `Pace`. It is read on when all
    that has come was taken, and the peer is not halted.

    Attributes:
        resting: Whether it is not read on only because much was read at once.
    """

    def __init__(self, server: Reader, admission: Admission) -> None:
        settings = server.settings
        self._server = server
        self._admission = admission
        self._reader = FrameReader(settings.max_packet_size, settings.max_line_size, MOST)
        self._peer: StreamPeer | None = None
        self._socket: Settable | None = None
        self._large: LargeFrame | None = None
        self._wait: Patience[Stream] | None = None
        self._busy = 0  # reads for which it still counts as busy
        self.resting: bool = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take in the connection."""
        # uvloop's transports have the methods of asyncio.Transport, but not its class.
        self._peer = self._server.connected(cast(asyncio.Transport, transport), self._admission)
        self._socket = transport.get_extra_info("socket")
        self._wait_in(self._server.evictions.silent)

    def data_received(self, data: bytes) -> None:
        """Take what was read."""
        self._server.traffic.received += len(data)
        if self._peer is None or self._peer.closing:
            return
        self._reader.most = self._server.most
        events = self._reader.feed(data)
        if self._wait is not None or self._reader.held:
            self._wait_on(bool(events))
            self._server.evictions.note_untaken(self)
        much = len(data) >= BULK
        if events:
            self._take(self._peer, events, much)
        else:
            self._read_on(self._peer, len(data))
        if much:
            self.read_much(len(data))

    def _take(self, peer: StreamPeer, events: list[Event], much: bool) -> None:
        self._server.receive(peer, events)
        if self._reader.more or peer.backlog or peer.answer is not None:
            self._busy = BUSY_READS
            self._server.busy_reads += 1
            if self.pause():
                self._server.halted(self)
                self._server.evictions.note_untaken(self)
        elif much or len(events) > SOME:
            self._busy = BUSY_READS
            self._server.busy_reads += 1
        elif self._busy:
            self._busy -= 1
            self._server.busy_reads += 1

    def wait_for_answer(self) -> None:
        """Take turns until a long answer is made, if a handler has begun it in its own time."""
        if not self.paused and self.pause():
            self._server.halted(self)

    def read_much(self, size: int) -> None:
        """Read no more for a while, if others are active."""
        self._busy = BUSY_READS
        if not self.paused and self._server.must_pause(size) and self.pause():
            self.resting = True
            self._server.halted(self)

    def pause(self) -> bool:
        """Read no more; returns False if the connection is being closed."""
        transport = None if self._peer is None else self._peer.transport
        if transport is None or transport.is_closing():
            return False
        transport.pause_reading()
        return True

    def go_on(self, peer: StreamPeer, end: float) -> bool:
        """Take the next of what has come; returns whether that was all, and it reads on.

        Args:
            peer: The connection's peer.
            end: When to stop.
        """
        while True:
            if peer.backlog or peer.answer is not None:
                self._server.go_on(peer)
            elif self._reader.more:
                self._server.receive(peer, self._reader.read_on())
            waits = peer.backlog or peer.answer is not None
            if not waits and not self._reader.more:
                break
            if peer.closing or (waits and self._server.crowds(peer)) or time.monotonic() >= end:
                return False
        if self._large is None:
            self._wait_on(anew=True)
        self._server.evictions.note_untaken(self)
        if peer.transport is not None and not peer.transport.is_closing():
            peer.transport.resume_reading()
        return True

    def _read_on(self, peer: StreamPeer, size: int) -> None:
        """Continue reading an unfinished packet."""
        unfinished = self._reader.hand_over(LARGE_READ)
        if unfinished is not None and peer.transport is not None:
            self._large = LargeFrame(*unfinished)
            _LargeRead(self, peer.transport, self._large)
        else:
            self.acknowledge(size)

    def count(self, size: int) -> None:
        """Count what was read of a large packet."""
        self._server.traffic.received += size

    def came_on(self, size: int) -> None:
        """Note and acknowledge what was read of a large packet."""
        self._server.evictions.note_untaken(self)
        self.acknowledge(size)

    def acknowledge(self, size: int) -> None:
        """Acknowledge what was read of an unfinished packet."""
        if self._socket is not None:
            acknowledge(self._socket, size)

    @property
    def peer(self) -> StreamPeer | None:
        """Who is connected; None before and if nobody is."""
        return self._peer

    @property
    def unfinished(self) -> int:
        """How many bytes of an unfinished packet or line have come."""
        return self._reader.held if self._large is None else self._large.held

    @property
    def untaken(self) -> int:
        """How many bytes have come that the engine has not taken."""
        untaken = self.unfinished + self._reader.uncut
        if self._peer is None or not self._peer.backlog:
            return untaken
        backlog = self._peer.backlog
        return untaken + sum(len(what.body) for what in backlog if isinstance(what, Frame))

    @property
    def paused(self) -> bool:
        """Whether the server has stopped reading for a while."""
        transport = None if self._peer is None else self._peer.transport
        return transport is not None and not transport.is_closing() and not transport.is_reading()

    @property
    def in_packet(self) -> bool:
        """Whether a packet is unfinished, rather than a line."""
        return self._large is not None or self._reader.awaited > 0

    def _wait_on(self, anew: bool) -> None:
        """Wait for the rest of a packet or line, if there is one, and for nothing else."""
        unfinished = self._server.evictions.unfinished if self._reader.held else None
        if anew or self._wait is not unfinished:
            self._wait_in(unfinished)

    def _wait_in(self, patience: "Patience[Stream] | None") -> None:
        if self._wait is not None:
            self._wait.end(self)
        self._wait = patience
        if patience is not None:
            patience.begin(self)

    def take(self, frame: Frame) -> None:
        """Receive a packet that was read by another protocol."""
        self._large = None
        self._wait_in(None)
        self._server.evictions.note_untaken(self)
        if self._peer is not None and not self._peer.closing:
            self._take(self._peer, [frame], much=True)

    def pause_writing(self) -> None:
        """Note that more waits to be sent than a few bytes."""
        if self._peer is not None:
            self._peer.congested = True
            self._server.congested(self._peer)

    def resume_writing(self) -> None:
        """Note that few bytes wait to be sent."""
        if self._peer is not None:
            self._peer.congested = False
            self._server.resumed(self._peer)

    def eof_received(self) -> bool:
        """Return whether the connection stays open for an answer that waits for the store."""
        return self._peer is not None and self._server.ended(self._peer)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._admission.leave()
        self._wait_in(None)
        self._server.evictions.forget(self)
        if self._peer is not None:
            self._server.lost(self._peer)


class _LargeRead(asyncio.BufferedProtocol):
    """A connection while a large packet arrives, which is read straight into its final buffer."""

    def __init__(self, stream: Stream, transport: asyncio.Transport, frame: LargeFrame) -> None:
        self._stream = stream
        self._transport = transport
        self._frame = frame
        self._lost = False
        self._hand_to(self)

    def _hand_to(self, protocol: asyncio.BaseProtocol) -> None:
        # uvloop checks the kind of protocol when it starts reading.
        self._transport.pause_reading()
        self._transport.set_protocol(protocol)
        self._transport.resume_reading()

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._frame.room()

    def buffer_updated(self, nbytes: int) -> None:
        self._stream.count(nbytes)
        if self._frame.fill(nbytes):
            # The loop still holds the buffer.
            self._transport.pause_reading()
            asyncio.get_running_loop().call_soon(self._finish)
        else:
            self._stream.came_on(nbytes)
            if nbytes >= BULK:
                self._stream.read_much(nbytes)

    def _finish(self) -> None:
        if not self._lost:
            self._hand_to(self._stream)
            self._stream.take(self._frame.frame())

    def pause_writing(self) -> None:
        self._stream.pause_writing()

    def resume_writing(self) -> None:
        self._stream.resume_writing()

    def eof_received(self) -> bool:
        return self._stream.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost = True
        self._stream.connection_lost(exc)
