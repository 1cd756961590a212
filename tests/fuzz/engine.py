"""What any bytes of several peers may do to an engine, in any order, with ticks and losses."""

import functools
import sys
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING, Final

from gear_server.engine.commands import text_rules
from gear_server.engine.engine import Engine
from gear_server.engine.identity import Identity
from gear_server.engine.ledger import RETRY_DELAY
from gear_server.engine.rules import packet_rules
from gear_server.queue.store import StoreError
from gear_server.settings import UNLIMITED, ServerSettings
from gear_wire.codec import decode
from gear_wire.enums import Magic
from gear_wire.framing import HEADER, Frame, FrameReader, Malformed
from gear_wire.table import frame_key
from support.engine_audit import audit
from support.engine_host import Host, Line
from support.memory_store import MemoryStore, PureKeeper

if TYPE_CHECKING:
    from _typeshed import TraceFunction

PEERS: Final = 4
KINDS: Final = 8
MORE: Final = 192
"""Steps from this number on are followed by another one in the same turn."""
TURN: Final = 4000
"""Bytes that one peer may be sent in one turn, unless they are a table."""
DURABLE: Final = 128
"""The first byte of an input from which on the engine has a store."""
TIMES: Final = [0.001, 0.05, 0.1, 1.0, 5.0]
MOST_LINES: Final = 6000
"""Lines of Python that a step may run: a slice of an answer, a clean-up or what a peer sent."""
SETTINGS: Final = [
    ServerSettings(
        job_retries=UNLIMITED, cancel_running=True, tell_cancelled=True, max_send_queue=3000,
        max_packet_size=2000, max_line_size=120, max_name_size=40, max_jobs=30, max_queue=20,
        max_memory=20_000, max_functions=12, max_functions_per_worker=6, max_registrations=15,
    ),
    ServerSettings(
        job_retries=2, worker_wakeup=0, exceptions=True, job_timeout=1.0, max_packet_size=2000,
    ),
    ServerSettings(max_packet_size=2000),
]  # fmt: skip
BODIES: Final = [
    b"f", b"g", b"f\0\0x", b"f\0u\0x", b"g\0u\0y", b"f\0-\0x", b"f\0u\x001\0later", b"f\x001500",
    b"f\0\0r\x000\0x", b"H:1", b"H:2", b"H:3", b"H:1\0x", b"H:2\0y", b"H:3\0z", b"H:1\x001\x002",
    b"", b"exceptions", b"me", b"f\0u\x0099\0later",
]  # fmt: skip
LINES: Final = [
    b"status\n", b"prioritystatus\n", b"workers\n", b"show jobs\n", b"show unique jobs\n",
    b"cancel job H:1\n", b"cancel job H:2\n", b"create function c\n", b"drop function c\n",
    b"drop function f\n", b"maxqueue f 2\n", b"maxqueue f 3 2 1\n", b"jobtimeout g 1\n",
    b"joblog f on\n", b"joblog * on\n", b"joblog g off\n", b"joblog f* off\n",
    b"show functions\n",
    b"show counters\n",
    b"version\n", b"verbose\n", b"getpid\n",
]  # fmt: skip


class Input:
    """The bytes that decide what happens; zeros when there are no more."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0

    def __bool__(self) -> bool:
        return self._position < len(self._data)

    def take(self, size: int) -> bytes:
        taken = self._data[self._position : self._position + size]
        self._position += size
        return taken

    def number(self) -> int:
        return int.from_bytes(self.take(1))


class FuzzLine(Line):
    """A connection whose far end reads, or does not, and must understand what it reads."""

    def __init__(self, descriptor: int, settings: ServerSettings) -> None:
        super().__init__(descriptor, settings)
        self.reads = True
        self.open = True
        self._unsent = 0
        self._limit = settings.max_send_queue + settings.max_packet_size + 2 * TURN
        self._far = FrameReader(max_line_size=None)

    @property
    def unsent(self) -> int:
        return self._unsent

    def write(self, data: bytes) -> None:
        assert self.open, "more is sent over a connection that was closed"
        if not self.reads:
            self._unsent += len(data)
            assert self._unsent <= self._limit or len(data) > TURN, "more is sent than may wait"
        for event in self._far.feed(data):
            assert not isinstance(event, Malformed), event
            if isinstance(event, Frame):
                assert event.magic is Magic.RES
                decode(event)

    def close(self) -> None:
        self.open = False

    def abort(self) -> None:
        self.open = False

    def read(self) -> None:
        """Read all that was sent."""
        self._unsent = 0


class EngineRun:
    """An engine, its peers and its time, moved by the bytes of an input.

    Args:
        settings: The settings of the engine.
        durable: Whether it has a store, whose writes are done when time passes.
    """

    def __init__(self, settings: ServerSettings, durable: bool) -> None:
        self.now = 1000.0
        self.wall = 10.0
        self.engine = Engine(
            settings,
            packet_rules(),
            text_rules(),
            identity=Identity(handle_prefix=b"H"),
            wall_clock=lambda: self.wall,
        )
        self.engine.queues.short = 2
        self.store = MemoryStore()
        self.keeper = PureKeeper(self.engine, self.store) if durable else None
        self.host = Host(self.engine)
        self._descriptors = 0
        self.lines = [self._connect() for _ in range(PEERS)]

    def _connect(self) -> FuzzLine:
        self._descriptors += 1
        line = FuzzLine(self._descriptors, self.engine.settings)
        self.host.connect(line)
        return line

    def step(self, who: int, kind: int, source: Input) -> None:
        """Do what the next bytes of the input say."""
        match kind:
            case 0:  # any bytes
                self.send(who, source.take(source.number()))
            case 1 | 2 | 3:  # a packet, of a body that makes sense for some type
                key = frame_key(Magic.REQ, source.number() % 45)
                body = BODIES[source.number() % len(BODIES)]
                self.send(who, HEADER.pack(key, len(body)) + body)
            case 4:
                self.send(who, LINES[source.number() % len(LINES)])
            case 5:
                self.wait(TIMES[source.number() % len(TIMES)])
            case 6:
                change = source.number()
                if change % 4 == 0:
                    self.lose(who)
                elif change % 4 == 1:
                    self.wall += change - 128
                elif change % 8 == 6 and self.keeper is not None:
                    self.store.error = None if self.store.error else StoreError("disk full")
                else:
                    self.pause(who)
            case _:
                self.host.ended(self.lines[who])

    def send(self, who: int, data: bytes) -> None:
        line = self.lines[who]
        if not line.paused:
            self.host.receive(line, data, self.now)

    def end_turn(self) -> None:
        self.host.end_turn(self.now)
        if self.keeper is not None and self.keeper.batch is None:
            self.keeper.take(self.now)
        for who, line in enumerate(self.lines):
            if not line.open:
                self.lose(who)

    def lose(self, who: int) -> None:
        self.host.lost(self.lines[who], self.now)
        self.lines[who] = self._connect()

    def pause(self, who: int) -> None:
        """Have a peer read no more, or go on."""
        line = self.lines[who]
        line.reads = not line.reads
        if line.reads:
            line.read()
            if line.congested:
                self.host.resumed(line)

    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.wall += seconds
        if self.keeper is not None and self.keeper.batch is not None:
            self.keeper.finish(self.now)
        self.host.tick(self.now)

    def settle(self) -> None:
        """Lose all, and see that nothing is left of them but background jobs and functions."""
        for line in self.lines:
            self.host.lost(line, self.now)
        for _ in range(1000):
            if not self.host.deferred:
                break
            self.host.end_turn(self.now)
        if self.keeper is not None:
            self._write_all(self.keeper)
        audit(self.engine)
        assert not self.engine.peers
        assert not self.engine.running
        assert all(job.background for job in self.engine.jobs.values())

    def _write_all(self, keeper: PureKeeper) -> None:
        """See that the store keeps what is there once all is written."""
        self.store.error = None
        for _ in range(3):
            if keeper.batch is None:
                keeper.take(self.now)
            self.wait(RETRY_DELAY)
        kept = {job.handle for job in self.store.load()}
        assert kept == {handle for handle, job in self.engine.jobs.items() if job.background}


class Counter:
    """Counts lines of Python, while it is asked to.

    Attributes:
        most: The most that one call ran.
    """

    def __init__(self) -> None:
        self.most = 0
        self._lines = 0

    def __call__(self, call: Callable[[], object]) -> None:
        self._lines = 0
        before = sys.gettrace()
        sys.settrace(self._trace)
        try:
            call()
        finally:
            sys.settrace(before)
        self.most = max(self.most, self._lines)

    def _trace(self, frame: FrameType, event: str, arg: object) -> "TraceFunction | None":
        if event == "line":
            self._lines += 1
        return self._trace


def engine(data: bytes, counter: Counter | None = None) -> None:
    """The engine's state holds after each step, whatever comes.

    Each step is a byte that says what happens to whom, and what it takes of the bytes behind it.

    Args:
        data: The settings, then the steps.
        counter: Counts the lines of each step; None if nobody does.
    """
    source = Input(data)
    first = source.number()
    run = EngineRun(SETTINGS[first % len(SETTINGS)], durable=first >= DURABLE)
    while source:
        step = source.number()
        who, kind = step % PEERS, step // PEERS % KINDS
        _call(counter, functools.partial(run.step, who, kind, source))
        audit(run.engine)
        if step < MORE:
            _call(counter, run.end_turn)
            audit(run.engine)
    run.settle()


def _call(counter: Counter | None, call: Callable[[], object]) -> None:
    if counter is None:
        call()
    else:
        counter(call)
