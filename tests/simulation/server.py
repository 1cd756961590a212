"""A server of a world: the engine, and in place of an event loop the turns that it would take."""

from typing import TYPE_CHECKING, Protocol

from gear_server.engine.commands import text_rules
from gear_server.engine.engine import Engine
from gear_server.engine.handover import Handover
from gear_server.engine.identity import Identity
from gear_server.engine.ledger import BLOCK
from gear_server.engine.rules import packet_rules
from gear_server.engine.state import Peer, ServerJob
from gear_server.queue.store import StoredLimits, StoreError, number_of
from gear_server.settings import UNLIMITED
from simulation.network import Cable
from simulation.shared import INTERVAL, Session
from support.engine_audit import audit
from support.engine_host import FEW, Host, Line
from support.memory_store import MemoryStore, PureKeeper

if TYPE_CHECKING:
    from simulation.world import World

EPOCH = 1_700_000_000
WINDOW = 1000
"""Bytes that the kernels hold for a reader who does not read."""
TICK = 0.001
_RULES = packet_rules()
_TEXT_RULES = text_rules()


class FarEnd(Protocol):
    """The other end of a connection."""

    def readable(self, line: "ServerLine") -> None:
        """Called when there is something to read, or the end."""

    def lose(self, line: "ServerLine") -> None:
        """Called when the connection was broken."""


class ServerLine(Line):
    """The server's end of a connection to a program, with the cable between them.

    Attributes:
        cable: The cable.
        server: The server.
    """

    def __init__(self, server: "Server", far: FarEnd, descriptor: int) -> None:
        super().__init__(descriptor, server.host.engine.settings)
        self.cable = Cable(
            server.world.clock,
            server.world.weather,
            lambda: server.readable(self),
            lambda: far.readable(self),
        )
        self.server = server
        self._host = server.host
        self._far = far

    @property
    def known(self) -> bool:
        """Whether the server takes the connection for one that stands."""
        return self.of_this_life and self.peer in self._host.lines

    @property
    def of_this_life(self) -> bool:
        """Whether the server has not been started again since."""
        return self.server.host is self._host

    @property
    def unsent(self) -> int:
        return max(0, self.cable.down.unread - WINDOW)

    def write(self, data: bytes) -> None:
        self.cable.down.send(data)

    def close(self) -> None:
        self.cable.down.end()
        self.server.hang_up(self)

    def abort(self) -> None:
        self.server.world.trace(self.server, "drops", self.peer.descriptor)
        self.break_()
        self.server.hang_up(self)

    def reset(self) -> None:
        """Take in that what was sent came to nobody: the kernel there says so."""
        world = self.server.world
        world.clock.after(world.weather.latency(), self.server.lose, self)

    def drained(self) -> None:
        """Take in that the program has read something."""
        if self.congested and self.known and self.unsent <= FEW:
            self.server.resumed(self)

    def break_(self) -> None:
        """Break the cable, and let the program find out."""
        self.cable.break_()
        world = self.server.world
        world.clock.after(world.weather.latency(), self._far.lose, self)


class Server:
    """A server that starts, crashes, stalls and starts anew.

    Attributes:
        world: Where it is.
        host: Its engine and its connections, of the present start.
        up: Whether it accepts connections.
        starts: How often it was started.
        disk: What it keeps when it is not running.
    """

    def __init__(self, world: "World", number: int) -> None:
        self.world = world
        self.number = number
        self.starts = 0
        self._descriptors = 0
        self._ready: dict[ServerLine, None] = {}
        self._stalled_until = 0.0
        self._turn_due = False
        self._tick_at: float | None = None
        self._turns = 0
        self._skew = 0.0
        self._latest = 0.0
        self._keeper: PureKeeper | None = None
        self._session: Session | None = None
        self._handover: Handover | None = None
        self._limits: dict[bytes, StoredLimits] = {}
        self.disk = MemoryStore()
        self.start()

    def __str__(self) -> str:
        return f"server {self.number}.{self.starts}"

    @property
    def limits_retries(self) -> bool:
        """Whether a job fails whose workers were lost."""
        return self.host.engine.settings.job_retries != UNLIMITED

    # Its life

    def start(self) -> None:
        """Start, with nothing of what was there before but what its disk has kept."""
        self.starts += 1
        self.up = self._runs = True
        self._ready.clear()
        self._turn_due = False
        self._tick_at = None
        weather = self.world.weather
        identity = Identity(
            handle_prefix=b"H:sim%d" % self.number,
            handle_token=b"" if weather.durable else b"%03d" % self.starts,
        )
        self.host = Host(
            self.world.engine_type(
                weather.settings, _RULES, _TEXT_RULES, identity=identity, wall_clock=self.wall
            )
        )
        if weather.shared:
            self._join(self.host.engine)
        elif weather.durable:
            self._load(self.host.engine)
        # A search must be seen to find the same that a walk finds.
        self.host.engine.queues.short = 1
        self.world.trace(self, "starts")

    def _load(self, engine: Engine) -> None:
        self._keeper = PureKeeper(engine, self.disk)
        self.disk.reserved += BLOCK
        for job in self.disk.load():
            engine.restore(job, self.world.clock.now)
        self._wake()

    def _join(self, engine: Engine) -> None:
        """Become one of those who keep their jobs together."""
        session = self._session = Session(self.world.database, self.world.clock, self._limits)
        self._keeper = PureKeeper(engine, session)
        assign = engine.scheduler._assign

        def checked(peer: Peer, job: ServerJob, now: float) -> None:
            ledger = engine.ledger
            if job.background and not job.retries and ledger is not None and not ledger.owes(job):
                owner = self.world.database.owner(number_of(job.handle))
                # An end that was reported elsewhere may have deleted it meanwhile.
                assert owner in (None, session.node), (
                    f"{job!r} is given out by {self}, and not its own"
                )
            assign(peer, job, now)

        engine.scheduler._assign = checked
        self._handover = Handover(engine, session)
        for job in session.look(1):
            engine.restore(job, self.world.clock.now)
        self.world.clock.after(self.world.chance.between(0.0, INTERVAL), self._look, session)
        self._wake()

    def crash(self) -> None:
        """Be killed: nobody gets anything any more that is not on its way."""
        self.world.trace(self, "crashes")
        if self._keeper is not None and self.world.chance.happens(0.5):
            self._keeper.leave()
        self._go_down()

    def drain(self) -> None:
        """Refuse new jobs for a while, then stop."""
        self.world.trace(self, "drains")
        self.up = False
        self.host.engine.drain(queued=self.world.chance.happens(0.5))
        self.world.clock.after(self.world.chance.between(0.0, 0.5), self._stop, self.host)

    def _stop(self, host: Host) -> None:
        if host is not self.host or not self._runs:
            return
        self.world.trace(self, "stops")
        host.engine.stop()
        if self._keeper is not None:
            self._keeper.close(self.world.clock.now)
        host.end_turn(self.world.clock.now)
        audit(host.engine)
        self._go_down()

    def _go_down(self) -> None:
        self.up = self._runs = False
        if self._session is not None:
            self._session.node.held = False
        for line in list(self.host.lines.values()):
            assert isinstance(line, ServerLine)
            line.cable.up.break_()
            line.cable.down.end()
        self.host.lines.clear()
        self.world.clock.after(self.world.chance.between(0.01, 2.0), self.start)

    def stall(self, seconds: float) -> None:
        """Take no turn for some time."""
        self.world.trace(self, "stalls for", seconds)
        self._stalled_until = self.world.clock.now + seconds

    @property
    def idle(self) -> bool:
        """Whether it is up and takes turns, and has no jobs."""
        stalled = self.world.clock.now < self._stalled_until
        return self.up and not stalled and not self.host.engine.jobs

    # Its wall clock

    def wall(self) -> float:
        return EPOCH + self.world.clock.now + self._skew

    def set_clock(self, skew: float) -> None:
        """Set the wall clock to be wrong by so many seconds."""
        self.world.trace(self, "has its clock off by", skew)
        self._latest = max(self._latest, self.wall())
        self._skew = skew

    def has_seen(self, when: float) -> bool:
        """Whether a time has come, by the wall clock at some moment."""
        return max(self._latest, self.wall()) >= when

    # Its connections

    def accept(self, far: FarEnd) -> ServerLine | None:
        """Return a new connection; None if nobody listens."""
        if not self.up:
            return None
        self._descriptors += 1
        line = ServerLine(self, far, self._descriptors)
        self.host.connect(line)
        self._wake()
        return line

    def readable(self, line: ServerLine) -> None:
        if line.known:
            self._ready[line] = None
            self._wake()

    def resumed(self, line: ServerLine) -> None:
        """Take in that most of what was unsent has been read."""
        self.host.resumed(line)
        self._wake()

    def hang_up(self, line: ServerLine) -> None:
        """Have the loop forget a connection in its next turn."""
        self.world.clock.after(0.0, self.lose, line)

    def lose(self, line: ServerLine) -> None:
        """Notice that a connection is lost."""
        self._ready.pop(line, None)
        if line.known:
            self.world.trace(self, "loses", line.peer.descriptor)
            self.host.lost(line, self.world.clock.now)
            self._wake()

    # The database that it shares with others

    def cut_off(self, seconds: float) -> None:
        """Lose the session with the database for some time."""
        if self._runs and self._session is not None and self._session.node.held:
            self.world.trace(self, "is cut off for", seconds)
            self._session.cut(seconds)

    def _look(self, session: Session) -> None:
        """Show that it lives, and look for those that do not."""
        now, engine = self.world.clock.now, self.host.engine
        if session is not self._session or not self._runs:
            return
        self.world.clock.at(max(now + INTERVAL, self._stalled_until), self._look, session)
        if now < self._stalled_until or (session.is_lost() and not self._renew(session)):
            return
        assert self._handover is not None
        jobs = [] if engine.closed else session.look()
        if jobs:
            self.world.trace(self, "takes over", [job.handle for job in jobs])
            self._handover.adopt(jobs, now)
        self._handover.go_on(now)
        self._wake()

    def _renew(self, session: Session) -> bool:
        """Make the session anew if that is possible; returns whether it was."""
        if self.world.clock.now < session.away_until and not self.world.weather.calm:
            return False
        assert self._keeper is not None
        down = session.renew(self._keeper.batch)
        if down is not None:
            self.world.trace(self, "was taken for dead; its batch is down:", down)
            assert self._handover is not None
            self._handover.let_go(session.reserved, down, "others have them")
        return True

    def _writes(self, keeper: PureKeeper, session: Session) -> bool:
        """Return whether the way to the database lets a batch be written now, or fail."""
        world = self.world
        if world.weather.strikes("database cuts", 0.1) and session.node.held:
            if world.chance.happens(0.5):
                keeper.leave()
            self.cut_off(world.chance.between(0.0, 2.0))
        if not session.is_lost() or self._renew(session) or world.chance.happens(0.05):
            return True
        world.clock.after(0.1, self._kept, keeper)
        return False

    # Its disk

    def _keep(self) -> None:
        """Begin to write what is to be written, if nothing is being written."""
        keeper, chance, clock = self._keeper, self.world.chance, self.world.clock
        if keeper is None or keeper.batch is not None or keeper.take(clock.now) is None:
            return
        slow = self.world.weather.strikes("slow disks", 0.3)
        clock.after(chance.between(0.0, 1.5 if slow else 0.005), self._kept, keeper)

    def _kept(self, keeper: PureKeeper) -> None:
        """Take in what has become of a batch."""
        now = self.world.clock.now
        if keeper is not self._keeper or not self._runs or keeper.batch is None:
            return
        if now < self._stalled_until:
            self.world.clock.at(self._stalled_until, self._kept, keeper)
            return
        store = keeper.store
        if self._session is not None and not self._writes(keeper, self._session):
            return
        if self.world.weather.strikes("disk failures", 0.3):
            store.error = StoreError("disk full")
            store.half = self.world.chance.happens(0.5)
        self.world.trace(self, "wrote", store.error or "all")
        keeper.finish(now)
        store.error = None
        if self._handover is not None:
            self._handover.go_on(now)
        self._wake()

    # Its turns

    def _wake(self) -> None:
        if not self._turn_due:
            self._turn_due = True
            delay = self.world.chance.between(0.0, 0.0003)
            self.world.clock.after(delay, self._turn, self.host)

    def _turn(self, host: Host) -> None:
        if host is not self.host or not self._runs:
            return
        now = self.world.clock.now
        if now < self._stalled_until:
            self.world.clock.at(self._stalled_until, self._turn, host)
            return
        self._turn_due = False
        if self._session is not None:
            self._session.is_lost()
        ready, self._ready = self._ready, {}
        for line in ready:
            if line.paused:
                self._ready[line] = None
            else:
                self._read(line, now)
        host.end_turn(now)
        self._after_turn()
        if host.deferred or any(not line.paused for line in self._ready):
            self._wake()

    def _read(self, line: ServerLine, now: float) -> None:
        pipe = line.cable.up
        chance = self.world.chance
        size = 1 + chance.below(40) if chance.happens(0.1) else 1 << 16
        data = pipe.read(size)
        if data:
            self.world.trace(self, "reads", data)
            self.host.receive(line, data, now)
        if pipe.has_more:
            self._ready[line] = None
        elif pipe.ended:
            self.host.ended(line)

    def _after_turn(self) -> None:
        self._keep()
        self._turns += 1
        if self._turns % self.world.audit_every == 0:
            audit(self.host.engine)
        deadline = self.host.engine.deadline
        if deadline is not None:
            at = max(self.world.clock.now + TICK, deadline)
            if self._tick_at is None or at < self._tick_at:
                self._tick_at = at
                self.world.clock.at(at, self._tick, self.host, at)

    def _tick(self, host: Host, at: float) -> None:
        if host is not self.host or at != self._tick_at or not self._runs:
            return
        now = self.world.clock.now
        if now < self._stalled_until:
            self._tick_at = self._stalled_until
            self.world.clock.at(self._tick_at, self._tick, host, self._tick_at)
            return
        self._tick_at = None
        host.tick(now)
        self._after_turn()
        if host.deferred:
            self._wake()
