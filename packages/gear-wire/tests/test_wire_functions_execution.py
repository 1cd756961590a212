"""One try of a job, as workers and `App.testing` run it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator

import msgspec
import pytest

from gear_wire.errors import ConfigurationError, GearmanError
from gear_wire.functions import (
    App,
    CurrentJob,
    Function,
    Outcome,
    Retries,
    current_job,
    run,
    run_async,
)
from gear_wire.functions.failures import Failure

Report = tuple[str, object]


class Reports:
    def __init__(self) -> None:
        self.sent: list[Report] = []

    def status(self, numerator: float, denominator: float) -> None:
        self.sent.append(("status", (numerator, denominator)))

    def warning(self, data: bytes) -> None:
        self.sent.append(("warning", data))

    def data(self, data: bytes) -> None:
        self.sent.append(("data", data))


def outcome_of(
    app: App,
    function: Function[..., object, object],
    payload: bytes = b"",
    reports: Reports | None = None,
) -> Outcome:
    job = CurrentJob(function.name, b"H:1", payload, reports or Reports(), state="the state")
    if function.asynchronous:
        return asyncio.run(run_async(function, job, app.middlewares))
    return run(function, job, app.middlewares)


def failure_in(outcome: Outcome) -> Failure:
    return msgspec.json.decode(outcome.data, type=Failure)


def test_a_function_sees_its_job() -> None:
    app, reports, clock = App(), Reports(), iter([10.0, 12.5, 99.0])

    @app.function("job.seen")
    def seen(text: str) -> str:
        job = current_job()
        job.status(1, 2)
        job.warning("careful")
        job.data(b"more")
        left = (job.deadline, job.time_left, job.time_left, job.time_left)
        assert left == (11.0, 1.0, 0.0, 0.0)
        return f"{job.name} {job.handle!r} {job.unique!r} {job.arguments!r} {job.attempt}"

    job = CurrentJob(
        "job.seen", b"H:1", b"text", reports,
        unique=b"u", attempt=3, deadline=11.0, clock=lambda: next(clock),
    )  # fmt: skip
    assert run(seen, job, ()).data == b"job.seen b'H:1' b'u' b'text' 3"
    assert reports.sent == [("status", (1, 2)), ("warning", b"careful"), ("data", b"more")]
    assert repr(job) == "<gear.CurrentJob job.seen handle: b'H:1' attempt: 3>"
    with pytest.raises(GearmanError):
        current_job()


def test_a_job_without_timeout_has_no_deadline() -> None:
    job = CurrentJob("f", b"H:1", b"", Reports())
    assert (job.deadline, job.time_left) == (None, None)


@pytest.mark.parametrize("asynchronous", [False, True])
def test_middleware_is_around_the_call_and_sees_what_it_raises(asynchronous: bool) -> None:
    app = App()
    seen: list[str] = []

    @app.middleware
    @contextlib.contextmanager
    def outer(job: CurrentJob) -> Iterator[None]:
        seen.append(f"outer {job.name}")
        try:
            yield
        except ValueError as error:
            seen.append(f"outer saw {error}")
            raise

    @app.middleware
    @contextlib.contextmanager
    def inner(job: CurrentJob) -> Iterator[None]:
        assert current_job() is job
        seen.append("inner")
        yield
        seen.append("inner left")

    if asynchronous:

        @app.function("halve")
        async def halve(number: int) -> int:
            if number % 2:
                raise ValueError("odd")
            return number // 2
    else:

        @app.function("halve")
        def halve(number: int) -> int:
            if number % 2:
                raise ValueError("odd")
            return number // 2

    assert outcome_of(app, halve, b'{"number":4}').data == b"2"
    assert seen == ["outer halve", "inner", "inner left"]
    seen.clear()
    assert failure_in(outcome_of(app, halve, b"[3]")) == Failure("ValueError", "odd")
    assert seen == ["outer halve", "inner", "outer saw odd"]
    seen.clear()
    assert failure_in(outcome_of(app, halve, b"{}")).type == "InvalidArgumentsError"
    assert seen == [], "user code runs only for arguments that fit"


def test_asynchronous_middleware_goes_around_asynchronous_functions_alone() -> None:
    app = App()
    seen: list[str] = []

    @app.middleware
    @contextlib.asynccontextmanager
    async def session(job: CurrentJob) -> AsyncIterator[None]:
        seen.append("in")
        yield
        await asyncio.sleep(0)
        seen.append("out")

    @app.function()
    async def slow() -> int:
        return 1

    @app.function()
    def plain() -> int:
        raise AssertionError("it must not run")

    assert outcome_of(app, slow).data == b"1"
    assert seen == ["in", "out"]
    outcome = outcome_of(app, plain)
    assert isinstance(outcome.error, ConfigurationError)
    assert "session" in str(outcome.error)


def test_an_exception_that_middleware_swallows_has_not_happened() -> None:
    app = App()
    app.middleware(lambda job: contextlib.suppress(ValueError))

    @app.function()
    def fail() -> int | None:
        raise ValueError

    assert outcome_of(app, fail).data == b"null"


@pytest.mark.parametrize("error", [ValueError("no"), SystemExit(3), RecursionError("deep")])
def test_whatever_is_raised_is_the_outcome(error: BaseException) -> None:
    app = App()

    @app.function("plain")
    def plain() -> None:
        raise error

    @app.function("slow")
    async def slow() -> None:
        raise error

    for function in app.functions.values():
        outcome = outcome_of(app, function)
        assert outcome.error is error
        assert failure_in(outcome).type == type(error).__name__


def test_a_task_that_is_cancelled_is() -> None:
    app = App()

    @app.function()
    async def wait() -> None:
        await asyncio.Event().wait()

    async def cancel() -> None:
        job = CurrentJob("wait", b"H:1", b"", Reports())
        task = asyncio.create_task(run_async(wait, job, ()))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancel())


def test_items_are_reported_as_they_come() -> None:
    app, reports = App(), Reports()
    closed: list[str] = []

    @app.function("plain")
    def plain(limit: int) -> Iterator[str]:
        try:
            for number in range(limit):
                yield f"{number}"
                assert len(reports.sent) == number + 1
        finally:
            closed.append("plain")

    @app.function("slow")
    async def slow(limit: int) -> AsyncIterator[str]:
        try:
            for number in range(limit):
                yield f"{number}"
                assert len(reports.sent) == number + 1
        finally:
            closed.append("slow")

    for function in (plain, slow):
        reports.sent.clear()
        assert outcome_of(app, function, b"[2]", reports).data == b""
        assert reports.sent == [("data", b'"0"'), ("data", b'"1"')]
    assert closed == ["plain", "slow"]


def test_a_generator_is_closed_when_an_item_cannot_be_sent() -> None:
    app = App()
    closed: list[str] = []

    class Full(Reports):
        def data(self, data: bytes) -> None:
            raise ConnectionError("the server is gone")

    @app.function("plain")
    def plain() -> Iterator[int]:
        try:
            yield 1
        finally:
            closed.append("plain")

    @app.function("slow")
    async def slow() -> AsyncIterator[int]:
        try:
            yield 1
        finally:
            await asyncio.sleep(0)
            closed.append("slow")

    for function in (plain, slow):
        assert isinstance(outcome_of(app, function, b"", Full()).error, ConnectionError)
    assert closed == ["plain", "slow"]


def test_an_asynchronous_stream_waits_for_room() -> None:
    app, reports = App(), Reports()
    waited: list[int] = []

    @app.function()
    async def count() -> AsyncIterator[int]:
        yield 1
        yield 2

    async def drain() -> None:
        waited.append(len(reports.sent))

    job = CurrentJob("count", b"H:1", b"", reports)
    asyncio.run(run_async(count, job, (), drain))
    assert waited == [1, 2]


def test_a_function_may_return_an_iterator() -> None:
    app, reports = App(), Reports()

    @app.function()
    def count(limit: int) -> Iterator[int]:
        return iter(range(limit))

    assert outcome_of(app, count, b"[2]", reports).error is None
    assert reports.sent == [("data", b"0"), ("data", b"1")]


def test_a_result_that_cannot_travel_fails_for_good() -> None:
    app = App()

    @app.function(retries=5)
    def strange() -> object:
        return object()

    outcome = outcome_of(app, strange)
    assert isinstance(outcome.error, TypeError)
    assert outcome.retry_after(strange, 1, 0.0) is None


def test_retries_are_for_what_the_function_raised() -> None:
    app = App()

    @app.function(retries=Retries(2, jitter=0, on=(OSError,)))
    def flaky(number: int) -> int:
        if number:
            raise OSError
        return number

    fitting = outcome_of(app, flaky, b"[1]")
    assert [fitting.retry_after(flaky, attempt, 0.5) for attempt in (1, 2, 3)] == [1.0, 2.0, None]
    assert outcome_of(app, flaky, b"[0]").retry_after(flaky, 1, 0.5) is None
    assert outcome_of(app, flaky, b"{}").retry_after(flaky, 1, 0.5) is None


def test_a_traceback_begins_in_the_users_code() -> None:
    app = App(tracebacks=True)

    @app.function()
    def fail() -> None:
        raise ValueError("here")

    told = failure_in(outcome_of(app, fail)).traceback or ""
    assert told.splitlines()[1].endswith("in fail")
    assert "functions/execution.py" not in told


def test_a_generator_is_no_context_manager() -> None:
    app = App()

    def plain() -> Iterator[None]:
        yield

    async def asynchronous() -> AsyncIterator[None]:
        yield

    expected = r"write @contextlib\.contextmanager between @app\.lifespan and it"
    with pytest.raises(TypeError, match=expected):
        app.lifespan(plain)  # type: ignore[arg-type]  # what it is about
    with pytest.raises(TypeError, match=r"@contextlib\.asynccontextmanager between @app\.middle"):
        app.middleware(asynchronous)  # type: ignore[type-var]  # what it is about


def test_the_lifespan_says_what_type_its_value_has() -> None:
    app = App()

    @app.lifespan
    @contextlib.contextmanager
    def resources() -> Iterator[str]:
        yield "the state"

    @app.function()
    def use() -> str:
        return resources.state.upper()

    assert outcome_of(app, use).data == b'"THE STATE"'
    with pytest.raises(GearmanError, match="where no job runs"):
        _ = resources.state
    with pytest.raises(ConfigurationError, match="a lifespan already"):
        app.lifespan(contextlib.nullcontext)
