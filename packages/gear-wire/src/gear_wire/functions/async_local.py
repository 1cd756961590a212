"""`AsyncLocalClient`: calls functions without a server, in a test on asyncio."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Generator
from typing import Generic, ParamSpec, TypeVar, overload

from gear_wire.functions.function import (
    AnyFunction,
    Function,
    StreamFunction,
    check_foreground,
    check_function,
)
from gear_wire.functions.stage import Running, Stage, Update

P = ParamSpec("P")
Result = TypeVar("Result")
Item = TypeVar("Item")
Result_co = TypeVar("Result_co", covariant=True)
Item_co = TypeVar("Item_co", covariant=True)


class AsyncLocalJob(Generic[Result_co]):
    """A job that ran in a test on asyncio; it has ended. Awaited, it gives its result.

    Args:
        running: The call.
    """

    def __init__(self, running: Running[Result_co]) -> None:
        self._running = running

    def __await__(self) -> Generator[None, None, Result_co]:
        """Return the function's result; raises as `AsyncTypedJob.result` does."""
        return self.result().__await__()

    @property
    def handle(self) -> bytes:
        """The job handle."""
        return self._running.handle

    @property
    def done(self) -> bool:
        """Whether the job is known to have ended; never so for one in the background."""
        return not self._running.background

    @property
    def progress(self) -> float | None:
        """How far the function said that it has come; None if it did not."""
        return self._running.told.progress

    @property
    def warnings(self) -> list[str]:
        """The warnings that the function sent."""
        return [text.decode(errors="replace") for text in self._running.told.warnings]

    async def wait(self, timeout: float | None = None) -> bool:
        """Return True: it has ended.

        Raises:
            InvalidDataError: It is a background job: nobody is told of its end.
        """
        self._running.check_foreground()
        return True

    async def result(self, timeout: float | None = None) -> Result_co:
        """Return the function's result; raises as `AsyncTypedJob.result` does."""
        self._running.check_foreground()
        return self._running.result()

    async def updates(self, timeout: float | None = None) -> AsyncIterator[Update]:
        """Give what the function told of the job, each once."""
        self._running.check_foreground()
        news = self._running.told.news
        while news:
            yield news.pop(0)


class AsyncLocalStreamJob(AsyncLocalJob[list[Item_co]], Generic[Item_co]):
    """A job of a function that yields; iterated, it gives the items.

    Args:
        running: The call.
        function: The function.
    """

    def __init__(
        self, running: Running[list[Item_co]], function: StreamFunction[..., object, Item_co]
    ) -> None:
        super().__init__(running)
        self._stream = function

    def __aiter__(self) -> AsyncIterator[Item_co]:
        """Give the items; raises as `items` does."""
        return self.items()

    async def items(self, timeout: float | None = None) -> AsyncIterator[Item_co]:
        """Give the items, and raise what the function raised after them."""
        self._running.check_foreground()
        parts = self._running.told.parts
        while parts:
            yield self._stream.decode_item(parts.pop(0))
        failure = self._running.failure()
        if failure is not None:
            raise failure


class AsyncLocalClient:
    """As `LocalClient`, for tests on asyncio. Plain functions run in threads.

    Args:
        stage: Where the functions run.
    """

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    async def call(
        self, function: Function[P, object, Result], /, *args: P.args, **kwargs: P.kwargs
    ) -> Result:
        """Run a function, and return what it returns; as `AsyncClient.call` does.

        Args:
            function: The function.
            args: Its arguments, by position.
            kwargs: Its arguments, by name.

        Raises:
            RemoteError: The function raised; an exception that it declares is raised as itself.
                The cause is what was raised here.
            TypeError: The arguments do not fit the function.
            InvalidDataError: The result is none of the function's; or it is called in the
                background.
            GearmanError: The app does not run the function.
        """
        check_foreground(function)
        return (await self._run(function, function.encode(*args, **kwargs))).result()

    @overload
    async def start(
        self, function: StreamFunction[P, object, Item], /, *args: P.args, **kwargs: P.kwargs
    ) -> AsyncLocalStreamJob[Item]: ...

    @overload
    async def start(
        self, function: Function[P, object, Result], /, *args: P.args, **kwargs: P.kwargs
    ) -> AsyncLocalJob[Result]: ...

    async def start(
        self, function: AnyFunction, /, *args: object, **kwargs: object
    ) -> AsyncLocalJob[object]:
        """Run a function, and return its job, as `AsyncClient.start` does.

        Args:
            function: The function.
            args: Its arguments, by position.
            kwargs: Its arguments, by name.

        Raises:
            TypeError: The arguments do not fit the function.
            GearmanError: The app does not run the function.
            Exception: A call in the background raised.
        """
        check_function(function)
        payload = function.encode(*args, **kwargs)
        if isinstance(function, StreamFunction):
            return AsyncLocalStreamJob(await self._run(function, payload), function)
        return AsyncLocalJob(await self._run(function, payload))

    async def _run(
        self, function: Function[..., object, Result], payload: bytes
    ) -> Running[Result]:
        running = self._stage.job(function, payload)
        if running.known.asynchronous:
            await self._stage.run_async(running)
        else:
            await asyncio.to_thread(self._stage.run, running)
        running.check_background()
        return running


@contextlib.asynccontextmanager
async def async_local_client(stage: Stage) -> AsyncIterator[AsyncLocalClient]:
    """Give a client, with the lifespan entered."""
    async with contextlib.AsyncExitStack() as stack:
        around = stage.lifespan()
        if isinstance(around, contextlib.AbstractContextManager):
            stage.state = stack.enter_context(around)
        else:
            stage.state = await stack.enter_async_context(around)
        yield AsyncLocalClient(stage)
