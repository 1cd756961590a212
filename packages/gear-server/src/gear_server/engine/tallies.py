"""Counts what happens to jobs, once for the server and once for their function, and logs it."""

import copy
import logging

from gear_server.engine.counters import Counters
from gear_server.engine.joblog import JobLog
from gear_server.engine.state import Function, Peer, ServerJob
from gear_server.engine.tally import Tally
from gear_wire.loglimit import LogLimit


class Tallies:
    """Counts and logs rare events; what happens to each job is counted in `engine`, see `Tally`.

    A job that is cancelled while it runs has ended as cancelled, whatever its worker makes of it.

    Args:
        counters: The counters of the server.
        forgotten: The tally of functions that are not known.
        log: The logger of the server.
        joblog: Logs the jobs of some functions.

    Attributes:
        cancelled: The running jobs that were cancelled.
    """

    def __init__(
        self, counters: Counters, forgotten: Tally, log: logging.Logger, joblog: JobLog
    ) -> None:
        self.cancelled: set[ServerJob] = set()
        self._counters = counters
        self._forgotten = forgotten
        self._log = log
        self._joblog = joblog
        self._timed_out = LogLimit(log, "Jobs that timed out")
        self._requeued = LogLimit(log, "Jobs requeued")
        self._exhausted = LogLimit(log, "Jobs without attempts left")

    def join(self, job: ServerJob, peer: Peer, background: bool) -> None:
        """Count a submission that has joined a job."""
        self._counters.joined += 1
        job.function.tally.joined += 1
        if job.function.logged:
            self._joblog.joined(peer, job, background)

    def restore(self, job: ServerJob) -> None:
        """Count a job that comes from the store."""
        self._counters.restored += 1
        job.function.tally.restored += 1

    def refuse(self, function: Function | None) -> None:
        """Count a submission that is refused for its function; None for one that is not known."""
        tally = self._forgotten if function is None else function.tally
        tally.refused += 1

    def time_out(self, job: ServerJob, now: float) -> None:
        """Count that a worker had a job for too long."""
        self._counters.timed_out += 1
        job.function.tally.timed_out += 1
        self._timed_out.log(now, logging.WARNING, "%r timed out on %r", job, job.holder)

    def requeue(self, job: ServerJob, worker: Peer | None, now: float) -> None:
        """Count that a job that a worker had is queued again."""
        self._counters.requeued += 1
        job.function.tally.requeued += 1
        # A warning, since a job may be killing one worker after another.
        self._requeued.log(
            now, logging.WARNING,
            "Requeued %r (attempt %d): %r was lost or too slow", job, job.retries + 1, worker,
        )  # fmt: skip

    def exhaust(self, job: ServerJob, worker: Peer | None, now: float) -> None:
        """Count a job that fails since no attempts are left after that of a worker."""
        self._counters.exhausted += 1
        job.function.tally.exhausted += 1
        self._exhausted.log(
            now, logging.WARNING,
            "Failed %r: no attempts left after %d; %r was lost or too slow",
            job, job.retries, worker,
        )  # fmt: skip

    def fail(self, job: ServerJob) -> None:
        """Count a job that fails."""
        if job not in self.cancelled:
            self._counters.failed += 1
            job.function.tally.failed += 1

    def abandon(self, job: ServerJob) -> None:
        """Count a job that is discarded."""
        self._log.info("Discarded %r: no client waits for it any more", job)
        if job not in self.cancelled:
            self._counters.abandoned += 1
            job.function.tally.abandoned += 1

    def move(self, job: ServerJob) -> None:
        """Count a job that another server has taken over."""
        self._counters.moved += 1
        job.function.tally.moved += 1

    def cancel(self, job: ServerJob, now: float) -> None:
        """Count a job that is cancelled; once, even if it is cancelled again while it runs."""
        if job in self.cancelled:
            return
        tally = job.function.tally
        self._counters.cancelled += 1
        tally.cancelled += 1
        if job.holder is not None:
            if job.function.logged:
                self._joblog.ended(job, "cancelled", None, now)
            self.cancelled.add(job)
            tally.cancelling += 1

    def leave(self, job: ServerJob) -> None:
        """Note that a job is gone, which may have been cancelled."""
        if job in self.cancelled:
            self.cancelled.remove(job)
            job.function.tally.cancelling -= 1

    def read(self, jobs: int) -> Counters:
        """Return a copy of the counters, with what follows from them: how many jobs completed.

        Args:
            jobs: The number of jobs that there are.
        """
        counters = copy.copy(self._counters)
        ended = counters.submitted + counters.restored - (jobs - len(self.cancelled))
        failed = counters.failed + counters.exhausted + counters.cancelled
        counters.completed = ended - failed - counters.abandoned - counters.moved
        return counters
