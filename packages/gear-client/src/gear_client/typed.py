"""The jobs of typed calls, as threads wait for them; the asyncio ones are in `async_typed`."""

from collections.abc import Iterator
from typing import Generic, Protocol, TypeVar

from gear_client.calls import CallJob, Update, failure_of, result_of
from gear_client.expectations import JobState
from gear_client.jobs import Job
from gear_wire.functions.function import Function, StreamFunction
from gear_wire.link.deadline import Deadline

Result_co = TypeVar("Result_co", covariant=True)
Item_co = TypeVar("Item_co", covariant=True)


class JobKeeper(Protocol):
    """What a typed job needs of the client that submitted it."""

    def getStatus(self, job: Job, timeout: float | None = 30) -> JobState:
        """Ask the server for the state of a job."""

    def cancelJob(self, job: Job, timeout: float | None = 30) -> bool:
        """Cancel a job."""


class TypedJob(Generic[Result_co]):
    """A call of a typed function that was submitted; `Client.start` returns it.

    It keeps its client alive.

    Args:
        client: The client that submitted it.
        function: The function that is called.
        job: The job.
        deadline: When the call must be over, if its `timeout` says so.

    Attributes:
        job: The job itself, as events name it.
    """

    def __init__(
        self,
        client: JobKeeper,
        function: Function[..., object, Result_co],
        job: CallJob,
        deadline: Deadline,
    ) -> None:
        self.job: CallJob = job
        self._client = client
        self._function = function
        self._deadline = deadline

    def __repr__(self) -> str:
        return f"<gear.{type(self).__name__} of {self.job!r}>"

    @property
    def handle(self) -> bytes:
        """The job handle."""
        return self.job.handle or b""

    @property
    def done(self) -> bool:
        """Whether the job has ended, well or not; never so for one in the background."""
        return self.job.complete

    @property
    def progress(self) -> float | None:
        """How far the job has come, from 0 to 1; None before the worker said so."""
        return self.job.fraction_complete

    @property
    def warnings(self) -> list[str]:
        """The warnings that the worker sent so far."""
        return [text.decode(errors="replace") for text in self.job.warnings]

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the job has ended.

        Args:
            timeout: Seconds to wait; None for no other limit than the call's.

        Returns:
            Whether it has ended.

        Raises:
            GearmanError: Called on the client's poll thread, which would wait for itself.
            InvalidDataError: It is a background job: nobody is told of its end.
        """
        return self.job.wait(self._limit(timeout).left())

    def result(self, timeout: float | None = None) -> Result_co:
        """Wait until the job has ended and return the function's result.

        Args:
            timeout: Seconds to wait; None for no other limit than the call's.

        Raises:
            RemoteError: The function raised; an exception that it declares is raised as itself.
            JobFailedError: The job failed, and nothing else is known.
            TimeoutError: It has not ended in time; it goes on.
            InvalidDataError: The result is none of the function's; or it is a background job.
            GearmanError: Called on the client's poll thread, which would wait for itself.
        """
        with self.job.sent.waiting(self.job.handle):
            limit = self._limit(timeout)
            if not self.job.wait(limit.left()):
                raise limit.error(f"{self.job._title} has not ended")
            return result_of(self.job, self._function)

    def updates(self, timeout: float | None = None) -> Iterator[Update]:
        """Give what the worker tells of the job, as it comes, until the job ends.

        Each is given once, to one thread at a time. Of what came before, the last 1,024 are there.

        Args:
            timeout: Seconds that it may take in all; None for no other limit than the call's.

        Yields:
            WorkStatus, WorkWarning and, unless the function is a stream, WorkData.

        Raises:
            TimeoutError: The job has not ended in time.
            GearmanError: Called on the client's poll thread, which would wait for itself.
            InvalidDataError: It is a background job: nobody is told of it.
        """
        limit, job = self._limit(timeout), self.job
        while job._wait_until(lambda: bool(job.updates) or job.complete, limit):
            if not job.updates:
                return
            yield job.updates.popleft()
        raise limit.error(f"{job._title} has not ended")

    def status(self, timeout: float | None = 30) -> JobState:
        """Ask the server for the state of the job; raises as `Client.getStatus` does."""
        return self._client.getStatus(self.job, timeout)

    def cancel(self, timeout: float | None = 30) -> bool:
        """Cancel the job; returns and raises as `Client.cancelJob` does."""
        return self._client.cancelJob(self.job, timeout)

    def _limit(self, timeout: float | None) -> Deadline:
        return self._deadline if timeout is None else Deadline.sooner(timeout, self._deadline)


class StreamJob(TypedJob[list[Item_co]], Generic[Item_co]):
    """A call of a function that yields its result in parts; iterated, it gives them as they come.

    What was iterated is gone: `result` returns the rest.
    """

    def __init__(
        self,
        client: JobKeeper,
        function: StreamFunction[..., object, Item_co],
        job: CallJob,
        deadline: Deadline,
    ) -> None:
        super().__init__(client, function, job, deadline)
        self._stream = function

    def __iter__(self) -> Iterator[Item_co]:
        """Give the items as they come; raises as `items` does."""
        return self.items()

    def items(self, timeout: float | None = None) -> Iterator[Item_co]:
        """Give the items as they come, until the function ends.

        Args:
            timeout: Seconds that it may take in all; None for no other limit than the call's.

        Yields:
            What the function yielded.

        Raises:
            RemoteError: The function raised, after the items that came before; an exception that
                it declares is raised as itself.
            JobFailedError: The job failed, and nothing else is known.
            TimeoutError: The job has not ended in time.
            InvalidDataError: An item is none of the function's; or it is a background job.
            GearmanError: Called on the client's poll thread, which would wait for itself.
        """
        limit, job = self._limit(timeout), self.job
        with job.sent.waiting(job.handle):
            while job._wait_until(job._has_more, limit):
                if not job.data:
                    failure = failure_of(job, self._stream)
                    if failure is not None:
                        raise failure
                    return
                yield self._stream.decode_item(job._pop_part())
            raise limit.error(f"{job._title} has not ended")
