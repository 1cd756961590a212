"""Which job has which unique, over all functions; what joining a job means is in `engine`."""

from typing import Final

from gear_server.engine.state import Function, ServerJob

WORKLOAD: Final = b"-"
"""The unique of jobs that are one when their function and their arguments are the same."""


class Uniques:
    """The jobs that have a unique, found by it alone or by it and their function.

    Jobs of several functions may have the same unique: they form a chain, the newest first. Jobs
    of unique ``-`` are found by their arguments, and have no state that can be asked for.
    """

    def __init__(self) -> None:
        self._newest: dict[bytes, ServerJob] = {}

    def newest(self, unique: bytes) -> ServerJob | None:
        """Return the newest job with a unique, of any function."""
        return self._newest.get(unique)

    def find(self, function: Function, unique: bytes, arguments: bytes) -> ServerJob | None:
        """Return the job that a submission with a unique joins."""
        if unique == WORKLOAD:
            return function.workloads.get(arguments)
        job = self._newest.get(unique)
        while job is not None and job.function is not function:
            job = job.elder
        return job

    def add(self, job: ServerJob) -> None:
        """Let later submissions join a job, if it has a unique."""
        unique = job.unique
        if unique == WORKLOAD:
            if job.arguments:
                job.function.workloads[job.arguments] = job
        elif unique is not None:
            job.elder = self._newest.get(unique)
            self._newest[unique] = job

    def remove(self, job: ServerJob) -> None:
        """Let no more submissions join a job; nothing when none could."""
        unique = job.unique
        if unique == WORKLOAD:
            if job.function.workloads.get(job.arguments) is job:
                del job.function.workloads[job.arguments]
        elif unique is not None:
            self._unlink(job, unique)

    def _unlink(self, job: ServerJob, unique: bytes) -> None:
        newest = self._newest.get(unique)
        if newest is job:
            if job.elder is None:
                del self._newest[unique]
            else:
                self._newest[unique] = job.elder
        else:
            while newest is not None and newest.elder is not job:
                newest = newest.elder
            if newest is not None:
                newest.elder = job.elder
        job.elder = None
