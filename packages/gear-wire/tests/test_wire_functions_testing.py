"""Functions called without a server, as users' tests call them."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Iterator

import pytest

from gear_wire.errors import GearmanError, InvalidDataError
from gear_wire.functions import (
    App,
    CurrentJob,
    Function,
    InvalidArgumentsError,
    RemoteError,
    Retries,
    current_job,
)
from gear_wire.packets import WorkData, WorkStatus, WorkWarning

app = App()
log: list[str] = []


class OutOfStock(Exception):
    pass


@app.lifespan
@contextlib.contextmanager
def resources() -> Iterator[dict[str, int]]:
    log.append("open")
    yield {"socks": 3}
    log.append("closed")


@app.middleware
@contextlib.contextmanager
def logged(job: CurrentJob) -> Iterator[None]:
    log.append(job.name)
    yield


@app.function(raises=[OutOfStock])
def order(article: str, count: int = 1) -> int:
    left = resources.state.get(article)
    if left is None:
        raise KeyError(article)
    if left < count:
        raise OutOfStock(article)
    return left - count


@app.function()
async def shout(text: str) -> str:
    await asyncio.sleep(0)
    current_job().warning("loud")
    return text.upper()


@app.function()
def thread_of_its_own() -> bool:
    return threading.current_thread() is not threading.main_thread()


@app.function()
def count(limit: int) -> Iterator[int]:
    job = current_job()
    for number in range(limit):
        job.status(number, limit)
        yield number
    if limit == 3:
        raise ValueError("three")


@app.function()
async def count_slowly(limit: int) -> AsyncIterator[int]:
    for number in range(limit):
        await asyncio.sleep(0)
        yield number


@app.function(retries=Retries(2, backoff=3600), timeout=5)
def third_time_lucky() -> list[object]:
    job = current_job()
    if job.attempt < 3:
        raise OSError("not yet")
    assert job.time_left is not None
    return [job.attempt, 0 < job.time_left <= 5]


@app.function()
def news() -> None:
    job = current_job()
    job.status(1, 4)
    job.warning("careful")
    job.data("half of it")


@app.declaration()
def elsewhere(number: int) -> int:
    raise NotImplementedError


@pytest.fixture(autouse=True)
def empty_log() -> None:
    log.clear()


def test_a_call_goes_through_everything() -> None:
    with app.testing() as client:
        assert log == ["open"]
        assert client.call(order, "socks", count=2) == 1
        assert client.call(shout, "hello") == "HELLO"
        assert client.call(thread_of_its_own) is False
        assert client.call(count, 2) == [0, 1]
        assert client.call(count_slowly, 2) == [0, 1]
        assert client.call(third_time_lucky) == [3, True]
    assert log == ["open", "order", "shout", "thread_of_its_own", "count", "count_slowly",
                   *["third_time_lucky"] * 3, "closed"]  # fmt: skip


def test_a_call_on_asyncio_goes_through_everything() -> None:
    async def call() -> None:
        async with app.testing() as client:
            assert await client.call(order, "socks", count=2) == 1
            assert await client.call(shout, "hello") == "HELLO"
            assert await client.call(thread_of_its_own) is True
            assert await client.call(count, 2) == [0, 1]
            job = await client.start(count_slowly, 2)
            assert [item async for item in job] == [0, 1]
            assert await job == []
            with pytest.raises(ValueError, match="three") as failure:
                try:
                    async for _ in await client.start(count, 3):
                        pass
                except RemoteError as error:
                    assert error.__cause__ is not None
                    raise error.__cause__ from None
            assert failure.type is ValueError

    asyncio.run(call())
    assert (log[0], log[-1]) == ("open", "closed")


def test_exceptions_arrive_as_clients_raise_them() -> None:
    with app.testing() as client:
        with pytest.raises(OutOfStock, match=r"^socks$") as declared:
            client.call(order, "socks", 4)
        assert isinstance(declared.value.__cause__, RemoteError)
        with pytest.raises(RemoteError, match="order: KeyError: 'hats'") as other:
            client.call(order, "hats")
        assert isinstance(other.value.__cause__, KeyError), "a test sees where it was raised"
        wrong: Function[..., object, object] = order
        with pytest.raises(RemoteError, match=r"\$\.count: expected int, got str") as refused:
            client.call(wrong, "hats", "many")
        assert isinstance(refused.value.__cause__, InvalidArgumentsError)
        with pytest.raises(TypeError, match=r"order\(\) missing 1 required"):
            client.call(wrong)


def test_a_job_is_followed() -> None:
    with app.testing() as client:
        job = client.start(news)
        assert (job.done, job.wait(), job.progress, job.warnings) == (True, True, 0.25, ["careful"])
        assert [type(each) for each in job.updates()] == [WorkStatus, WorkWarning, WorkData]
        assert [*job.updates()] == []
        job.result()
        assert job.handle != client.start(news).handle
        stream = client.start(count, 2)
        assert [type(each) for each in stream.updates()] == [WorkStatus, WorkStatus]
        assert next(iter(stream)) == 0
        assert stream.result() == [1]
        items = client.start(count, 3).items()
        assert [next(items) for _ in range(3)] == [0, 1, 2]
        with pytest.raises(RemoteError, match="three"):
            next(items)

    async def follow() -> None:
        async with app.testing() as client:
            job = await client.start(news)
            assert (job.done, await job.wait(), job.progress) == (True, True, 0.25)
            assert job.warnings == ["careful"]
            assert len([update async for update in job.updates()]) == 3
            assert job.handle
            await job

    asyncio.run(follow())


def test_a_plain_function_is_refused() -> None:
    def plain() -> None: ...

    error = r"made with @app\.function\(\), not <function"
    with App().testing() as client:
        for way in (client.call, client.start):
            with pytest.raises(TypeError, match=error):
                way(plain)  # type: ignore[arg-type, call-overload]  # what it is about

    async def call() -> None:
        async with App().testing() as client:
            for way in (client.call, client.start):
                with pytest.raises(TypeError, match=error):
                    await way(plain)  # type: ignore[arg-type, call-overload]  # what it is about

    asyncio.run(call())


def test_a_background_job_runs_at_once_and_tells_nobody() -> None:
    with app.testing() as client:
        job = client.start(order.using(background=True, unique="one"), "socks")
        assert log[-1] == "order"
        assert not job.done
        for wait in (job.result, job.wait):
            with pytest.raises(InvalidDataError, match="in the background"):
                wait()
        with pytest.raises(InvalidDataError, match=r"start\(\) instead"):
            client.call(order.using(background=True), "socks")
        with pytest.raises(OutOfStock):
            client.start(order.using(background=True), "socks", 9)


def test_what_nobody_runs_is_named() -> None:
    with app.testing() as client:
        with pytest.raises(GearmanError, match="does not run elsewhere"):
            client.call(elsewhere, 1)
    other = App()

    @other.implements(elsewhere)
    def double(number: int) -> int:
        return number * 2

    with other.testing() as client:
        assert client.call(elsewhere, 2) == 4


def test_an_asynchronous_lifespan_is_entered_by_both() -> None:
    own = App()

    @own.lifespan
    @contextlib.asynccontextmanager
    async def connection() -> AsyncIterator[str]:
        log.append("connected")
        yield "connection"
        await asyncio.sleep(0)
        log.append("disconnected")

    @own.function()
    def use() -> str:
        return connection.state

    @own.function()
    async def use_slowly() -> str:
        return connection.state

    with own.testing() as client:
        assert client.call(use) == client.call(use_slowly) == "connection"

    async def call() -> None:
        async with own.testing() as client:
            assert await client.call(use) == await client.call(use_slowly) == "connection"

    asyncio.run(call())
    assert log == ["connected", "disconnected"] * 2


def test_a_lifespan_sees_what_its_test_raises() -> None:
    for asynchronous in (False, True):
        log.clear()
        own = App()
        if asynchronous:

            @own.lifespan
            @contextlib.asynccontextmanager
            async def slow() -> AsyncIterator[None]:
                try:
                    yield
                except ZeroDivisionError:
                    log.append("seen")
                    raise
        else:

            @own.lifespan
            @contextlib.contextmanager
            def plain() -> Iterator[None]:
                try:
                    yield
                except ZeroDivisionError:
                    log.append("seen")
                    raise

        with pytest.raises(ZeroDivisionError):
            with own.testing():
                raise ZeroDivisionError
        assert log == ["seen"]


def test_a_loop_that_runs_needs_the_other_kind() -> None:
    async def enter() -> None:
        with pytest.raises(GearmanError, match=r"async with app\.testing"):
            with app.testing():
                pass

    asyncio.run(enter())
