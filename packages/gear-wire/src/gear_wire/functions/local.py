"""`LocalClient`: calls functions without a server, in a test; `async_local` has that of asyncio."""

import asyncio
import contextlib
from collections.abc import Awaitable, Iterator
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


class LocalJob(Generic[Result_co]):
    """A job that ran in a test; it has ended.

    Args:
        running: The call.
    """

    def __init__(self, running: Running[Result_co]) -> None:
        self._running = running

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

    def wait(self, timeout: float | None = None) -> bool:
        """Return True: it has ended.

        Raises:
            InvalidDataError: It is a background job: nobody is told of its end.
        """
        self._running.check_foreground()
        return True

    def result(self, timeout: float | None = None) -> Result_co:
        """Return the function's result; raises as `TypedJob.result` does."""
        self._running.check_foreground()
        return self._running.result()

    def updates(self, timeout: float | None = None) -> Iterator[Update]:
        """Give what the function told of the job, each once."""
        self._running.check_foreground()
        news = self._running.told.news
        while news:
            yield news.pop(0)


class LocalStreamJob(LocalJob[list[Item_co]], Generic[Item_co]):
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

    def __iter__(self) -> Iterator[Item_co]:
        """Give the items; raises as `items` does."""
        return self.items()

    def items(self, timeout: float | None = None) -> Iterator[Item_co]:
        """Give the items, and raise what the function raised after them."""
        self._running.check_foreground()
        parts = self._running.told.parts
        while parts:
            yield self._stream.decode_item(parts.pop(0))
        failure = self._running.failure()
        if failure is not None:
            raise failure


class LocalClient:
    """Calls the functions of an app here, as a client calls those of workers.

    Arguments and results are encoded and decoded, middleware and lifespan are entered, exceptions
    arrive as clients raise them. `start` runs a function to its end, and raises what a background
    job raises. A function that is to be tried again is, at once; timeouts are not kept.

    Args:
        stage: Where the functions run.
        runner: Has the event loop for those that are asynchronous.
    """

    def __init__(self, stage: Stage, runner: asyncio.Runner) -> None:
        self._stage = stage
        self._runner = runner

    def wait_for(self, awaited: Awaitable[Result]) -> Result:
        """Run something asynchronous on the client's loop, and return its result."""

        async def wait() -> Result:
            return await awaited

        return self._runner.run(wait())

    def call(
        self, function: Function[P, object, Result], /, *args: P.args, **kwargs: P.kwargs
    ) -> Result:
        """Run a function, and return what it returns; as `Client.call` does.

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
        return self._run(function, function.encode(*args, **kwargs)).result()

    @overload
    def start(
        self, function: StreamFunction[P, object, Item], /, *args: P.args, **kwargs: P.kwargs
    ) -> LocalStreamJob[Item]: ...

    @overload
    def start(
        self, function: Function[P, object, Result], /, *args: P.args, **kwargs: P.kwargs
    ) -> LocalJob[Result]: ...

    def start(self, function: AnyFunction, /, *args: object, **kwargs: object) -> LocalJob[object]:
        """Run a function, and return its job, as `Client.start` does.

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
            return LocalStreamJob(self._run(function, payload), function)
        return LocalJob(self._run(function, payload))

    def _run(self, function: Function[..., object, Result], payload: bytes) -> Running[Result]:
        running = self._stage.job(function, payload)
        if running.known.asynchronous:
            self.wait_for(self._stage.run_async(running))
        else:
            self._stage.run(running)
        running.check_background()
        return running


@contextlib.contextmanager
def local_client(stage: Stage) -> Iterator[LocalClient]:
    """Give a client, with the lifespan entered."""
    with contextlib.ExitStack() as stack:
        client = LocalClient(stage, stack.enter_context(asyncio.Runner()))
        around = stage.lifespan()
        if isinstance(around, contextlib.AbstractContextManager):
            stage.state = stack.enter_context(around)
        else:
            stage.state = client.wait_for(around.__aenter__())
            stack.push(lambda *error: client.wait_for(around.__aexit__(*error)))
        yield client
