"""Clients and workers on bare sockets: as many jobs a second as one process can make and do."""

import asyncio
import random
import time
from collections import Counter, deque
from collections.abc import Callable
from typing import Final, cast

from gear_wire.codec import encode
from gear_wire.enums import PacketType
from gear_wire.framing import HEADER, REQUEST_MAGIC, Frame, FrameReader
from gear_wire.packets import CanDo, CanDoTimeout, GrabJobUniq, OptionReq, PreSleep, ResetAbilities
from gear_wire.types import FunctionName

HOST: Final = "127.0.0.1"
WINDOW: Final = 64
"""Jobs that a client has under way at once."""
LIFE: Final = (1000, 4000)
"""Jobs after which a connection is cut."""
FUNCTIONS: Final = (FunctionName(b"plain"), FunctionName(b"timed"))
TIMEOUT: Final = b"3600000"
"""Milliseconds, in which no job of the second function runs out of time."""
KINDS: Final = (b"plain",) * 16 + (b"talk", b"talk", b"fail", b"raise")
FOREGROUND: Final = (PacketType.SUBMIT_JOB, PacketType.SUBMIT_JOB_HIGH, PacketType.SUBMIT_JOB_LOW)
BACKGROUND: Final = (
    PacketType.SUBMIT_JOB_BG,
    PacketType.SUBMIT_JOB_HIGH_BG,
    PacketType.SUBMIT_JOB_LOW_BG,
)
_GRAB: Final = encode(GrabJobUniq())
_SLEEP: Final = encode(PreSleep())
_ABILITIES: Final = encode(CanDo(FUNCTIONS[0])) + encode(CanDoTimeout(FUNCTIONS[1], TIMEOUT))


def request(ptype: PacketType, *arguments: bytes) -> bytes:
    """Return a packet's bytes."""
    body = b"\0".join(arguments)
    return HEADER.pack(REQUEST_MAGIC << 32 | ptype, len(body)) + body


class Tally:
    """What became of the jobs of one round.

    Attributes:
        counts: How many jobs there were, and of what sort.
        taken: The background jobs that the server took.
        ran: The background jobs that a worker had.
        wrong: What must not happen, in words.
    """

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.taken: set[bytes] = set()
        self.ran: set[bytes] = set()
        self.wrong: list[str] = []

    def check(self) -> None:
        """See that every job is accounted for."""
        assert not self.wrong, self.wrong[:5]
        ended = self.counts["ended"] + self.counts["lost"]
        assert ended == self.counts["foreground"], dict(self.counts)
        left = self.taken - self.ran
        assert not left, f"{len(left)} jobs were taken, but never run"


class Raw(asyncio.Protocol):
    """One connection.

    Args:
        chance: Settles what it does.

    Attributes:
        tally: Where all is noted.
        gone: Set when the connection is lost.
        rules: What to do for each packet.
    """

    transport: asyncio.Transport
    rules: dict[int, Callable[[bytes], None]]

    def __init__(self, tally: Tally, chance: random.Random) -> None:
        self.tally = tally
        self.gone = asyncio.Event()
        self._chance = chance
        self._reader = FrameReader()
        self._outbox: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports have the methods of asyncio.Transport, but not its class.
        self.transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self.gone.set()

    def data_received(self, data: bytes) -> None:
        for event in self._reader.feed(data):
            if isinstance(event, Frame) and event.type in self.rules:
                self.rules[event.type](event.body)
            else:
                self.tally.wrong.append(f"{type(self).__name__} heard {event!r}")
        self.flush()

    def say(self, data: bytes) -> None:
        self._outbox.append(data)

    def flush(self) -> None:
        """Send what was said since the last time."""
        if self._outbox:
            self.transport.write(b"".join(self._outbox))
            self._outbox.clear()


class RawClient(Raw):
    """A client that always has a number of jobs under way.

    Args:
        name: What its jobs' arguments begin with, after their kind.
    """

    def __init__(self, tally: Tally, chance: random.Random, name: bytes) -> None:
        super().__init__(tally, chance)
        self._name = name
        self._number = 0
        self._left = 0
        self._cut = False
        self._done = asyncio.Event()
        self._unanswered: deque[tuple[bytes, bool]] = deque()
        self._waiting: dict[bytes, list[bytes]] = {}
        self._under_way = 0
        self.rules = {
            PacketType.JOB_CREATED: self._created,
            PacketType.WORK_COMPLETE: self._complete,
            PacketType.WORK_FAIL: self._fail,
            PacketType.WORK_EXCEPTION: self._exception,
            PacketType.WORK_DATA: self._ignore,
            PacketType.WORK_STATUS: self._ignore,
            PacketType.STATUS_RES: self._ignore,
            PacketType.STATUS_RES_UNIQUE: self._ignore,
            PacketType.OPTION_RES: self._ignore,
        }

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.transport.write(encode(OptionReq(b"exceptions")))

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        waiting = sum(len(jobs) for jobs in self._waiting.values())
        unanswered = sum(not background for _, background in self._unanswered)
        self.tally.counts["lost"] += waiting + unanswered
        self._done.set()

    async def submit(self, number: int, cut: bool = False) -> None:
        """Submit jobs and wait until all have ended; or cut the connection with some under way."""
        assert not self.gone.is_set(), f"the connection of {self._name!r} was lost"
        self._left += number
        self._cut = cut
        self._done.clear()
        self._fill()
        await self._done.wait()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._fill()

    def _fill(self) -> None:
        while self._left and self._under_way < WINDOW:
            self._submit_one()
        self.flush()
        if not self._left and self._cut:
            self.transport.abort()
        elif not self._left and not self._under_way:
            self._done.set()

    def _submit_one(self) -> None:
        self._left -= 1
        self._number += 1
        self._under_way += 1
        chance = self._chance.random()
        kind = KINDS[int(chance * 1e6) % len(KINDS)]
        arguments = b"%b %b %d" % (kind, self._name, self._number)
        unique = b"" if chance > 0.2 else arguments
        background = 0.2 < chance < 0.4
        ptype = (BACKGROUND if background else FOREGROUND)[self._number % 3]
        packet = request(ptype, FUNCTIONS[self._number % 2], unique, arguments)
        if 0.2 < chance < 0.22:
            due = b"%d" % (time.time() + 1)
            packet = request(PacketType.SUBMIT_JOB_EPOCH, FUNCTIONS[0], unique, due, arguments)
        self._expect(packet, arguments, background)
        if chance < 0.05 and self._left:
            self._left -= 1
            self._under_way += 1
            self._expect(packet, arguments, background)
            self.say(request(PacketType.GET_STATUS_UNIQUE, unique))

    def _expect(self, packet: bytes, arguments: bytes, background: bool) -> None:
        self.say(packet)
        self._unanswered.append((arguments, background))
        self.tally.counts["jobs"] += 1
        self.tally.counts["foreground"] += not background

    def _created(self, handle: bytes) -> None:
        arguments, background = self._unanswered.popleft()
        if background:
            self._under_way -= 1
            self.tally.taken.add(arguments)
        else:
            self._waiting.setdefault(handle, []).append(arguments)

    def _complete(self, body: bytes) -> None:
        handle, _, data = body.partition(b"\0")
        arguments = self._end(handle)
        if data != arguments[::-1] or arguments.startswith((b"fail", b"raise")):
            self.tally.wrong.append(f"{arguments!r} came to {data!r}")

    def _fail(self, handle: bytes) -> None:
        arguments = self._end(handle)
        if not arguments.startswith(b"fail"):
            self.tally.wrong.append(f"{arguments!r} failed")

    def _exception(self, body: bytes) -> None:
        handle, _, data = body.partition(b"\0")
        arguments = self._end(handle)
        if data != arguments or not arguments.startswith(b"raise"):
            self.tally.wrong.append(f"{arguments!r} raised {data!r}")

    def _end(self, handle: bytes) -> bytes:
        jobs = self._waiting.get(handle)
        if not jobs:
            self.tally.wrong.append(f"an end of {handle!r}, which is not under way")
            return b""
        if len(jobs) == 1:
            del self._waiting[handle]
        self._under_way -= 1
        self.tally.counts["ended"] += 1
        return jobs.pop()

    def _ignore(self, body: bytes) -> None:
        """Hear news that are not checked here."""


class RawWorker(Raw):
    """A worker that does one job after the other.

    Args:
        life: The jobs after which it cuts its connection, with one more in hand; None for never.
    """

    def __init__(self, tally: Tally, chance: random.Random, life: int | None) -> None:
        super().__init__(tally, chance)
        self._life = life
        self._jobs = 0
        self.rules = {
            PacketType.JOB_ASSIGN_UNIQ: self._work,
            PacketType.NO_JOB: lambda body: self.say(_SLEEP),
            PacketType.NOOP: lambda body: self.say(_GRAB),
        }

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.transport.write(_ABILITIES + _GRAB)

    def _work(self, body: bytes) -> None:
        handle, _, unique, arguments = body.split(b"\0", 3)
        self._jobs += 1
        if self._jobs == self._life:
            self.transport.abort()
            return
        if unique not in (b"", arguments):
            self.tally.wrong.append(f"{arguments!r} came with unique {unique!r}")
        if self._chance.random() < 0.0005:
            # The server takes the job back, for itself or for another.
            self.say(encode(ResetAbilities()) + _ABILITIES + _GRAB)
            return
        self.tally.ran.add(arguments)
        self._finish(handle, arguments)
        self.say(_GRAB)

    def _finish(self, handle: bytes, arguments: bytes) -> None:
        if arguments.startswith(b"talk"):
            self.say(request(PacketType.WORK_STATUS, handle, b"1", b"2"))
            self.say(request(PacketType.WORK_DATA, handle, b"a part"))
        if arguments.startswith(b"fail"):
            self.say(request(PacketType.WORK_FAIL, handle))
        elif arguments.startswith(b"raise"):
            self.say(request(PacketType.WORK_EXCEPTION, handle, arguments))
        else:
            self.say(request(PacketType.WORK_COMPLETE, handle, arguments[::-1]))
