"""Where the functions of an app run without a server: its middleware, its lifespan's value; pure.

What a caller sees of it is in `local`, and for asyncio in `async_local`.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager, nullcontext
from typing import Final, Generic, TypeVar

from gear_wire.errors import GearmanError, InvalidDataError
from gear_wire.functions.current import CurrentJob
from gear_wire.functions.execution import Middleware, Outcome, run, run_async
from gear_wire.functions.failures import decode_failure
from gear_wire.functions.function import AnyFunction, Function
from gear_wire.functions.lifespan import Lifespan
from gear_wire.packets import WorkData, WorkStatus, WorkWarning
from gear_wire.types import Handle

Result = TypeVar("Result")
Result_co = TypeVar("Result_co", covariant=True)
Update = WorkStatus | WorkWarning | WorkData

_CHANCE: Final = 0.0  # nobody waits between two tries, so their jitter does not matter


class Told:
    """What a job's function told, as a client would have heard it.

    Args:
        handle: The job handle.
        streams: Whether its data are the items of a stream, and no news.

    Attributes:
        parts: The data.
        warnings: The warnings.
        news: All but the items, as packets.
        progress: How far it has come, from 0 to 1; None before it said so.
    """

    def __init__(self, handle: bytes, streams: bool) -> None:
        self.parts: list[bytes] = []
        self.warnings: list[bytes] = []
        self.news: list[Update] = []
        self.progress: float | None = None
        self._handle = Handle(handle)
        self._streams = streams

    def status(self, numerator: float, denominator: float) -> None:
        """Take in WORK_STATUS."""
        self.progress = numerator / denominator if denominator else None
        self.news.append(
            WorkStatus(self._handle, str(numerator).encode(), str(denominator).encode())
        )

    def warning(self, data: bytes) -> None:
        """Take in WORK_WARNING."""
        self.warnings.append(data)
        self.news.append(WorkWarning(self._handle, data))

    def data(self, data: bytes) -> None:
        """Take in WORK_DATA."""
        if data:
            self.parts.append(data)
        if not self._streams:
            self.news.append(WorkData(self._handle, data))


class Stage:
    """Where functions run without a server: what an app has, and what its lifespan yielded.

    Args:
        functions: The functions that can be run, by name.
        middlewares: What is entered around each call.
        span: What is entered around all calls; None for nothing.
        clock: Returns the time now, as `time.monotonic` does.

    Attributes:
        state: What the lifespan yielded, once it is entered.
    """

    def __init__(
        self,
        functions: Mapping[str, AnyFunction],
        middlewares: Sequence[Middleware],
        span: Lifespan[object] | None,
        clock: Callable[[], float],
    ) -> None:
        self.state: object = None
        self._span = span
        self._functions = functions
        self._middlewares = middlewares
        self._clock = clock
        self._count = 0

    def lifespan(
        self,
    ) -> AbstractContextManager[object] | AbstractAsyncContextManager[object]:
        """Return what to enter before anything runs."""
        return nullcontext() if self._span is None else self._span()

    def job(self, function: Function[..., object, Result], payload: bytes) -> "Running[Result]":
        """Return a job to be run.

        Raises:
            GearmanError: The app does not run the function: a server would wait for a worker.
        """
        known = self._functions.get(function.name)
        if known is None:
            raise GearmanError(f"the app does not run {function.name}: its job would wait forever")
        self._count += 1
        return Running(
            known, function, payload, b"H:testing:%d" % self._count, self.state, self._clock
        )

    def run(self, running: "Running[Result]") -> None:
        """Run a plain function, again as long as its retries say so; nobody waits in between."""
        while running.goes_on():
            running.outcome = run(running.known, running.attempt(), self._middlewares)

    async def run_async(self, running: "Running[Result]") -> None:
        """Run an asynchronous function, again as long as its retries say so."""
        while running.goes_on():
            running.outcome = await run_async(running.known, running.attempt(), self._middlewares)


class Running(Generic[Result_co]):
    """A call while it runs, and what comes of it.

    Args:
        known: The function that runs.
        function: The function as the caller knows it, which may be a declaration.
        payload: Its arguments.
        handle: The job handle.
        state: What the lifespan yielded.
        clock: Returns the time now.

    Attributes:
        known: As given.
        function: As given.
        handle: As given.
        told: What the function told.
        outcome: How its last try ended; None before.
    """

    def __init__(
        self,
        known: AnyFunction,
        function: Function[..., object, Result_co],
        payload: bytes,
        handle: bytes,
        state: object,
        clock: Callable[[], float],
    ) -> None:
        self.known: AnyFunction = known
        self.function: Function[..., object, Result_co] = function
        self.handle: bytes = handle
        self.told: Told = Told(handle, function.kind == "stream")
        self.outcome: Outcome | None = None
        self._state = state
        self._clock = clock
        self._payload = payload
        self._tries = 0

    def goes_on(self) -> bool:
        """Tell whether there is another try."""
        if self.outcome is None:
            return True
        return self.outcome.retry_after(self.known, self._tries, _CHANCE) is not None

    def attempt(self) -> CurrentJob:
        """Return the job of the next try."""
        self._tries += 1
        timeout = self.known.options.timeout
        unique = self.function.call_options.unique
        return CurrentJob(
            self.known.name,
            self.handle,
            self._payload,
            self.told,
            unique=unique.encode() if isinstance(unique, str) else unique,
            attempt=self._tries,
            state=self._state,
            deadline=None if timeout is None else self._clock() + timeout,
            clock=self._clock,
        )

    def failure(self) -> Exception | None:
        """Return what a client raises; the cause is what was raised here."""
        outcome = self.outcome
        if outcome is None or outcome.error is None:
            return None
        function = self.function
        error = decode_failure(outcome.data, function.name, function.options.raises)
        (error.__cause__ or error).__cause__ = outcome.error
        return error

    def result(self) -> Result_co:
        """Return the function's result, or raise what a client raises."""
        failure = self.failure()
        if failure is not None:
            raise failure
        last = b"" if self.outcome is None else self.outcome.data
        parts = [*self.told.parts, last] if last else self.told.parts
        return self.function.decode_parts(parts, last)

    @property
    def background(self) -> bool:
        """Whether nobody hears of its end."""
        return self.function.call_options.background

    def check_background(self) -> None:
        """Raise what was raised in the background, where a test would not see it otherwise."""
        failure = self.failure()
        if failure is not None and self.background:
            raise failure

    def check_foreground(self) -> None:
        """Raise InvalidDataError for a wait that would never end with a server."""
        if self.background:
            raise InvalidDataError(
                "waiting for a job that was submitted in the background: a server tells nobody of "
                "its end"
            )
