"""An engine and its connections without a network: bytes in, bytes out, as `network.server` has it.

It does what `AsyncServer`, its streams and its peers do, in the same order and at the same moments,
for the simulation and the fuzzers. What a connection does with its bytes, its subclasses say.
"""

import collections

from gear_server.engine.engine import Engine
from gear_server.engine.state import NOWHERE, Peer
from gear_server.settings import ServerSettings
from gear_wire.framing import Event, FrameReader
from gear_wire.large import LargeFrame

LARGE_READ = 64
"""A packet that still lacks this many bytes is read on its own; far fewer than on a network."""
SLICE = 4
"""Messages of a connection that are taken in one turn; far fewer than on a network."""
SHARE = 4
"""Halted connections that go on in one turn."""
FEW = 200
"""Bytes that may be unsent before they are counted; far fewer than on a network."""


class Line:
    """The server's end of a connection.

    Args:
        descriptor: Its number.
        settings: The limits of the server.

    Attributes:
        peer: What the engine knows of it.
        reader: Cuts what comes into messages.
        paused: Whether it is not read for the moment.
        congested: Whether more than a few bytes are unsent.
    """

    def __init__(self, descriptor: int, settings: ServerSettings) -> None:
        self.peer = Peer("127.0.0.1", descriptor, descriptor)
        self.reader = FrameReader(settings.max_packet_size, settings.max_line_size, SLICE)
        self.paused = False
        self.congested = False
        self._large: LargeFrame | None = None

    # What subclasses do with the bytes

    @property
    def unsent(self) -> int:
        """How many bytes were written and wait for the other end to read."""
        return 0

    def write(self, data: bytes) -> None:
        """Send bytes."""

    def close(self) -> None:
        """Close the connection once all was sent."""

    def abort(self) -> None:
        """Break the connection."""

    # What a host calls

    def cut(self, data: bytes) -> list[Event]:
        """Return what the next bytes complete."""
        if self._large is not None:
            room = self._large.room()
            size = min(len(room), len(data))
            room[:size] = data[:size]
            room.release()
            if not self._large.fill(size):
                return []
            frame = self._large.frame()
            self._large = None
            return [frame, *self.reader.feed(data[size:])]
        events = self.reader.feed(data)
        if not events:
            unfinished = self.reader.hand_over(LARGE_READ)
            self._large = None if unfinished is None else LargeFrame(*unfinished)
        return events

    def flush(self) -> int:
        """Send what is queued, and close the connection if that was all.

        Returns:
            The bytes that are unsent; 0 for a few.
        """
        peer = self.peer
        outbox = peer.sendable
        if outbox is NOWHERE:
            self.abort()
            return 0
        if outbox:
            data = b"".join(outbox)
            outbox.clear()
            peer.bulky = False
            self.write(data)
            self.congested = self.unsent > FEW
        if peer.closing and not peer.held:
            self.close()
        return self.unsent if self.congested else 0


class Host:
    """Moves bytes between lines and an engine.

    Args:
        engine: The engine.

    Attributes:
        engine: As given.
        lines: The connections.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.lines: dict[Peer, Line] = {}
        self._reads = 0
        self._busy = False
        self._deferred = False
        self._halted: collections.deque[Line] = collections.deque()
        self._parked: dict[Line, None] = {}

    @property
    def deferred(self) -> bool:
        """Whether another turn must follow though nothing comes."""
        return self._deferred or bool(self._halted)

    def connect(self, line: Line) -> None:
        """Add a connection."""
        self.lines[line.peer] = line
        self.engine.add(line.peer)

    # What happens on connections

    def receive(self, line: Line, data: bytes, now: float) -> None:
        """Take in what one read of a connection returned; it must not be paused."""
        if not line.peer.closing:
            events = line.cut(data)
            if events:
                self._take(line, events, now)
                if line.reader.more or line.peer.backlog or line.peer.answer is not None:
                    line.paused = True
                    self._halted.append(line)

    def _take(self, line: Line, events: list[Event], now: float) -> None:
        self._reads += 1
        self.engine.receive(line.peer, events, now)

    def resumed(self, line: Line) -> None:
        """Take in that most of what was unsent has been read."""
        line.congested = False
        self.engine.outboxes.sent(line.peer, 0)
        if line in self._parked:
            del self._parked[line]
            self._halted.append(line)

    def ended(self, line: Line) -> None:
        """Take in that the other end has said all that it will."""
        self.engine.close(line.peer)

    def lost(self, line: Line, now: float) -> None:
        """Forget a connection; no effect if that was done before."""
        if self.lines.pop(line.peer, None) is not None:
            self._parked.pop(line, None)
            self.engine.connection_lost(line.peer, now)

    # Turns

    def end_turn(self, now: float) -> None:
        """Go on with those that are halted, and end a turn."""
        for _ in range(min(SHARE, len(self._halted))):
            line = self._halted.popleft()
            if line.peer not in self.lines:
                continue
            if line.peer.closing:
                continue
            if self._blocked(line):
                self._parked[line] = None
            elif not self._goes_on(line, now):
                self._halted.append(line)
        reads, self._reads = self._reads, 0
        self._busy = reads > 2 or (reads > 0 and self._deferred)
        self._flush(now)

    def _blocked(self, line: Line) -> bool:
        """Return whether what a peer asked for waits for its network, or for the store."""
        peer = line.peer
        if peer.answer is not None and line.congested:
            return True
        waits = peer.answer is not None or bool(peer.backlog)
        return waits and (line.congested or peer.held) and self.engine.outboxes.crowds(peer)

    def _goes_on(self, line: Line, now: float) -> bool:
        """Take the next of what has come; returns whether that was all, and it is read on."""
        peer = line.peer
        if peer.backlog or peer.answer is not None:
            self.engine.go_on(peer, now)
        elif line.reader.more:
            self._take(line, line.reader.read_on(), now)
        line.paused = bool(peer.answer is not None or peer.backlog or line.reader.more)
        return not line.paused

    def tick(self, now: float) -> None:
        """Do what is due by now."""
        self.engine.tick(now)
        self._flush(now)

    def _flush(self, now: float) -> None:
        outboxes = self.engine.outboxes
        for peer in self.engine.end_turn(now, self._busy):
            line = self.lines.get(peer)
            if line is not None:
                waiting = line.flush()
                if waiting or peer.halted or peer.held:
                    outboxes.sent(peer, waiting)
                if line in self._parked and not self._blocked(line):
                    del self._parked[line]
                    self._halted.append(line)
        self._deferred = self.engine.deferred
