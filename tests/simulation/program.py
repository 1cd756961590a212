"""What clients, workers and others of a world share: links to all servers, made anew when lost."""

from typing import TYPE_CHECKING

from gear_wire.codec import decode, encode
from gear_wire.framing import Frame, FrameReader, TextLine
from gear_wire.jobs import BaseJob
from gear_wire.link.roster import Roster
from gear_wire.packets import BasePacket
from gear_wire.session import Session
from simulation.server import Server, ServerLine

if TYPE_CHECKING:
    from simulation.world import World

REASON = "it was lost in the simulation"


class Link:
    """The connection of a program to one server.

    Attributes:
        program: Whose it is.
        server: The server.
        line: The other end of the present connection; None without one.
        session: What the program knows of it.
        related: The jobs of the connection, by handle.
    """

    def __init__(self, program: "Program", server: Server) -> None:
        self.program = program
        self.server = server
        self.line: ServerLine | None = None
        self.session: Session | None = None
        self.related: dict[bytes, BaseJob] = {}
        self._world = program.world
        self._reader = FrameReader()
        self._paused_until = 0.0

    def __str__(self) -> str:
        return f"{self.program} to {self.server}"

    def connect(self) -> None:
        """Try to connect, again and again."""
        if not self.program.alive:
            return
        self.line = self.server.accept(self)
        if self.line is None:
            self._connect_later()
            return
        self._world.trace(self.program, "connects to", self.server)
        self._reader = FrameReader(max_line_size=None, from_server=True)
        self._paused_until = 0.0
        self.related.clear()
        self.session = self.program.new_session(self)
        if self.session is not None:
            self.session.greet()
        self.send_queued()
        self.program.roster.up(self, self._world.clock.now)
        self.program.connected(self)

    def _connect_later(self) -> None:
        delay = self.program.roster.delay(self, self._world.chance.fraction())
        self._world.clock.after(delay, self.connect)

    # Sending

    def send(self, data: bytes) -> None:
        if self.line is not None:
            self._world.trace(self.program, "sends", data)
            self.line.cable.up.send(data)

    def send_queued(self) -> None:
        if self.session is not None:
            packets = self.session.packets_to_send()
            if packets:
                self.send(b"".join([encode(packet) for packet in packets]))

    # Receiving

    def pause(self, seconds: float) -> None:
        """Read nothing for some time."""
        self._world.trace(self.program, "does not read for", seconds)
        self._paused_until = self._world.clock.now + seconds
        if self.line is not None:
            self._world.clock.after(seconds, self.readable, self.line)

    def readable(self, line: ServerLine) -> None:
        if line is not self.line:
            line.reset()
            return
        if self._world.clock.now < self._paused_until:
            return
        pipe = line.cable.down
        data = pipe.read(1 << 20)
        if data:
            line.drained()
            self._world.trace(self.program, "reads", data)
            for event in self._reader.feed(data):
                if isinstance(event, Frame):
                    self.program.received(self, decode(event))
                elif isinstance(event, TextLine):
                    self.program.heard(self, event.line)
                else:
                    raise AssertionError(f"{self} got bytes that are not Gearman: {event.reason}")
        if pipe.ended:
            self.lose(line)

    # Ending

    def lose(self, line: ServerLine) -> None:
        """Notice that the connection is lost, and connect again."""
        if line is not self.line:
            return
        self._world.trace(self.program, "loses", self.server)
        self.line = None
        session, self.session = self.session, None
        if session is not None:
            session.lost(REASON)
        self.program.roster.down(self, self._world.clock.now)
        self.program.lost(self)
        self.related.clear()
        self._connect_later()

    def cut(self) -> None:
        """Break the connection in the network; both ends find out later."""
        line = self.line
        if line is not None:
            self._world.trace(self.program, "is cut off from", self.server)
            line.cable.break_()
            chance, clock = self._world.chance, self._world.clock
            clock.after(chance.between(0.0, 1.5), self.lose, line)
            clock.after(chance.between(0.0, 1.5), self.server.lose, line)

    def close(self) -> None:
        """End the connection, as the kernel does for a process that is no more."""
        if self.line is not None:
            if self.line.cable.down.unread:
                self.line.reset()
            self.line.cable.up.end()
            self.line = self.session = None


class Program:
    """A process with a link to each server.

    Attributes:
        world: Where it is.
        alive: Whether it has not ended.
        links: Its links.
        roster: Which of them are up, and whose turn it is.
    """

    kind = "program"

    def __init__(self, world: "World", number: int) -> None:
        self.world = world
        self.number = number
        self.alive = True
        self.roster: Roster[Link] = Roster()
        self.links = [Link(self, server) for server in world.servers]
        for link in self.links:
            self.roster.add(link)
            world.clock.after(world.weather.latency(), link.connect)

    def __str__(self) -> str:
        return f"{self.kind} {self.number}"

    def end(self) -> None:
        """End at once, with all connections."""
        self.world.trace(self, "ends")
        self.alive = False
        for link in self.links:
            link.close()

    def send_queued(self) -> None:
        for link in self.roster.active:
            link.send_queued()

    def new_session(self, link: Link) -> Session | None:
        """Return the state of a fresh connection; None for one that only text is sent over."""
        raise NotImplementedError

    def connected(self, link: Link) -> None:
        """Override to use a fresh connection."""

    def received(self, link: Link, packet: BasePacket) -> None:
        """Take in a packet."""
        self.roster.answered(link)
        assert link.session is not None
        link.session.apply(packet)
        self.send_queued()

    def heard(self, link: Link, line: bytes) -> None:
        """Take in a line of text."""
        raise AssertionError(f"{self} was told {line!r}, unasked")

    def lost(self, link: Link) -> None:
        """Override to learn of the loss of a connection."""
        self.send_queued()
