"""The jobs that have a unique, over all functions; what joining one means is in `engine`."""

from typing import Final

from gear_server.engine.state import Function, ServerJob

WORKLOAD: Final = b"-"
"""The unique of jobs that are merged if their function and arguments are equal."""


class Uniques:
    """Finds jobs by unique, or by function and unique.

    Jobs with unique ``-`` are found by their arguments, and their state cannot be queried by
    unique.
    """

    def __init__(self) -> None:
        # Nearly every unique is that of one job, which needs no dict; in one, the newest is last.
        # (Of a class derived from OrderedDict, mypyc makes one of the wrong layout, which crashes.)
        self._jobs: dict[bytes, ServerJob | dict[Function, ServerJob]] = {}

    def newest(self, unique: bytes) -> ServerJob | None:
        """Return the newest job with a unique, of any function."""
        known = self._jobs.get(unique)
        return next(reversed(known.values())) if isinstance(known, dict) else known

    def find(self, function: Function, unique: bytes, arguments: bytes) -> ServerJob | None:
        """Return the job that a submission joins; None if there is none."""
        if unique == WORKLOAD:
            return function.workloads.get(arguments)
        known = self._jobs.get(unique)
        if isinstance(known, dict):
            return known.get(function)
        return known if known is not None and known.function is function else None

    def add(self, job: ServerJob) -> None:
        """Let later submissions join a job.

        No effect if it has no unique, or if that is another job's: jobs of two servers can meet
        where one takes over those of the other.
        """
        unique = job.unique
        if unique == WORKLOAD:
            if job.arguments:
                job.function.workloads.setdefault(job.arguments, job)
        elif unique is not None:
            known = self._jobs.get(unique)
            if known is None:
                self._jobs[unique] = job
            elif isinstance(known, dict):
                known[job.function] = known.pop(job.function, job)
            elif known.function is not job.function:
                self._jobs[unique] = {known.function: known, job.function: job}

    def remove(self, job: ServerJob) -> None:
        """Let no more submissions join a job; no effect if none could."""
        unique = job.unique
        if unique == WORKLOAD:
            if job.function.workloads.get(job.arguments) is job:
                del job.function.workloads[job.arguments]
        elif unique is not None:
            known = self._jobs.get(unique)
            if known is job:
                del self._jobs[unique]
            elif isinstance(known, dict) and known.get(job.function) is job:
                del known[job.function]
                if len(known) == 1:
                    self._jobs[unique] = known.popitem()[1]
