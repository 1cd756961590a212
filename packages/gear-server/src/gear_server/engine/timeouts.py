"""How long jobs may run: what happens when they have run too long is in `engine`."""

from collections.abc import Callable

from gear_server.engine.limits import TIMER_SIZE, Limits
from gear_server.engine.state import Ability, Function, ServerJob
from gear_server.engine.timers import Timer, Timers


class Timeouts:
    """The timers of running jobs that have a time limit.

    Args:
        timers: Calls to make later.
        limits: Where their memory is counted.
        time_out: Called with a job that has run too long, and the time.

    Attributes:
        jobs: The running jobs that have a time limit, with their timers.
    """

    def __init__(
        self, timers: Timers, limits: Limits, time_out: Callable[[ServerJob, float], None]
    ) -> None:
        self.jobs: dict[ServerJob, Timer] = {}
        self._timers = timers
        self._limits = limits
        self._time_out = time_out

    def begin(self, job: ServerJob, ability: Ability | None, function: Function) -> None:
        """Limit the time of a job that starts, by what its worker and its function say."""
        timeout = 0.0 if ability is None else ability.timeout
        # The shorter of the two; 0 is none.
        timeout = min(timeout or function.timeout, function.timeout or timeout)
        if timeout:
            self._limits.used += TIMER_SIZE
            due = job.started_at + timeout
            self.jobs[job] = self._timers.at(due, lambda now: self._time_out(job, now))

    def end(self, job: ServerJob) -> None:
        """Forget the time limit of a job; no effect if it has none."""
        timer = self.jobs.pop(job, None)
        if timer is not None:
            self._timers.cancel(timer)
            self._limits.used -= TIMER_SIZE
