"""What is counted of each function: rare events, and how long its jobs waited and ran.

What a job costs counts: so what all jobs do is not counted, but follows from the number of jobs
that there are and of those that have ended; see `Tally.completed` and `Function.submitted`.
"""

from typing import Final

BOUNDS: Final[tuple[float, ...]] = (0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10.0, 60.0, 600.0, 3600.0)
"""Seconds that end the ranges of `Tally.waited` and `Tally.ran`; the last range has no end."""
SHORTEST: Final = BOUNDS[0]


class Tally:
    """What has happened to the jobs of one function, or of several, since the start.

    A job ends once: completed, failed, exhausted, cancelled, abandoned or moved.

    Attributes:
        ended: Jobs that have ended, in whatever way.
        joined: Submissions that joined a job with the same unique.
        failed: Jobs that failed: their workers said so, or the server stopped while they ran.
        exhausted: Jobs that failed because no attempts were left.
        requeued: How often a job was taken from a worker and queued again.
        timed_out: How often a worker had a job for too long.
        cancelled: Jobs cancelled by a text command.
        cancelling: Those of them that have not ended yet, since their workers go on with them.
        abandoned: Jobs discarded because no client waited for them any more.
        refused: Submissions refused because of a limit, or since their job could not be stored.
        restored: Jobs that came from the store of the queue, after a start or from other servers.
        moved: Stored jobs that other servers have taken over from this one.
        waited: How many jobs waited for how long until they were assigned, by range of `BOUNDS`.
        waiting_time: Seconds for which they waited in all.
        ran: How many jobs ran for how long until they left their workers, by range of `BOUNDS`.
        running_time: Seconds for which they ran in all.
    """

    __slots__ = (
        "abandoned", "cancelled", "cancelling", "ended", "exhausted", "failed", "joined", "moved",
        "ran", "refused", "requeued", "restored", "running_time", "timed_out", "waited",
        "waiting_time",
    )  # fmt: skip

    def __init__(self) -> None:
        self.ended: int = 0
        self.joined: int = 0
        self.failed: int = 0
        self.exhausted: int = 0
        self.requeued: int = 0
        self.timed_out: int = 0
        self.cancelled: int = 0
        self.cancelling: int = 0
        self.abandoned: int = 0
        self.refused: int = 0
        self.restored: int = 0
        self.moved: int = 0
        self.waited: list[int] = [0] * (len(BOUNDS) + 1)
        self.waiting_time: float = 0.0
        self.ran: list[int] = [0] * (len(BOUNDS) + 1)
        self.running_time: float = 0.0

    @property
    def completed(self) -> int:
        """Jobs that ended with a result."""
        otherwise = self.failed + self.exhausted + self.abandoned + self.moved
        return self.ended - otherwise - (self.cancelled - self.cancelling)

    def add(self, other: "Tally") -> None:
        """Add what another tally has counted."""
        self.ended += other.ended
        self.joined += other.joined
        self.failed += other.failed
        self.exhausted += other.exhausted
        self.requeued += other.requeued
        self.timed_out += other.timed_out
        self.cancelled += other.cancelled
        self.cancelling += other.cancelling
        self.abandoned += other.abandoned
        self.refused += other.refused
        self.restored += other.restored
        self.moved += other.moved
        self.waited = list(map(int.__add__, self.waited, other.waited))
        self.waiting_time += other.waiting_time
        self.ran = list(map(int.__add__, self.ran, other.ran))
        self.running_time += other.running_time
