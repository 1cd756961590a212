"""Jobs for later, which wait for a time of the wall clock; what happens then is in `engine`."""

from collections.abc import Callable
from itertools import islice
from typing import Final

from gear_server.engine.chores import SLICE
from gear_server.engine.state import ServerJob
from gear_server.engine.timers import Due, Timer, Timers

EPOCH_CHECK: Final = 1.0
"""Seconds after which the wall clock is read again while jobs wait: it may have been set."""
PAUSE: Final = 0.001
"""Seconds between two slices of jobs that are due at one time."""


class Epochs:
    """The jobs of SUBMIT_JOB_EPOCH whose time is still to come.

    They alone go by the wall clock, in timers of their own. One timer of the monotonic clock reads
    it again when the next job is due, and at least each `EPOCH_CHECK` seconds.

    Args:
        timers: The timers of the monotonic clock.
        wall_clock: Returns the seconds since 1970.
        come_due: Called with each job whose time has come, and for how long it has.

    Attributes:
        jobs: The jobs that wait, with their timers of the wall clock.
    """

    def __init__(
        self,
        timers: Timers,
        wall_clock: Callable[[], float],
        come_due: Callable[[ServerJob, float], None],
    ) -> None:
        self.jobs: dict[ServerJob, Timer] = {}
        self._timers = timers
        self._wall_clock = wall_clock
        self._come_due = come_due
        self._due = Timers()
        self._check: tuple[float, Timer] | None = None

    def add(self, job: ServerJob, now: float) -> bool:
        """Hold a job until its time comes.

        Returns:
            Whether it is held; False if its time has come already.
        """
        left = job.when - self._wall_clock()
        if left <= 0:
            return False
        job.queued_at = now + left
        self.jobs[job] = self._due.at(job.when, self._release(job))
        self._schedule_check(now)
        return True

    def remove(self, job: ServerJob) -> bool:
        """Forget a job; returns whether it waited."""
        timer = self.jobs.pop(job, None)
        if timer is not None:
            self._due.cancel(timer)
        return timer is not None

    def _release(self, job: ServerJob) -> Due:
        def release(wall_time: float) -> None:
            del self.jobs[job]
            self._come_due(job, wall_time - job.when)

        return release

    def _schedule_check(self, now: float) -> None:
        due = self._due.next
        if due is None:
            return
        check = now + min(EPOCH_CHECK, max(PAUSE, due - self._wall_clock()))
        if self._check is not None:
            scheduled, timer = self._check
            if scheduled <= check:
                return
            self._timers.cancel(timer)
        self._check = check, self._timers.at(check, self._check_clock)

    def _check_clock(self, now: float) -> None:
        self._check = None
        wall_time = self._wall_clock()
        for release in islice(self._due.due(wall_time), SLICE):
            release(wall_time)
        self._schedule_check(now)
