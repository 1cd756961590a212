"""The jobs that have a unique, over all functions; what joining one means is in `engine`."""

from typing import Final

from gear_server.engine.state import Function, ServerJob

WORKLOAD: Final = b"-"
"""The unique of jobs that are merged if their function and arguments are equal."""


class Uniques:
    """Finds jobs by unique, or by function and unique.

    Jobs of several functions with the same unique form a chain, newest first. Jobs with unique
    ``-`` are found by their arguments, and their state cannot be queried by unique.
    """

    def __init__(self) -> None:
        self._newest: dict[bytes, ServerJob] = {}

    def newest(self, unique: bytes) -> ServerJob | None:
        """Return the newest job with a unique, of any function."""
        return self._newest.get(unique)

    def find(self, function: Function, unique: bytes, arguments: bytes) -> ServerJob | None:
        """Return the job that a submission joins; None if there is none."""
        if unique == WORKLOAD:
            return function.workloads.get(arguments)
        job = self._newest.get(unique)
        while job is not None and job.function is not function:
            job = job.elder
        return job

    def add(self, job: ServerJob) -> None:
        """Let later submissions join a job; no effect if it has no unique."""
        unique = job.unique
        if unique == WORKLOAD:
            if job.arguments:
                job.function.workloads[job.arguments] = job
        elif unique is not None:
            job.elder = self._newest.get(unique)
            self._newest[unique] = job

    def remove(self, job: ServerJob) -> None:
        """Let no more submissions join a job; no effect if none could."""
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
