"""One try of a job: payload → middleware → function → result, for whoever runs functions; pure."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from typing import cast

import msgspec

from gear_wire.errors import ConfigurationError
from gear_wire.functions import tracing
from gear_wire.functions.arguments import Bound
from gear_wire.functions.current import CURRENT, CurrentJob
from gear_wire.functions.failures import InvalidArgumentsError, encode_failure
from gear_wire.functions.function import AnyFunction

Middleware = Callable[
    [CurrentJob],
    "contextlib.AbstractContextManager[object] | contextlib.AbstractAsyncContextManager[object]",
]
"""Given the job, returns what to enter around its call: it sees the exception that is raised."""
Drain = Callable[[], Awaitable[object]]


class Outcome(msgspec.Struct, frozen=True):
    """How one try of a job ended.

    Attributes:
        data: What to report: of WORK_COMPLETE, or of WORK_EXCEPTION if it failed.
        error: What was raised; None if it ended well.
        final: Whether another try would end the same: it is the payload, or the result, that is
            wrong.
    """

    data: bytes
    error: BaseException | None = None
    final: bool = False

    def retry_after(self, function: AnyFunction, attempt: int, chance: float) -> float | None:
        """Return the seconds until the next try; None if there is none.

        Args:
            function: The function that ran.
            attempt: The number of the try that ended so, from 1.
            chance: A random number from 0 to 1.
        """
        if self.error is None or self.final:
            return None
        return function.options.retries.delay(attempt, self.error, chance)


def run(function: AnyFunction, job: CurrentJob, middlewares: Sequence[Middleware]) -> Outcome:
    """Run a plain function for a job, here.

    Args:
        function: A function that is not asynchronous.
        job: The job.
        middlewares: What is entered around the call, the first outermost.

    Returns:
        How it ended. Whatever is raised, SystemExit too, is its failure.
    """
    with tracing.process(function, job) as span:
        outcome = _run(function, job, middlewares)
        span.ended(outcome.error)
    return outcome


def _run(function: AnyFunction, job: CurrentJob, middlewares: Sequence[Middleware]) -> Outcome:
    try:
        bound = function.codec.decode_arguments(job.arguments)
    except InvalidArgumentsError as error:
        return _failed(function, error, final=True)
    token = CURRENT.set(job)
    try:
        if not middlewares:
            result = _call(function, job, bound)
        else:
            result = None
            with contextlib.ExitStack() as stack:
                for middleware in middlewares:
                    around = middleware(job)
                    if not isinstance(around, contextlib.AbstractContextManager):
                        raise ConfigurationError(
                            f"{middleware!r} is asynchronous, and {function.name} is not"
                        )
                    stack.enter_context(around)
                result = _call(function, job, bound)
    except BaseException as error:
        return _failed(function, error)
    finally:
        CURRENT.reset(token)
    return _ended(function, result)


async def run_async(
    function: AnyFunction,
    job: CurrentJob,
    middlewares: Sequence[Middleware],
    drain: Drain | None = None,
) -> Outcome:
    """Run an asynchronous function for a job, in this task.

    Args:
        function: A function that is asynchronous.
        job: The job.
        middlewares: What is entered around the call, the first outermost.
        drain: Awaited after each item of a stream: it returns when there is room for more.

    Returns:
        How it ended. Only CancelledError, KeyboardInterrupt and GeneratorExit are raised.
    """
    with tracing.process(function, job) as span:
        outcome = await _run_async(function, job, middlewares, drain)
        span.ended(outcome.error)
    return outcome


async def _run_async(
    function: AnyFunction,
    job: CurrentJob,
    middlewares: Sequence[Middleware],
    drain: Drain | None,
) -> Outcome:
    try:
        bound = function.codec.decode_arguments(job.arguments)
    except InvalidArgumentsError as error:
        return _failed(function, error, final=True)
    token = CURRENT.set(job)
    try:
        if not middlewares:
            result = await _call_async(function, job, bound, drain)
        else:
            result = None
            async with contextlib.AsyncExitStack() as stack:
                for middleware in middlewares:
                    around = middleware(job)
                    if isinstance(around, contextlib.AbstractAsyncContextManager):
                        await stack.enter_async_context(around)
                    else:
                        stack.enter_context(around)
                result = await _call_async(function, job, bound, drain)
    except (Exception, SystemExit) as error:
        return _failed(function, error)
    finally:
        CURRENT.reset(token)
    return _ended(function, result)


def _call(function: AnyFunction, job: CurrentJob, bound: Bound) -> object:
    args, kwargs = bound
    called = function.body(*args, **kwargs)
    if function.codec.kind == "value":
        return called
    with contextlib.ExitStack() as stack:
        close = getattr(called, "close", None)
        if close is not None:
            stack.callback(close)
        for item in cast("Iterable[object]", called):
            job.data(function.codec.encode_result(item))
    return None


async def _call_async(
    function: AnyFunction, job: CurrentJob, bound: Bound, drain: Drain | None
) -> object:
    args, kwargs = bound
    called = function.body(*args, **kwargs)
    if function.codec.kind == "value":
        return await cast("Awaitable[object]", called)
    async with contextlib.AsyncExitStack() as stack:
        close = getattr(called, "aclose", None)
        if close is not None:
            stack.push_async_callback(close)
        async for item in cast("AsyncIterator[object]", called):
            job.data(function.codec.encode_result(item))
            if drain is not None:
                await drain()
    return None


def _failed(function: AnyFunction, error: BaseException, final: bool = False) -> Outcome:
    data = encode_failure(error, function.options.raises, function.tracebacks)
    return Outcome(data, error, final)


def _ended(function: AnyFunction, result: object) -> Outcome:
    if function.codec.kind == "stream":
        return Outcome(b"")
    try:
        return Outcome(function.codec.encode_result(result))
    except Exception as error:  # whatever the methods of a result raise
        return _failed(function, error, final=True)
