"""Where jobs wait: a list per function and precedence; who takes them is in `engine`."""

from __future__ import annotations

import collections
from collections.abc import Iterator
from typing import Final

from gear_server.engine.jobs import ServerJob
from gear_server.engine.peers import Peer
from gear_wire.enums import Precedence

BY_PRECEDENCE: Final = (Precedence.HIGH, Precedence.NORMAL, Precedence.LOW)
"""The order in which jobs are handed out."""


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
        sleepers: Workers that may wait for a NOOP, longest first; see `Sleepers`.
        workloads: Its jobs of unique ``-``, which are one when their arguments are the same.
        limits: How many jobs it may have, by precedence of the next; None for no limit.
        checking: Whether a look at its sleepers is due.
        expected: Workers that were woken for its jobs and have not asked for one since.
    """

    __slots__ = (
        "checking",
        "expected",
        "limits",
        "name",
        "queues",
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
        self.checking: bool = False
        self.expected: set[Peer] = set()

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


class Queues:
    """All functions, and those of them that have jobs, in the order in which their turn comes.

    Attributes:
        functions: Every function by name.
        ready: The functions with queued jobs, by precedence.
        waiting: How many jobs are queued.
    """

    def __init__(self) -> None:
        self.functions: dict[bytes, Function] = {}
        self.ready: tuple[collections.OrderedDict[Function, None], ...] = tuple(
            collections.OrderedDict() for _ in Precedence
        )
        self.waiting: int = 0

    def function(self, name: bytes) -> Function:
        """Return a function, made when it is new."""
        function = self.functions.get(name)
        if function is None:
            function = self.functions[name] = Function(name)
        return function

    def append(self, job: ServerJob) -> None:
        """Queue a job behind all others of its function and precedence."""
        queue = job.function.queues[job.precedence]
        last = queue.last
        job.queue = queue
        job.previous = last
        if last is None:
            queue.first = job
            self.ready[job.precedence][job.function] = None
        else:
            last.next = job
        queue.last = job
        queue.count += 1
        self.waiting += 1

    def remove(self, job: ServerJob) -> None:
        """Take a queued job out."""
        queue = job.queue
        if queue is None:
            return
        before, after = job.previous, job.next
        if before is None:
            queue.first = after
        else:
            before.next = after
        if after is None:
            queue.last = before
        else:
            after.previous = before
        job.previous = job.next = job.queue = None
        queue.count -= 1
        self.waiting -= 1
        if queue.first is None:
            self.ready[job.precedence].pop(job.function, None)

    def choose(self, peer: Peer) -> ServerJob | None:
        """Return the job that is next for a worker.

        Precedence counts first, over all the worker's functions; then functions take turns; within
        one, the first comes first. Of the functions with jobs and the functions of the worker the
        fewer are looked through, so that neither many functions nor many queues cost much.
        """
        abilities = peer.abilities
        for precedence in BY_PRECEDENCE:
            ready = self.ready[precedence]
            if len(ready) <= len(abilities):
                for function in ready:
                    if function.name in abilities:
                        return function.queues[precedence].first
            else:
                for ability in abilities.values():
                    queue = ability.function.queues[precedence]
                    if queue.count:
                        return queue.first
        return None

    def served(self, job: ServerJob, peer: Peer) -> None:
        """Let other functions have their turn after this job's."""
        ready = self.ready[job.precedence]
        if job.function in ready:
            ready.move_to_end(job.function)
        if job.name in peer.abilities:
            peer.abilities.move_to_end(job.name)

    def of(self, precedence: Precedence) -> list[ServerJob]:
        """Return the queued jobs of a precedence in the order of their coming."""
        jobs = [job for function in self.ready[precedence] for job in function.queues[precedence]]
        return sorted(jobs, key=lambda job: job.requeued or job.number)
