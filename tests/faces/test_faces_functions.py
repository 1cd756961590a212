"""Typed functions called from threads and from asyncio, over gear's server and gearmand."""

import contextlib
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import ParamSpec, TypeVar

import pytest

import gear
from gear_server.testing import Geard
from gear_wire.packets import BasePacket, WorkData, WorkStatus, WorkWarning
from gear_worker.runner import RunnerSettings
from gear_worker.runner.background import BackgroundRunner
from gear_worker.runner.settings import Pool
from support.app_worker import (
    OutOfStock,
    Thumbnail,
    app,
    app_worker,
    count,
    count_slowly,
    flip,
    nothing,
    order,
    shout,
    strange_order,
    thumbnail,
    undone,
)
from support.faces import AsyncFace, ThreadFace, connected
from support.fix_peers import Gearmand

P = ParamSpec("P")
Result = TypeVar("Result")
Item = TypeVar("Item")
WAIT = 20


class Caller(ABC):
    """A client of one kind; what it starts, it waits for in its own way."""

    @abstractmethod
    def call(
        self, function: gear.Function[P, object, Result], *args: P.args, **kwargs: P.kwargs
    ) -> Result: ...

    @abstractmethod
    def items(
        self, function: gear.StreamFunction[P, object, Item], *args: P.args, **kwargs: P.kwargs
    ) -> tuple[list[Item], Exception | None]:
        """Return what comes of a stream, and what ended it."""

    @abstractmethod
    def follow(
        self, function: gear.Function[P, object, Result], *args: P.args, **kwargs: P.kwargs
    ) -> tuple[list[BasePacket], list[str], float | None, Result]:
        """Return a job's updates, warnings, progress and result."""

    @abstractmethod
    def background(
        self, function: gear.Function[P, object, Result], *args: P.args, **kwargs: P.kwargs
    ) -> tuple[bytes, gear.JobState, Exception | None]:
        """Return a job's handle and state, and what waiting for it raises."""

    @abstractmethod
    def cancelled(
        self, function: gear.Function[P, object, Result], *args: P.args, **kwargs: P.kwargs
    ) -> tuple[bool, bool, Exception | None]:
        """Return whether a job was cancelled and ended in time, and what waiting for it raises."""


class ThreadCaller(Caller):
    def __init__(self, face: ThreadFace) -> None:
        self._client = face.client

    def call(
        self, function: gear.Function[P, object, Result], *args: P.args, **kwargs: P.kwargs
    ) -> Result:
        return self._client.call(function, *args, **kwargs)

    def items(
        self, function: gear.StreamFunction[P, object, Item], *args: P.args, **kwargs: P.kwargs
    ) -> tuple[list[Item], Exception | None]:
        job = self._client.start(function, *args, **kwargs)
        found: list[Item] = []
        try:
            found.extend(job)
        except Exception as error:
            return found, error
        assert job.done
        assert job.result() == []
        return found, None

    def follow(
        self, function: gear.Function[P, object, Result], *args: P.args, **kwargs: P.kwargs
    ) -> tuple[list[BasePacket], list[str], float | None, Result]:
        job = self._client.start(function, *args, **kwargs)
        updates: list[BasePacket] = [*job.updates(WAIT)]
        return updates, job.warnings, job.progress, job.result(WAIT)

    def background(
        self, function: gear.Function[P, object, Result], *args: P.args, **kwargs: P.kwargs
    ) -> tuple[bytes, gear.JobState, Exception | None]:
        job = self._client.start(function, *args, **kwargs)
        state = job.status()
        try:
            job.result()
        except gear.GearmanError as error:
            return job.handle, state, error
        return job.handle, state, None

    def cancelled(
        self, function: gear.Function[P, object, Result], *args: P.args, **kwargs: P.kwargs
    ) -> tuple[bool, bool, Exception | None]:
        job = self._client.start(function, *args, **kwargs)
        assert not job.wait(0.01)
        was = job.cancel()
        ended = job.wait(WAIT)
        try:
            job.result()
        except gear.GearmanError as error:
            return was, ended, error
        return was, ended, None


class AsyncCaller(Caller):
    def __init__(self, face: AsyncFace) -> None:
        self._client = face.client
        self._run = face.run

    def call(
        self, function: gear.Function[P, object, Result], *args: P.args, **kwargs: P.kwargs
    ) -> Result:
        return self._run(self._client.call(function, *args, **kwargs))

    def items(
        self, function: gear.StreamFunction[P, object, Item], *args: P.args, **kwargs: P.kwargs
    ) -> tuple[list[Item], Exception | None]:
        async def collect() -> tuple[list[Item], Exception | None]:
            job = await self._client.start(function, *args, **kwargs)
            found: list[Item] = []
            try:
                async for item in job:
                    found.append(item)
            except Exception as error:
                return found, error
            assert job.done
            assert await job == []
            return found, None

        return self._run(collect())

    def follow(
        self, function: gear.Function[P, object, Result], *args: P.args, **kwargs: P.kwargs
    ) -> tuple[list[BasePacket], list[str], float | None, Result]:
        async def follow() -> tuple[list[BasePacket], list[str], float | None, Result]:
            job = await self._client.start(function, *args, **kwargs)
            updates: list[BasePacket] = [update async for update in job.updates(WAIT)]
            return updates, job.warnings, job.progress, await job

        return self._run(follow())

    def background(
        self, function: gear.Function[P, object, Result], *args: P.args, **kwargs: P.kwargs
    ) -> tuple[bytes, gear.JobState, Exception | None]:
        async def submit() -> tuple[bytes, gear.JobState, Exception | None]:
            job = await self._client.start(function, *args, **kwargs)
            state = await job.status()
            try:
                await job
            except gear.GearmanError as error:
                return job.handle, state, error
            return job.handle, state, None

        return self._run(submit())

    def cancelled(
        self, function: gear.Function[P, object, Result], *args: P.args, **kwargs: P.kwargs
    ) -> tuple[bool, bool, Exception | None]:
        async def cancel() -> tuple[bool, bool, Exception | None]:
            job = await self._client.start(function, *args, **kwargs)
            assert not await job.wait(0.01)
            was = await job.cancel()
            ended = await job.wait(WAIT)
            try:
                await job
            except gear.GearmanError as error:
                return was, ended, error
            return was, ended, None

        return self._run(cancel())


@pytest.fixture(params=["gear.Server", pytest.param("gearmand", marks=pytest.mark.peer)])
def address(request: pytest.FixtureRequest) -> Iterator[tuple[str, int]]:
    if request.param == "gearmand":
        gearmand: Gearmand = request.getfixturevalue("gearmand")
        yield gearmand.host, gearmand.port
        return
    server = gear.Server(0, host="127.0.0.1", job_retries=-1)
    yield "127.0.0.1", server.port
    server.shutdown()


@pytest.fixture(params=["threads", "asyncio"])
def caller(request: pytest.FixtureRequest, address: tuple[str, int]) -> Iterator[Caller]:
    with connected(request.param, [address]) as face:
        if isinstance(face, AsyncFace):
            yield AsyncCaller(face)
        else:
            assert isinstance(face, ThreadFace)
            yield ThreadCaller(face)


@contextlib.contextmanager
def runner(address: tuple[str, int], pool: Pool) -> Iterator[None]:
    settings = RunnerSettings(servers=("{}:{}".format(*address),), pool=pool, concurrency=2)
    with BackgroundRunner(app, settings):
        yield


@pytest.fixture(params=["exception", "exception and fail", "runner"])
def worker(request: pytest.FixtureRequest, address: tuple[str, int]) -> Iterator[None]:
    """What runs the app: a loop that ends failed jobs in one way or the other, or gear's runner."""
    if request.param == "runner":
        with runner(address, "threads"):
            yield
    else:
        with app_worker(*address, fails=request.param == "exception and fail"):
            yield


@pytest.mark.usefixtures("worker")
def test_a_result_is_what_the_function_returns(caller: Caller) -> None:
    assert caller.call(thumbnail, b"image") == Thumbnail(128, b"image")
    assert caller.call(thumbnail, b"image", width=64) == Thumbnail(64, b"image")
    assert caller.call(shout, "hé") == "HÉ"
    assert caller.call(flip, b"\0\1\2") == b"\2\1\0"
    assert caller.call(flip, b"") == b""
    assert caller.call(nothing) is None
    assert caller.call(count_slowly, 3) == [0, 1, 2]


@pytest.mark.usefixtures("worker")
def test_what_a_worker_tells_on_the_way(caller: Caller) -> None:
    updates, warnings, progress, result = caller.follow(thumbnail, b"image")
    assert [type(update) for update in updates] == [WorkStatus, WorkWarning, WorkData]
    assert (warnings, progress) == (["too small"], 0.5)
    assert result == Thumbnail(128, b"image")


@pytest.mark.usefixtures("worker")
def test_the_items_of_a_stream_are_no_news(caller: Caller) -> None:
    updates, _, progress, result = caller.follow(count, 3)
    assert [type(update) for update in updates] == [WorkStatus]
    assert (progress, result) == (0.0, [0, 1, 2])


@pytest.mark.usefixtures("worker")
def test_an_exception_is_raised_with_its_type_message_and_traceback(caller: Caller) -> None:
    for _ in range(2):  # nothing is left over of the first
        with pytest.raises(gear.RemoteError, match=r"^order: KeyError: 'hats'\n") as failure:
            caller.call(order, "hats", 1)
        assert (failure.value.type, failure.value.message) == ("KeyError", "'hats'")
        assert "raise KeyError(article)" in (failure.value.traceback or "")
        assert "execution.py" not in (failure.value.traceback or "")
        assert failure.value.__notes__[0].startswith("In the worker:\nTraceback")


@pytest.mark.usefixtures("worker")
def test_a_declared_exception_is_raised_as_itself(caller: Caller) -> None:
    with pytest.raises(OutOfStock) as failure:
        caller.call(order, "socks", 1)
    assert (failure.value.args, failure.value.left) == (("socks", 3), 3)
    assert isinstance(failure.value.__cause__, gear.RemoteError)
    assert caller.call(order, "shoes", 5) == 5


@pytest.mark.usefixtures("worker")
def test_arguments_that_do_not_fit_are_refused_by_the_worker(caller: Caller) -> None:
    with pytest.raises(gear.RemoteError, match="unexpected keyword argument 'number'") as failure:
        caller.call(strange_order, b"", "many")
    assert failure.value.type == "InvalidArgumentsError"


@pytest.mark.usefixtures("worker")
def test_items_come_before_the_exception(caller: Caller) -> None:
    assert caller.items(count, 4) == ([0, 1, 2, 3], None)
    assert caller.items(count_slowly, 4) == ([0, 1, 2, 3], None)
    items, error = caller.items(count, 20)
    assert items == list(range(10))
    assert isinstance(error, gear.RemoteError)
    assert error.message == "nine is enough"


def test_a_call_that_takes_too_long(caller: Caller) -> None:
    # A busy machine may not even have taken the job by then.
    with pytest.raises(gear.TimeoutError, match=r" in 0\.0\d+ s"):
        caller.call(undone.using(timeout=0.05))
    _, error = caller.items(count.using(timeout=0.05), 3)
    assert isinstance(error, gear.TimeoutError)


def test_a_plain_function_is_refused(caller: Caller) -> None:
    for way in (caller.call, caller.follow):
        with pytest.raises(TypeError, match=r"made with @app\.function\(\), not <function"):
            way(thumbnail.body, b"")  # type: ignore[arg-type]  # what it is about


def test_a_call_in_the_background(caller: Caller) -> None:
    function = undone.using(background=True, unique="one", precedence=gear.PRECEDENCE_HIGH)
    handle, state, error = caller.background(function)
    assert (state.known, state.running) == (True, False)
    assert isinstance(error, gear.InvalidDataError)
    assert caller.background(function)[0] == handle, "its unique is the same"
    assert caller.background(function.using(unique="two"))[0] != handle
    with pytest.raises(gear.InvalidDataError, match=r"use start\(\) instead"):
        caller.call(function)


def test_a_call_for_later(caller: Caller, address: tuple[str, int]) -> None:
    later = undone.using(background=True, when=time.time() + 3600)
    _, state, _ = caller.background(later)
    assert (state.known, state.running) == (True, False)
    with pytest.raises(gear.InvalidDataError, match="background=True"):
        caller.call(undone.using(when=0))


def test_a_call_is_cancelled(caller: Caller) -> None:
    was, ended, error = caller.cancelled(undone)
    assert (was, ended) == (True, True)
    assert type(error) is gear.JobFailedError
    assert "was cancelled" in str(error)


def test_wrong_arguments_are_refused_here(caller: Caller) -> None:
    wrong: gear.Function[..., object, object] = order
    with pytest.raises(TypeError, match=r"^order\(\) missing 1 required .* 'count'$"):
        caller.call(wrong, "hats")


@pytest.mark.parametrize("address", ["gear.Server"], indirect=True)
def test_processes_send_what_threads_do(caller: Caller, address: tuple[str, int]) -> None:
    with runner(address, "processes"):
        updates, warnings, progress, result = caller.follow(thumbnail, b"image")
        assert [type(update) for update in updates] == [WorkStatus, WorkWarning, WorkData]
        assert (warnings, progress, result) == (["too small"], 0.5, Thumbnail(128, b"image"))
        assert caller.items(count, 4) == ([0, 1, 2, 3], None)
        with pytest.raises(OutOfStock) as failure:
            caller.call(order, "socks", 1)
        assert failure.value.left == 3
        with pytest.raises(gear.RemoteError, match="KeyError: 'hats'") as other:
            caller.call(order, "hats", 1)
        assert "raise KeyError(article)" in (other.value.traceback or "")


def test_settings_of_another_type_are_refused(geard: Geard) -> None:
    with pytest.raises(TypeError, match=r"settings must be a RunnerSettings, .* not \['host'\]"):
        geard.run(app, ["host"])  # type: ignore[arg-type]  # what it is about
