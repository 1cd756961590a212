"""All of the server's state on one page: connections, jobs, functions, queues, abilities.

Data without behaviour: what changes it is in `engine` (a job's life), `queues`, `uniques`,
`scheduler` and `outboxes`.
"""

from __future__ import annotations

import collections
from collections.abc import Callable, Iterator
from typing import Final, NoReturn

import msgspec

from gear_wire.enums import Precedence

AssignPacket = Callable[["ServerJob"], tuple[int, bytes]]
"""Returns how a job is given to a worker: the first eight bytes of the packet as a number, and its
arguments before the payload, with the NULs that end them."""


class Ability(msgspec.Struct):
    """A function that a worker registered.

    Attributes:
        function: The function.
        timeout: Seconds that its jobs may run; 0 for no limit.
    """

    function: Function
    timeout: float = 0.0


class Peer:
    """A connection: a client, a worker, or both. Gearman does not tell them apart.

    Args:
        host: Its address.
        port: Its port.
        descriptor: The number by which ``workers`` lists it.
        subject: Whom its TLS certificate names; None without one.

    Attributes:
        client_id: How it introduced itself.
        exceptions: Whether it wants to hear of exceptions.
        sleeping: Whether it waits for a NOOP.
        pending_grab: How to send it the job that it asked for; None while it waits for none.
        notified_for: The function for whose jobs it was sent a NOOP; None once it asked for one.
        abilities: What it can do, by function name, in the order in which its turn comes.
        absent: The functions whose list of sleepers it has left, see `Scheduler.sleep`.
        submitted: The jobs whose end it waits for, by handle.
        assigned: The jobs it works on, by handle.
        last_exception_handle: The job whose end by WORK_EXCEPTION it told last.
        outbox: What is to be sent to it.
        bulky: Whether a part of that is large.
        needs_flush: Whether its outbox is sent at the end of this turn.
        deferred: Whether its outbox may wait for a later turn, and nothing in it is urgent.
        closing: Whether it is to be disconnected once its outbox is sent.
    """

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
        self.submitted: dict[bytes, ServerJob] = {}
        self.assigned: dict[bytes, ServerJob] = {}
        self.last_exception_handle: bytes = b""
        self.outbox: list[bytes] = []
        self.bulky: bool = False
        self.needs_flush: bool = False
        self.deferred: bool = False
        self.closing: bool = False

    def __repr__(self) -> str:
        name = self.client_id.decode(errors="replace")
        kind = type(self).__name__
        return f"<gear.{kind} 0x{id(self):x} name: {name} host: {self.host} port: {self.port}>"


class _NoClients(dict[Peer, int]):
    """Shared, immutable `clients` of jobs without clients; saves a dict per job."""

    def _refuse(self, *args: object, **more: object) -> NoReturn:
        raise TypeError("these are all jobs' clients: give the job a dict of its own")

    __setitem__ = setdefault = update = __ior__ = _refuse


_NO_CLIENTS: Final[dict[Peer, int]] = _NoClients()


class ServerJob(msgspec.Struct, eq=False, dict=True, weakref=True):
    """A job that a server has: an open class, whose own attributes cost little time and memory.

    Attributes:
        handle: The job handle: a name, and nothing but a name.
        sequence: Its place among all jobs: that of its coming, or of its last return.
        function: The function to run.
        unique: The job's unique; None when it has none.
        arguments: The data for it.
        precedence: Its precedence.
        background: Whether it runs even if nobody waits for its end.
        clients: The connections that wait for its end, with how many submissions of each do.
        reducer: The function that combines its parts; None when there is none.
        when: When it may run, in seconds since 1970; 0 for at once.
        retries: How often it was given to a worker and came back.
        numerator: How far it has come, as the worker's bytes.
        denominator: Of how much, as the worker's bytes.
        holder: The connection that works on it; None while none does.
        queue: Where it is queued; None while it is not.
        previous: The job before it in its queue.
        next: The job after it in its queue.
        elder: The next newest job with the same unique, of another function.
    """

    handle: bytes
    sequence: int
    function: Function
    unique: bytes | None
    arguments: bytes
    precedence: Precedence
    background: bool
    clients: dict[Peer, int] = _NO_CLIENTS
    reducer: bytes | None = None
    when: int = 0
    retries: int = 0
    numerator: bytes = b"0"
    denominator: bytes = b"0"
    holder: Peer | None = None
    queue: JobQueue | None = None
    previous: ServerJob | None = None
    next: ServerJob | None = None
    elder: ServerJob | None = None

    @property
    def name(self) -> bytes:
        """The name of the function."""
        return self.function.name

    @property
    def client_connection(self) -> Peer | None:
        """The first connection that waits for its end; None when nobody does."""
        return next(iter(self.clients), None)

    @property
    def worker_connection(self) -> Peer | None:
        """The connection that works on it; assigning it, as servers made of 0.16's did, is void."""
        return self.holder

    @worker_connection.setter
    def worker_connection(self, connection: Peer | None) -> None:
        """Do nothing: the server knows who works on a job."""

    @property
    def running(self) -> bool:
        """Whether a worker has it; assigning it, as servers made of 0.16's did, is void."""
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
        """Whether anyone cares for its end: a client, or that it be done at all."""
        return self.background or bool(self.clients)

    def __repr__(self) -> str:
        return (
            f"<gear.ServerJob 0x{id(self):x} handle: {self.handle!r} name: {self.name!r} "
            f"unique: {self.unique!r}>"
        )


class JobQueue:
    """Jobs in the order of their coming, linked one to the next: any can leave at no cost.

    `Queues` links them, so that a job is queued and taken out in one call each.
    """

    __slots__ = ("count", "first", "last")

    def __init__(self) -> None:
        self.first: ServerJob | None = None
        self.last: ServerJob | None = None
        self.count: int = 0

    def __iter__(self) -> Iterator[ServerJob]:
        """Walk the jobs; the one at hand may be removed."""
        job = self.first
        while job is not None:
            after = job.next
            yield job
            job = after


class Function:
    """A function, its queued jobs and the workers that can do it.

    Attributes:
        name: The function's name.
        queues: The queued jobs by precedence.
        total: Its jobs: queued, running, and not yet due.
        running: Its jobs that workers have.
        workers: How often it was registered.
        sleepers: Workers that may wait for a NOOP, longest first; see `Scheduler.sleep`.
        workloads: Its jobs of unique ``-``, which are one when their arguments are the same.
        limits: How many jobs it may have, by precedence of the next; None for no limit.
        recheck_scheduled: Whether a recheck of its sleepers is scheduled.
        notified: Workers that were sent a NOOP for its jobs and have not asked for one since.
    """

    __slots__ = (
        "limits",
        "name",
        "notified",
        "queues",
        "recheck_scheduled",
        "running",
        "sleepers",
        "total",
        "workers",
        "workloads",
    )

    def __init__(self, name: bytes) -> None:
        self.name: bytes = name
        self.queues: tuple[JobQueue, ...] = tuple(JobQueue() for _ in Precedence)
        self.total: int = 0
        self.running: int = 0
        self.workers: int = 0
        self.sleepers: collections.OrderedDict[Peer, None] = collections.OrderedDict()
        self.workloads: dict[bytes, ServerJob] = {}
        self.limits: tuple[int, ...] | None = None
        self.recheck_scheduled: bool = False
        self.notified: set[Peer] = set()

    def queued(self) -> int:
        """Return how many jobs are queued."""
        high, normal, low = self.queues
        return high.count + normal.count + low.count

    def heads(self) -> Iterator[ServerJob]:
        """Give the job that has waited longest, of each precedence that has one."""
        return (queue.first for queue in self.queues if queue.first is not None)

    def full(self, precedence: Precedence) -> bool:
        """Tell whether one more job of a precedence is too many."""
        if self.limits is None:
            return False
        limit = self.limits[precedence]
        return 0 < limit <= self.total
