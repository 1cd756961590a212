"""A program of typed functions, both ends: what a type checker must make of it."""

# pyright: strict

import contextlib
from collections.abc import AsyncIterator, Coroutine, Generator, Iterator
from datetime import UTC, datetime, timedelta
from typing import assert_type

import msgspec

import gear

app = gear.App(encoding="msgpack", tracebacks=True, trace_context=False)


class Thumbnail(msgspec.Struct):
    width: int
    data: bytes


class OutOfStock(Exception): ...


class Pool:
    def connection(self) -> str:
        return "a connection"


@app.lifespan
@contextlib.contextmanager
def resources() -> Generator[Pool, None, None]:
    yield Pool()


@app.middleware
@contextlib.contextmanager
def trace(job: gear.CurrentJob) -> Generator[None, None, None]:
    print(job.name, job.attempt)
    yield


@app.middleware
def session(job: gear.CurrentJob) -> contextlib.AbstractAsyncContextManager[Pool]:
    return contextlib.nullcontext(Pool())


@app.function()
def thumbnail(image: bytes, width: int = 128) -> Thumbnail:
    assert_type(resources.state, Pool)
    job = gear.current_job()
    assert_type(job, gear.CurrentJob)
    assert_type(job.time_left, float | None)
    job.status(1, 2)
    job.warning("careful")
    job.data(b"news")
    return Thumbnail(width, image)


@app.function(
    "mail.send",
    timeout=60,
    retries=gear.Retries(3, backoff=1.0, longest=60, jitter=0.5, on=(OSError,)),
    raises=[OutOfStock],
    rate=10,
    concurrency=2,
)
async def send_mail(to: str, /, subject: str, *, urgent: bool = False) -> None: ...


@app.function(retries=3)
def lines(path: str) -> Iterator[str]:
    yield path


@app.function()
async def ticks(seconds: float) -> AsyncIterator[datetime]:
    yield datetime.now(UTC)


@app.every("*/5 * * * *", missed="once")
@app.every(30)
@app.function()
def sweep() -> int:
    return 0


@app.every(60.5)
@app.function()
async def sweep_slowly() -> None: ...


@app.declaration("images.resize", raises=[OutOfStock])
def resize(image: bytes, width: int) -> Thumbnail:
    raise NotImplementedError


@app.declaration()
async def resize_elsewhere(image: bytes, width: int) -> Thumbnail:
    raise NotImplementedError


@app.declaration()
def rows(table: str) -> Iterator[list[int]]:
    raise NotImplementedError


theirs = gear.App()


@theirs.implements(resize, concurrency=4)
def resize_with_pillow(image: bytes, width: int) -> Thumbnail:
    return Thumbnail(width, image)


@theirs.implements(resize_elsewhere)
def resize_in_a_thread(image: bytes, width: int) -> Thumbnail:
    return Thumbnail(width, image)


@gear.App().implements(resize)
async def resize_slowly(image: bytes, width: int) -> Thumbnail:
    return Thumbnail(width, image)


@theirs.implements(rows)
async def rows_of_a_database(table: str) -> AsyncIterator[list[int]]:
    yield [len(table)]


def here() -> None:
    """Functions run here as they are called."""
    assert_type(thumbnail(b"", width=64), Thumbnail)
    _ = assert_type(send_mail("me", "hello"), Coroutine[object, object, None])
    assert_type(lines("file"), Iterator[str])
    assert_type(ticks(1), AsyncIterator[datetime])
    assert_type(sweep(), int)
    assert_type(resize_with_pillow(b"", 3), Thumbnail)
    _ = assert_type(resize_slowly(b"", 3), Coroutine[object, object, Thumbnail])
    assert_type(rows_of_a_database("t"), AsyncIterator[list[int]])
    assert_type(resources.state, Pool)
    assert_type(thumbnail.name, str)
    assert_type(app.schema(), dict[str, object])


def call(client: gear.Client) -> Thumbnail:
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    later = send_mail.using(
        background=True, unique="7", precedence=gear.PRECEDENCE_HIGH, when=tomorrow
    )
    job = client.start(later, "me", subject="hello", urgent=True)
    assert_type(job, gear.TypedJob[None])
    assert_type(job.handle, bytes)

    assert_type(client.call(thumbnail, b"", width=64), Thumbnail)
    assert_type(client.call(resize, b"", 64), Thumbnail)
    assert_type(client.call(resize_elsewhere, b"", width=64), Thumbnail)
    assert_type(client.call(resize_with_pillow.using(timeout=5), b"", 3), Thumbnail)
    assert_type(client.call(lines, "file"), list[str])
    assert_type(client.call(ticks, 1), list[datetime])

    started = client.start(thumbnail.using(timeout=10), b"")
    assert_type(started, gear.TypedJob[Thumbnail])
    assert_type(started.wait(1), bool)
    assert_type(started.status(), gear.JobState)
    assert_type(started.progress, float | None)
    assert_type(started.warnings, list[str])
    for update in started.updates():
        print(update)

    stream = client.start(lines.using(unique="1"), "file")
    assert_type(stream, gear.StreamJob[str])
    for line in stream:
        assert_type(line, str)
    assert_type(stream.result(), list[str])
    assert_type(client.start(ticks, 1), gear.StreamJob[datetime])
    assert_type(client.start(rows, "t"), gear.StreamJob[list[int]])
    try:
        return started.result(timeout=5)
    except OutOfStock:
        raise
    except gear.RemoteError as error:
        assert_type(error.type, str)
        assert_type(error.message, str)
        assert_type(error.traceback, str | None)
        raise


async def call_async(client: gear.AsyncClient) -> Thumbnail:
    assert_type(await client.call(send_mail, "me", "hello"), None)
    assert_type(await client.call(lines, "file"), list[str])
    job = await client.start(thumbnail, b"", width=3)
    assert_type(job, gear.AsyncTypedJob[Thumbnail])
    assert_type(await job, Thumbnail)
    assert_type(await job.result(timeout=5), Thumbnail)
    async for update in job.updates():
        print(update)
    stream = await client.start(ticks, 1)
    assert_type(stream, gear.AsyncStreamJob[datetime])
    async for tick in stream:
        assert_type(tick, datetime)
    return await client.call(thumbnail, b"")


def any_client(function: gear.Function[[bytes], object, Thumbnail], client: gear.Client) -> int:
    """Functions are passed on with their types."""
    return client.call(function, b"").width


def check() -> None:
    """Tests need no server."""
    with app.testing() as client:
        assert_type(client.call(thumbnail, b"", width=3), Thumbnail)
        assert_type(client.start(thumbnail, b"").result(), Thumbnail)
        for line in client.start(lines, "file"):
            assert_type(line, str)


async def check_async() -> None:
    async with app.testing() as client:
        assert_type(await client.call(thumbnail, b"", width=3), Thumbnail)
        assert_type(await (await client.start(thumbnail, b"")), Thumbnail)
        async for tick in await client.start(ticks, 1):
            assert_type(tick, datetime)
