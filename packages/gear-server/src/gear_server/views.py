"""The engine's queues as the lists that 0.16's server had."""

from collections.abc import Iterator, Sequence
from typing import overload

from gear_server.jobs import ServerJob
from gear_server.queues import Queues
from gear_wire.enums import Precedence


class QueueView(Sequence[ServerJob]):
    """The queued jobs of one precedence over all functions, in the order of their coming.

    It walks a copy: jobs may be removed on the way.
    """

    def __init__(self, queues: Queues, precedence: Precedence) -> None:
        self._queues = queues
        self._precedence = precedence

    def _jobs(self) -> list[ServerJob]:
        return self._queues.of(self._precedence)

    def __len__(self) -> int:
        return len(self._jobs())

    def __iter__(self) -> Iterator[ServerJob]:
        return iter(self._jobs())

    @overload
    def __getitem__(self, index: int) -> ServerJob: ...

    @overload
    def __getitem__(self, index: slice) -> list[ServerJob]: ...

    def __getitem__(self, index: int | slice) -> ServerJob | list[ServerJob]:
        return self._jobs()[index]

    def remove(self, job: ServerJob) -> None:
        """Take a job out of its queue.

        Raises:
            ValueError: It is not queued.
        """
        if job.queue is None:
            raise ValueError(f"{job!r} is not queued")
        self._queues.remove(job)

    def append(self, job: ServerJob) -> None:
        """Queue a job again, behind the others."""
        if job.queue is None:
            self._queues.append(job)

    def __repr__(self) -> str:
        return repr(self._jobs())
