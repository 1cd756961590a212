"""The numbers of a server and of its functions, under the names by which all show them.

The text command ``show counters``, statsd and the metrics for Prometheus read them here, so that
they agree; the API's rows of functions show the same, and more. There may be many functions and
workers: whoever reads all does so in `portions`, and lets jobs go on in between.
"""

import operator
from collections.abc import Iterable, Iterator
from typing import Final, Self

import msgspec

from gear_server.engine.engine import Engine
from gear_server.engine.state import Function
from gear_wire.enums import Precedence

PORTION: Final = 128
"""Functions whose numbers are read at once: some 500 microseconds."""
SLEEPERS: Final = 8192
"""Sleepers that are looked at in one portion, or those of one function."""
GAUGES: Final = (
    "queued_high", "queued_normal", "queued_low", "scheduled", "aside", "running", "workers",
    "asleep", "oldest_ms",
)  # fmt: skip
"""Those of a function's numbers that go up and down; the others only grow."""


class FunctionNumbers(msgspec.Struct, gc=False):
    """The numbers of one function, or of several together.

    Attributes:
        queued_high: Queued jobs of high precedence.
        queued_normal: Queued jobs of normal precedence.
        queued_low: Queued jobs of low precedence.
        scheduled: Jobs for later.
        aside: Stored jobs that are held back, since other servers may have taken them over.
        running: Jobs that workers have.
        workers: The workers that can do them.
        asleep: Those of them that sleep.
        oldest_ms: Milliseconds for which the oldest queued job has waited; 0 if there is none.
        submitted: Jobs accepted, not counting submissions that joined one.
        joined: Submissions that joined a job with the same unique.
        started: How often a job was given to a worker.
        completed: Jobs that ended with a result.
        failed: Jobs that failed: their workers said so, or the server stopped while they ran.
        exhausted: Jobs that failed because no attempts were left.
        cancelled: Jobs cancelled by a text command.
        abandoned: Jobs discarded because no client waited for them any more.
        requeued: How often a job was taken from a worker and queued again.
        timed_out: How often a worker had a job for too long.
        refused: Submissions refused because of a limit, or since their job could not be stored.
        restored: Jobs that came from the store of the queue.
        moved: Stored jobs that other servers have taken over from this one.
        waited_ms: Milliseconds for which jobs waited until they were started, in all.
        ran_ms: Milliseconds for which jobs ran until they left their workers, in all.
    """

    queued_high: int = 0
    queued_normal: int = 0
    queued_low: int = 0
    scheduled: int = 0
    aside: int = 0
    running: int = 0
    workers: int = 0
    asleep: int = 0
    oldest_ms: int = 0
    submitted: int = 0
    joined: int = 0
    started: int = 0
    completed: int = 0
    failed: int = 0
    exhausted: int = 0
    cancelled: int = 0
    abandoned: int = 0
    requeued: int = 0
    timed_out: int = 0
    refused: int = 0
    restored: int = 0
    moved: int = 0
    waited_ms: int = 0
    ran_ms: int = 0

    @classmethod
    def of(cls, function: Function, now: float) -> Self:
        """Return those of a function."""
        tally = function.tally
        queues = function.queues
        since = function.waiting_since()
        return cls(
            queues[Precedence.HIGH].count,
            queues[Precedence.NORMAL].count,
            queues[Precedence.LOW].count,
            function.scheduled,
            function.aside,
            function.running,
            function.workers,
            function.asleep(),
            0 if since is None else max(0, round(1000 * (now - since))),
            function.submitted,
            tally.joined,
            sum(tally.waited),
            tally.completed,
            tally.failed,
            tally.exhausted,
            tally.cancelled,
            tally.abandoned,
            tally.requeued,
            tally.timed_out,
            tally.refused,
            tally.restored,
            tally.moved,
            round(1000 * tally.waiting_time),
            round(1000 * tally.running_time),
        )

    @property
    def queued(self) -> int:
        """Queued jobs of all precedences."""
        return self.queued_high + self.queued_normal + self.queued_low

    def plus(self, other: Self) -> Self:
        """Return the numbers of both together; the oldest job is that of one of them."""
        mine, others = msgspec.structs.astuple(self), msgspec.structs.astuple(other)
        both = type(self)(*map(operator.add, mine, others))
        both.oldest_ms = max(self.oldest_ms, other.oldest_ms)
        return both


FUNCTION_KEYS: Final[tuple[str, ...]] = FunctionNumbers.__struct_fields__
"""The names of a function's numbers."""


def forgotten(engine: Engine) -> FunctionNumbers:
    """Return the numbers of the functions that are not known any more, all together."""
    function = Function(b"")
    function.tally = engine.queues.forgotten
    return FunctionNumbers.of(function, engine.now)


def portions(functions: Iterable[Function], most: int = PORTION) -> Iterator[list[Function]]:
    """Yield functions in portions of so many at most, each read in less than a millisecond."""
    portion: list[Function] = []
    sleepers = 0
    for function in functions:
        portion.append(function)
        sleepers += len(function.sleepers)
        if len(portion) == most or sleepers >= SLEEPERS:
            yield portion
            portion, sleepers = [], 0
    if portion:
        yield portion


def server_counters(engine: Engine) -> dict[str, int]:
    """Return what a server has counted since its start, by the names of `Counters`."""
    counters: dict[str, int] = msgspec.structs.asdict(engine.tallies.read(len(engine.jobs)))
    return counters


def server_gauges(engine: Engine) -> dict[str, int]:
    """Return how much there is of what a server has, by name."""
    queues = engine.queues
    return {
        "jobs": len(engine.jobs),
        "queued": queues.waiting,
        "scheduled": len(engine.epochs.jobs),
        "aside": queues.aside.count,
        "running": engine.running,
        "in_store": 0 if engine.ledger is None else engine.ledger.jobs,
        "functions": len(queues.functions),
        "registrations": engine.scheduler.registrations,
        "connections": len(engine.peers),
        "memory_used": engine.limits.used,
    }
