"""Workers whose jobs are text instead of bytes."""

from typing import cast

from gear_wire.jobs import BaseJob
from gear_worker.jobs import WorkerJob
from gear_worker.worker import Worker


class TextWorkerJob(WorkerJob):
    """A worker's job whose arguments and unique are text; its methods take text or bytes."""

    @property  # type: ignore[override]  # text is what this class is for
    def arguments(self) -> str:
        """The job's data, as text."""
        return self._arguments.decode(errors="surrogateescape")

    @arguments.setter
    def arguments(self, arguments: str | bytes) -> None:
        BaseJob.arguments.fset(self, arguments)  # type: ignore[attr-defined]  # mypy sees no fset

    @property  # type: ignore[override]  # text is what this class is for
    def unique(self) -> str | None:
        """The job's unique, as text; None when it has none."""
        return None if self._unique is None else self._unique.decode(errors="surrogateescape")

    @unique.setter
    def unique(self, unique: str | bytes | None) -> None:
        BaseJob.unique.fset(self, unique)  # type: ignore[attr-defined]  # mypy sees no fset


class TextWorker(Worker):
    """A worker whose jobs are TextWorkerJobs."""

    job_class: type[WorkerJob] = TextWorkerJob

    def getJob(self, timeout: float | None = None) -> TextWorkerJob:
        """Wait for a job and return it; as `Worker.getJob`."""
        return cast(TextWorkerJob, super().getJob(timeout))
