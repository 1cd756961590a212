"""The server's engine with visitors in place of connections, without a network."""

from gear_server.engine.acl import ACL
from gear_server.engine.commands import text_rules
from gear_server.engine.engine import Engine
from gear_server.engine.identity import Identity
from gear_server.engine.rules import packet_rules
from gear_server.engine.scheduler import LINGER
from gear_server.engine.state import Peer
from gear_server.settings import UNLIMITED, ServerSettings
from gear_wire.codec import decode, encode
from gear_wire.framing import Event, Frame, FrameReader
from gear_wire.packets import BasePacket

EPOCH = 1_700_000_000.0


class Visitor:
    """One connection, as its far end sees it."""

    def __init__(self, desk: "Desk", subject: str | None = None) -> None:
        self._desk = desk
        self._reader = FrameReader(max_line_size=None)
        self.peer = Peer(host="127.0.0.1", port=1, descriptor=5, subject=subject)

    def send(self, *packets: BasePacket) -> None:
        """Have the engine take packets in, in a turn of their own."""
        self.say(*packets)
        self._desk.end_turn()

    def say(self, *packets: BasePacket) -> None:
        """Have the engine take packets in, through the bytes that they are on the wire."""
        data = b"".join(encode(packet) for packet in packets)
        self._desk.engine.receive(self.peer, FrameReader().feed(data), self._desk.now)

    def said(self) -> bytes:
        """Return all that the engine has said since the last time, however long an answer is."""
        said = self.taken()
        while self.peer.answer is not None or (self.peer.backlog and not self.peer.halted):
            self._desk.engine.go_on(self.peer, self._desk.now)
            said += self.taken()
        return said

    def taken(self) -> bytes:
        """Return what the engine has said since the last time, as one write takes it."""
        said = b"".join(self.peer.sendable)
        self.peer.sendable.clear()
        self._desk.engine.outboxes.sent(self.peer, 0)
        return said

    def heard(self) -> list[BasePacket]:
        """Return the packets that the engine has said since the last time."""
        return [decode(event) for event in self.events() if isinstance(event, Frame)]

    def events(self) -> list[Event]:
        """Return the packets and lines that the engine has said since the last time."""
        return self._reader.feed(self.said())

    def ask(self, line: bytes) -> bytes:
        """Return what the engine answers to a text command."""
        self._desk.engine.text(self.peer, line, self._desk.now)
        self._desk.end_turn()
        return self.said()

    def leave(self) -> None:
        """Break the connection."""
        self._desk.engine.connection_lost(self.peer, self._desk.now)
        self._desk.end_turn()


GEARMAND = ServerSettings(job_retries=UNLIMITED, cancel_running=True, tell_cancelled=True)


class Desk:
    """An engine, its clocks, and the visitors that come to it.

    Attributes:
        now: The monotonic clock.
        wall: The wall clock, which may be set; it goes on with the other one.
    """

    def __init__(
        self, settings: ServerSettings = GEARMAND, token: bytes = b"", acl: ACL | None = None
    ) -> None:
        self.now = 1000.0
        self.wall = EPOCH
        self.engine = Engine(
            settings,
            packet_rules(),
            text_rules(),
            acl,
            identity=Identity(handle_prefix=b"H", handle_token=token),
            wall_clock=lambda: self.wall,
        )

    def visitor(self, *packets: BasePacket, subject: str | None = None) -> Visitor:
        """Return a fresh connection that has sent some packets."""
        visitor = Visitor(self, subject)
        self.engine.add(visitor.peer)
        visitor.send(*packets)
        return visitor

    def receive(self, visitor: Visitor, data: bytes) -> None:
        """Have the engine take in bytes of a visitor, in a turn of their own."""
        self.engine.receive(visitor.peer, FrameReader().feed(data), self.now)
        self.end_turn()

    def wait(self, seconds: float) -> float | None:
        """Let time pass; returns when the engine must be called again."""
        self.now += seconds
        self.wall += seconds
        self.engine.tick(self.now)
        self.end_turn()
        return self.engine.deadline

    def end_turn(self, busy: bool = False) -> list[Peer]:
        """Have the engine say what it has to say; returns whose bytes would be sent.

        Unless it is busy, the moment passes in which who asks waits for a job.
        """
        dirty = self.engine.end_turn(self.now, busy)
        return dirty if busy else dirty + self.engine.end_turn(self.now + LINGER)
