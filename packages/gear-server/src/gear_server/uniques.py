"""Which job has which unique, over all functions; what joining a job means is in `engine`."""

from gear_server.jobs import ServerJob
from gear_server.queues import Function


class Uniques:
    """The jobs that have a unique, found by it alone or by it and their function.

    Jobs of several functions may have the same unique: they form a chain, the newest first.
    """

    def __init__(self) -> None:
        self._newest: dict[bytes, ServerJob] = {}

    def newest(self, unique: bytes) -> ServerJob | None:
        """Return the newest job with a unique, of any function."""
        return self._newest.get(unique)

    def find(self, function: Function, unique: bytes) -> ServerJob | None:
        """Return the job of a function with a unique."""
        job = self._newest.get(unique)
        while job is not None and job.function is not function:
            job = job.elder
        return job

    def add(self, job: ServerJob, unique: bytes) -> None:
        """Take in a job, of whose function there is none with this unique."""
        job.elder = self._newest.get(unique)
        self._newest[unique] = job

    def remove(self, job: ServerJob, unique: bytes) -> None:
        """Forget a job, if it is here."""
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
