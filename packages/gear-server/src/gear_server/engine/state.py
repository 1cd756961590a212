"""All of the server's state on one page: connections, jobs, functions, queues, abilities.

Data without behaviour: what changes it is in `engine` (a job's life), `queues`, `uniques`,
`scheduler` and `outboxes`.
"""

from __future__ import annotations

import collections
import sys
from collections.abc import Callable, Iterable, Iterator, MutableSequence
from typing import Final, NoReturn

import msgspec

from gear_server.engine.tally import Tally
from gear_wire.enums import Precedence
from gear_wire.escape import escaped, quoted
from gear_wire.framing import Event

NO_LIMIT: Final = sys.maxsize
"""More jobs than any function can have."""

AssignPacket = Callable[["ServerJob"], tuple[int, bytes]]
"""Returns the packet that assigns a job, without its payload: the first eight bytes as a number,
and the arguments with the NULs that end them."""


Outbox = MutableSequence[bytes]
"""A list, but not called so: compiled code would not call the methods of one that is derived."""


class _Nowhere(list[bytes]):
    """The outbox of connections that are lost or cut off: it keeps nothing."""

    def append(self, data: bytes) -> None:
        """Do nothing."""

    def extend(self, data: Iterable[bytes]) -> None:
        """Do nothing."""


NOWHERE: Final[Outbox] = _Nowhere()
BOUNDLESS: Final = sys.maxsize


class Ability(msgspec.Struct):
    """A function that a worker registered.

    Attributes:
        function: The function.
        timeout: Seconds for which its jobs may run; 0 for no limit.
    """

    function: Function
    timeout: float = 0.0


class Search:
    """Where a worker of many functions stands in its search for jobs of one precedence.

    Attributes:
        found: Those of its functions that had jobs, in the order of their turns.
        seen: The last of `Queues.changes` that it knows of.
    """

    __slots__ = ("found", "seen")

    def __init__(self) -> None:
        self.found: collections.OrderedDict[Function, None] = collections.OrderedDict()
        self.seen: int = 0


class LongAnswer:
    """An answer that is made in slices; nothing else may be sent to its connection in between.

    Attributes:
        slices: The rest of it.
        place: The list that gathers it.
        after: The list that gathers what follows it.
    """

    __slots__ = ("after", "place", "slices")

    def __init__(self, slices: Iterator[bytes], place: Outbox) -> None:
        self.slices: Iterator[bytes] = slices
        self.place: Outbox = place
        self.after: list[bytes] = []


class Peer:
    """A connection: a client, a worker, or both; Gearman does not distinguish them.

    Args:
        host: Its address.
        port: Its port.
        descriptor: The number by which ``workers`` lists it.
        subject: The subject of its TLS certificate; None without one.

    Attributes:
        client_id: The ID that it has set.
        exceptions: Whether it is sent WORK_EXCEPTION, rather than WORK_FAIL.
        sleeping: Whether it waits for a NOOP.
        pending_grab: Makes the packet for the job that it asks for; None unless it asks for one.
        notified_for: The function for whose jobs it was sent a NOOP; None once it asks for one.
        abilities: The functions that it registered, by name, in the order of their turns.
        absent: The functions whose lists of sleepers it is not on, see `Scheduler.fall_asleep`.
        searches: What it found among many functions, by precedence; see `Queues.choose`.
        submitted: The jobs that it waits for, by handle.
        assigned: The jobs that it works on, by handle.
        last_exception_handle: The last job that it ended by WORK_EXCEPTION.
        unknown_commands: The number of unknown text commands since the last known one.
        outbox: What to send to it, or what follows a long answer, or one that waits for the store;
            `NOWHERE` once it is lost or cut off.
        sendable: What may be sent now: the outbox itself, unless it is `held`.
        room: Bytes that may still be queued for it; see `Outboxes`.
        held_size: Bytes that are held, as far as they are counted.
        counted: How many parts of an outbox that is held are counted.
        bulky: Whether a part of that is large.
        needs_flush: Whether its outbox is sent at the end of this turn.
        deferred: Whether its outbox may wait for a later turn.
        closing: Whether it is to be disconnected once its outbox is sent.
        halted: Whether what it asks for may have to wait: it is closing, too much is unsent, or a
            long answer to it has begun.
        backlog: The messages of it that wait for that.
        answer: That answer, as far as it is not made yet; None if there is none.
    """

    # An object of more than thirty attributes is slow in CPython, unless it has slots.
    __slots__ = (
        "__weakref__",
        "abilities",
        "absent",
        "answer",
        "assigned",
        "backlog",
        "bulky",
        "client_id",
        "closing",
        "counted",
        "deferred",
        "descriptor",
        "exceptions",
        "halted",
        "held_size",
        "host",
        "last_exception_handle",
        "needs_flush",
        "notified_for",
        "outbox",
        "pending_grab",
        "port",
        "room",
        "searches",
        "sendable",
        "sleeping",
        "subject",
        "submitted",
        "unknown_commands",
    )

    def __init__(
        self, host: str = "-", port: int = 0, descriptor: int = 0, subject: str | None = None
    ) -> None:
        self.host: str = host
        self.port: int = port
        self.descriptor: int = descriptor
        self.subject: str | None = subject
        self.client_id: bytes = b"-"
        self.exceptions: bool = False
        self.sleeping: bool = False
        self.pending_grab: AssignPacket | None = None
        self.notified_for: Function | None = None
        self.abilities: collections.OrderedDict[bytes, Ability] = collections.OrderedDict()
        self.absent: set[Function] = set()
        self.searches: dict[Precedence, Search] = {}
        self.submitted: dict[bytes, ServerJob] = {}
        self.assigned: dict[bytes, ServerJob] = {}
        self.last_exception_handle: bytes = b""
        self.unknown_commands: int = 0
        self.outbox: Outbox = []
        self.sendable: Outbox = self.outbox
        self.bulky: bool = False
        self.needs_flush: bool = False
        self.deferred: bool = False
        self.closing: bool = False
        self.room: int = BOUNDLESS
        self.held_size: int = 0
        self.counted: int = 0
        self.halted: bool = False
        self.backlog: list[Event] = []
        self.answer: LongAnswer | None = None

    @property
    def held(self) -> bool:
        """Whether what is queued for it waits for the store, or for the end of a long answer."""
        return self.outbox is not self.sendable

    def __repr__(self) -> str:
        name = escaped(self.client_id)
        kind = type(self).__name__
        return f"<gear.{kind} 0x{id(self):x} name: {name} host: {self.host} port: {self.port}>"


class _NoClients(dict[Peer, int]):
    """Shared, immutable `clients` of jobs without clients; saves a dict per job."""

    def _refuse(self, *args: object, **more: object) -> NoReturn:
        raise TypeError("these are all jobs' clients: give the job a dict of its own")

    __setitem__ = setdefault = update = __ior__ = _refuse


_NO_CLIENTS: Final[dict[Peer, int]] = _NoClients()


class ServerJob(msgspec.Struct, eq=False, dict=True, weakref=True):
    """A job on a server. Subclasses of `Server` may give it attributes of their own.

    Attributes:
        handle: The job handle: a name, and nothing but a name.
        function: The function to run.
        unique: The job's unique; None if it has none.
        arguments: The data for it.
        precedence: Its precedence.
        background: Whether it runs even if no client waits for it.
        clients: The connections that wait for it, with their numbers of submissions.
        subjects: Who has submitted it, if there is an access control list.
        reducer: The function that combines its parts; None if there is none.
        when: When it may run, in seconds since 1970; 0 for at once.
        retries: How often it was taken from a worker that was lost or too slow.
        queued_at: When it could first be given to a worker, on the monotonic clock.
        started_at: When it was last given to a worker, on that clock, or was taken back from one;
            0 before.
        numerator: Its progress, as the worker's bytes.
        denominator: The total of which that is a part, as the worker's bytes.
        holder: The connection that works on it; None unless it is running.
        queue: The queue that it is in; None unless it is queued.
        previous: The job before it in its queue.
        next: The job after it in its queue.
    """

    handle: bytes
    function: Function
    unique: bytes | None
    arguments: bytes
    precedence: Precedence
    background: bool
    clients: dict[Peer, int] = _NO_CLIENTS
    subjects: tuple[str, ...] = ()
    reducer: bytes | None = None
    when: int = 0
    retries: int = 0
    queued_at: float = 0.0
    started_at: float = 0.0
    numerator: bytes = b"0"
    denominator: bytes = b"0"
    holder: Peer | None = None
    queue: JobQueue | None = None
    previous: ServerJob | None = None
    next: ServerJob | None = None

    @property
    def name(self) -> bytes:
        """The name of the function."""
        return self.function.name

    @property
    def client_connection(self) -> Peer | None:
        """The first connection that waits for it; None if none does."""
        return next(iter(self.clients), None)

    @property
    def worker_connection(self) -> Peer | None:
        """The connection that works on it; setting it, as subclasses of 0.16 did, has no effect."""
        return self.holder

    @worker_connection.setter
    def worker_connection(self, connection: Peer | None) -> None:
        """Do nothing: the server knows who works on a job."""

    @property
    def running(self) -> bool:
        """Whether a worker has it; setting it, as subclasses of 0.16 did, has no effect."""
        return self.holder is not None

    @running.setter
    def running(self, running: bool) -> None:
        """Do nothing: the server knows which jobs run."""

    binary_name = name

    @property
    def binary_arguments(self) -> bytes:
        """The data, as it was sent."""
        return self.arguments

    @property
    def binary_unique(self) -> bytes | None:
        """The unique, as it was sent."""
        return self.unique

    @property
    def has_owner(self) -> bool:
        """Whether it is still to be done: for a client, or in the background."""
        return self.background or bool(self.clients)

    def __repr__(self) -> str:
        return (
            f"<gear.ServerJob 0x{id(self):x} handle: {self.handle!r} name: {quoted(self.name)} "
            f"unique: {quoted(self.unique)}>"
        )


class JobQueue:
    """A linked list of jobs, oldest first: any can leave at no cost.

    `Queues` links them, so that a job is queued and taken out in one call each.

    Attributes:
        first: The oldest job.
        last: The newest job.
        count: The number of jobs.
        mark: The newest of the jobs that were there at the last look at the function's sleepers.
    """

    __slots__ = ("count", "first", "last", "mark")

    def __init__(self) -> None:
        self.first: ServerJob | None = None
        self.last: ServerJob | None = None
        self.count: int = 0
        self.mark: ServerJob | None = None

    def __iter__(self) -> Iterator[ServerJob]:
        """Iterate over the jobs; the current one may be removed."""
        job = self.first
        while job is not None:
            after = job.next
            yield job
            job = after


class Function:
    """A function, its queued jobs and its workers.

    Attributes:
        name: The function's name.
        queues: The queued jobs by precedence.
        total: The number of its jobs: queued, running, or not yet due.
        running: The number of its running jobs.
        aside: The number of its jobs that are set aside; see `Queues.set_aside`.
        tally: What has happened to its jobs.
        workers: The number of workers that have registered it.
        sleepers: Workers that may be asleep, longest first; see `Scheduler.fall_asleep`.
        workloads: Its jobs with unique ``-``, by arguments.
        kept: Whether it stays without jobs and workers: it was created or limited by a command.
        limits: The maximum of `total` for a new job, by its precedence; None for the server's.
        logged: Whether its jobs are logged; see `JobLog`.
        ceiling: Below this `total`, no new job is over a limit.
        timeout: Seconds for which its jobs may run at most; 0 for no limit.
        timed: Whether that or one of its workers has ever limited the time of its jobs.
        recheck_scheduled: Whether a recheck of its sleepers is scheduled.
        notified: Workers that were sent a NOOP for its jobs and have not asked for one yet.
    """

    __slots__ = (
        "aside",
        "ceiling",
        "kept",
        "limits",
        "logged",
        "name",
        "notified",
        "queues",
        "recheck_scheduled",
        "running",
        "sleepers",
        "tally",
        "timed",
        "timeout",
        "total",
        "workers",
        "workloads",
    )

    def __init__(self, name: bytes, ceiling: int = NO_LIMIT, timeout: float = 0.0) -> None:
        self.name: bytes = name
        self.queues: tuple[JobQueue, ...] = tuple(JobQueue() for _ in Precedence)
        self.total: int = 0
        self.running: int = 0
        self.aside: int = 0
        self.tally: Tally = Tally()
        self.workers: int = 0
        self.sleepers: collections.OrderedDict[Peer, None] = collections.OrderedDict()
        self.workloads: dict[bytes, ServerJob] = {}
        self.kept: bool = False
        self.limits: tuple[int, ...] | None = None
        self.logged: bool = False
        self.ceiling: int = ceiling
        self.timeout: float = timeout
        self.timed: bool = timeout > 0
        self.recheck_scheduled: bool = False
        self.notified: set[Peer] = set()

    def queued(self) -> int:
        """Return how many jobs are queued."""
        high, normal, low = self.queues
        return high.count + normal.count + low.count

    def asleep(self) -> int:
        """Return how many of its workers sleep; walks `sleepers`."""
        return sum(peer.sleeping for peer in self.sleepers)

    @property
    def scheduled(self) -> int:
        """How many jobs are for later."""
        return self.total - self.running - self.aside - self.queued()

    @property
    def submitted(self) -> int:
        """How many jobs were accepted, not counting submissions that joined one."""
        return self.total + self.tally.ended - self.tally.restored

    def waiting_since(self) -> float | None:
        """Return when the first of its queued jobs was queued; None if there is none."""
        first = (queue.first for queue in self.queues)
        return min((job.queued_at for job in first if job is not None), default=None)

    def mark(self) -> None:
        """Remember which jobs are queued now, for `marked`."""
        for queue in self.queues:
            queue.mark = queue.last

    def marked(self) -> bool:
        """Return whether one of the jobs that were queued at the last `mark` still is."""
        return any(queue.mark is not None for queue in self.queues)

    def full(self, precedence: Precedence) -> bool:
        """Return whether a new job of a precedence would exceed the limit."""
        limit = self.ceiling if self.limits is None else self.limits[precedence]
        return 0 < limit <= self.total

    def limit(self, limits: tuple[int, ...]) -> None:
        """Set the maximum of `total` for a new job, by its precedence; 0 for no limit."""
        self.kept = True
        self.limits = limits
        self.ceiling = min((limit for limit in limits if limit > 0), default=NO_LIMIT)

    def limit_time(self, seconds: float) -> None:
        """Limit the time for which its jobs may run; 0 for no limit."""
        self.timeout = seconds
        self.timed = True

    @property
    def idle(self) -> bool:
        """Whether nothing would be lost with it."""
        return not (self.total or self.workers or self.kept)
