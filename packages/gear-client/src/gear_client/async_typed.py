"""The jobs of typed calls, as coroutines wait for them; those of threads are in `typed`."""

from collections.abc import AsyncIterator, Callable, Generator
from typing import Generic, Protocol, TypeVar

from gear_client.async_job import AsyncJob
from gear_client.calls import CallJob, Update, failure_of, result_of
from gear_client.expectations import JobState
from gear_client.jobs import Job
from gear_wire.errors import TimeoutError
from gear_wire.functions.function import AnyFunction, Function, StreamFunction
from gear_wire.link.aio.within import within
from gear_wire.link.deadline import Deadline

Result_co = TypeVar("Result_co", covariant=True)
Item_co = TypeVar("Item_co", covariant=True)


class AsyncCallJob(CallJob, AsyncJob):
    """The job of a typed call on asyncio.

    Args:
        function: The function to run, with its options for calls.
        arguments: The payload.
    """

    def __init__(self, function: AnyFunction, arguments: bytes) -> None:
        super().__init__(function, arguments)


class AsyncJobKeeper(Protocol):
    """What a typed job needs of the client that submitted it."""

    async def status(self, job: Job, timeout: float | None = 30) -> JobState:
        """Ask the server for the state of a job."""

    async def cancel(self, job: Job, timeout: float | None = 30) -> bool:
        """Cancel a job."""


class AsyncTypedJob(Generic[Result_co]):
    """A call of a typed function that was submitted; `AsyncClient.start` returns it.

    ``await job`` returns the function's result, and raises as `result` does. It keeps its client
    alive.

    Args:
        client: The client that submitted it.
        function: The function that is called.
        job: The job.
        deadline: When the call must be over, if its `timeout` says so.

    Attributes:
        job: The job itself.
    """

    def __init__(
        self,
        client: AsyncJobKeeper,
        function: Function[..., object, Result_co],
        job: AsyncCallJob,
        deadline: Deadline,
    ) -> None:
        self.job: AsyncCallJob = job
        self._client = client
        self._function = function
        self._deadline = deadline

    def __repr__(self) -> str:
        return f"<gear.{type(self).__name__} of {self.job!r}>"

    def __await__(self) -> Generator[None, None, Result_co]:
        """Wait until the job has ended; returns the function's result, raises as `result` does."""
        return self.result().__await__()

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

    async def wait(self, timeout: float | None = None) -> bool:
        """Wait until the job has ended.

        Args:
            timeout: Seconds to wait; None for no other limit than the call's.

        Returns:
            Whether it has ended.

        Raises:
            GearmanError: The job belongs to another event loop.
            InvalidDataError: It is a background job: nobody is told of its end.
        """
        try:
            await self._until(self.job._has_ended, self._limit(timeout))
        except TimeoutError:
            return False
        return True

    async def result(self, timeout: float | None = None) -> Result_co:
        """Wait until the job has ended and return the function's result.

        Args:
            timeout: Seconds to wait; None for no other limit than the call's.

        Raises:
            RemoteError: The function raised; an exception that it declares is raised as itself.
            JobFailedError: The job failed, and nothing else is known.
            TimeoutError: It has not ended in time; it goes on.
            InvalidDataError: The result is none of the function's; or it is a background job.
            GearmanError: The job belongs to another event loop.
        """
        with self.job.sent.waiting(self.job.handle):
            await self._until(self.job._has_ended, self._limit(timeout))
            return result_of(self.job, self._function)

    async def updates(self, timeout: float | None = None) -> AsyncIterator[Update]:
        """Give what the worker tells of the job, as it comes, until the job ends.

        Each is given once. Of what came before, the last 1,024 are there.

        Args:
            timeout: Seconds that it may take in all; None for no other limit than the call's.

        Yields:
            WorkStatus, WorkWarning and, unless the function is a stream, WorkData.

        Raises:
            TimeoutError: The job has not ended in time.
            GearmanError: The job belongs to another event loop.
            InvalidDataError: It is a background job: nobody is told of it.
        """
        limit, job = self._limit(timeout), self.job
        while True:
            await self._until(lambda: bool(job.updates) or job.complete, limit)
            if not job.updates:
                return
            yield job.updates.popleft()

    async def status(self, timeout: float | None = 30) -> JobState:
        """Ask the server for the state of the job; raises as `AsyncClient.status` does."""
        return await self._client.status(self.job, timeout)

    async def cancel(self, timeout: float | None = 30) -> bool:
        """Cancel the job; returns and raises as `AsyncClient.cancel` does."""
        return await self._client.cancel(self.job, timeout)

    async def _until(self, done: Callable[[], bool], limit: Deadline) -> None:
        if limit.timeout is None:
            await self.job._until(done)
            return
        async with within(limit, "%s has not ended", self.job._title):
            await self.job._until(done)

    def _limit(self, timeout: float | None) -> Deadline:
        return self._deadline if timeout is None else Deadline.sooner(timeout, self._deadline)


class AsyncStreamJob(AsyncTypedJob[list[Item_co]], Generic[Item_co]):
    """A call of a function that yields its result in parts.

    ``async for item in job`` gives them as they come. What was iterated is gone: ``await job``
    returns the rest.
    """

    def __init__(
        self,
        client: AsyncJobKeeper,
        function: StreamFunction[..., object, Item_co],
        job: AsyncCallJob,
        deadline: Deadline,
    ) -> None:
        super().__init__(client, function, job, deadline)
        self._stream = function

    def __aiter__(self) -> AsyncIterator[Item_co]:
        """Give the items as they come; raises as `items` does."""
        return self.items()

    async def items(self, timeout: float | None = None) -> AsyncIterator[Item_co]:
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
            GearmanError: The job belongs to another event loop.
        """
        limit, job = self._limit(timeout), self.job
        with job.sent.waiting(job.handle):
            while True:
                await self._until(job._has_more, limit)
                if not job.data:
                    failure = failure_of(job, self._stream)
                    if failure is not None:
                        raise failure
                    return
                yield self._stream.decode_item(job._pop_part())
