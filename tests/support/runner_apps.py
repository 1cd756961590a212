"""Apps that runners run, in this process and in others."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from gear_wire.functions import App, CurrentJob, Retries, current_job


def note(path: str, text: object) -> None:
    """Add a line to a file, whole even if many do."""
    with open(path, "ab", buffering=0) as file:
        file.write(f"{text}\n".encode())


def notes(path: Path) -> list[str]:
    """Return the lines of such a file."""
    return path.read_text().split() if path.exists() else []


class OutOfStock(Exception):
    """Declared by `sell`."""


plain = App()
"""Functions for threads and processes."""


@plain.lifespan
@contextlib.contextmanager
def resources() -> Iterator[dict[str, int]]:
    """Say where it was entered, and that it was left."""
    path = os.environ.get("RUNNER_LIFESPAN")
    if path:
        note(path, f"entered-{os.getpid()}")
    yield {"pid": os.getpid(), "thread": threading.get_ident()}
    if path:
        note(path, f"left-{os.getpid()}")


@plain.middleware
@contextlib.contextmanager
def trace(job: CurrentJob) -> Iterator[None]:
    """Warn of each call of `traced`."""
    if job.name != "traced":
        yield
        return
    job.warning("before")
    try:
        yield
    except ValueError as error:
        job.warning(f"raised {error}")
        raise
    job.warning("after")


@plain.function()
def traced(fail: bool) -> int:
    """Be traced."""
    if fail:
        raise ValueError("no")
    return 1


@plain.function()
def double(n: int) -> int:
    """Return twice as much."""
    return 2 * n


@plain.function()
def stamp(n: int, path: str, seconds: float = 0.0) -> int:
    """Note that it ran, at its end."""
    time.sleep(seconds)
    note(path, n)
    return n


@plain.function()
def hold(begun: str, go_on: str) -> str:
    """Note that it runs, and go on when a file is there."""
    note(begun, os.getpid())
    while not os.path.exists(go_on):
        time.sleep(0.01)  # a file may be made by another process: nothing tells of it
    return "went on"


@plain.function()
def whereabouts() -> dict[str, int]:
    """Tell what the lifespan yielded, and where this runs."""
    state = current_job().state
    assert isinstance(state, dict)
    return {**state, "here": os.getpid()}


@plain.function(raises=[OutOfStock])
def sell(item: str) -> int:
    """Have nothing left."""
    raise OutOfStock(item, 0)


@plain.function()
def leave() -> None:
    """Try to end the worker."""
    sys.exit("bye")


@plain.function()
def count(n: int) -> Iterator[int]:
    """Yield numbers."""
    yield from range(n)


@plain.function()
def pour(n: int, size: int) -> Iterator[str]:
    """Yield much."""
    for _ in range(n):
        yield "x" * size


@plain.function()
def flood(path: str, n: int) -> Iterator[bytes]:
    """Yield much, and note how much."""
    for number in range(n):
        note(path, number)
        yield bytes(48 << 10)


@plain.function()
def tell() -> str:
    """Use all of `current_job`."""
    job = current_job()
    job.status(1, 2)
    job.warning("careful")
    job.data(b'"part"')
    assert job.time_left is None
    return f"{job.name} {job.attempt} {job.unique!r} {job.handle!r} {job.arguments!r}"


@plain.function(timeout=0.4)
def dawdle(seconds: float) -> float:
    """Take longer than it may."""
    left = current_job().time_left
    assert left is not None and 0 < left <= 0.4
    time.sleep(seconds)
    return seconds


@plain.function(retries=Retries(3, backoff=0.05, jitter=0.0))
def flaky(path: str, good: int) -> int:
    """Fail until the try that is good."""
    note(path, f"{time.time():.3f}")
    attempt = current_job().attempt
    if attempt < good:
        raise OSError(f"try {attempt}")
    return attempt


@plain.function(retries=Retries(3, backoff=300.0))
def hopeless(path: str) -> int:
    """Fail, and be tried again much later."""
    note(path, os.getpid())
    raise OSError("not now")


@plain.function(concurrency=1)
def single(path: str, seconds: float) -> None:
    """Note when it begins and ends."""
    note(path, "+")
    time.sleep(seconds)
    note(path, "-")


@plain.function(rate=20)
def paced(path: str) -> int:
    """Note when it runs."""
    note(path, f"{time.monotonic():.4f}")
    return 0


@plain.function(rate=1000)
def rest(seconds: float) -> float:
    """Take long, over a connection of its own."""
    time.sleep(seconds)
    return seconds


@plain.function()
def die(how: str) -> int:
    """End the process that runs it."""
    if how == "exit":
        os._exit(3)
    os.kill(os.getpid(), signal.SIGKILL)
    return 0


@plain.function()
def die_once(path: str) -> bool:
    """End the process the first time."""
    note(path, os.getpid())
    if len(notes(Path(path))) == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return True


_HOARD: list[bytearray] = []


@plain.function()
def hoard(mib: int) -> int:
    """Take memory for good."""
    _HOARD.append(bytearray(mib << 20))
    return os.getpid()


@plain.function()
def start_program() -> int:
    """Start a program, and return how SIGTERM ends it."""
    with subprocess.Popen(["sleep", "60"]) as program:
        program.terminate()
        return program.wait()


tasks = App(tracebacks=True)
"""Asynchronous functions."""


@tasks.lifespan
@contextlib.asynccontextmanager
async def loop_resources() -> AsyncIterator[int]:
    """Say which task has it."""
    yield id(asyncio.get_running_loop())


@tasks.function("double")
async def double_async(n: int) -> int:
    """Return twice as much."""
    return 2 * n


@tasks.function("stamp")
async def stamp_async(n: int, path: str, seconds: float = 0.0) -> int:
    """Note that it ran, at its end."""
    await asyncio.sleep(seconds)
    note(path, n)
    return n


@tasks.function("hold")
async def hold_async(begun: str, go_on: str) -> str:
    """Note that it runs, and go on when a file is there."""
    note(begun, os.getpid())
    while not os.path.exists(go_on):
        await asyncio.sleep(0.01)  # a file may be made by another process: nothing tells of it
    return "went on"


@tasks.function("state")
async def state_async() -> bool:
    """Tell whether the lifespan's value is this loop's."""
    return current_job().state == id(asyncio.get_running_loop())


@tasks.function("count")
async def count_async(n: int) -> AsyncIterator[int]:
    """Yield numbers."""
    for number in range(n):
        yield number


@tasks.function("pour")
async def pour_async(n: int, size: int) -> AsyncIterator[str]:
    """Yield much."""
    for _ in range(n):
        yield "x" * size


@tasks.function("flood")
async def flood_async(path: str, n: int) -> AsyncIterator[bytes]:
    """Yield much, and note how much."""
    for number in range(n):
        note(path, number)
        yield bytes(48 << 10)


@tasks.function("tell")
async def tell_async() -> str:
    """Use all of `current_job`."""
    return tell()


@tasks.function()
async def tell_from_thread() -> int:
    """Report from a thread that has the same current job."""

    def work() -> int:
        for number in range(50):
            current_job().data(b"%d" % number)
        return threading.get_ident()

    return await asyncio.to_thread(work) - threading.get_ident()


@tasks.function("dawdle", timeout=0.4)
async def dawdle_async(seconds: float) -> float:
    """Take longer than it may."""
    await asyncio.sleep(seconds)
    return seconds


@tasks.function("flaky", retries=Retries(3, backoff=0.05, jitter=0.0))
async def flaky_async(path: str, good: int) -> int:
    """Fail until the try that is good."""
    note(path, f"{time.time():.3f}")
    attempt = current_job().attempt
    if attempt < good:
        raise OSError(f"try {attempt}")
    return attempt


@tasks.function("hopeless", retries=Retries(3, backoff=300.0))
async def hopeless_async(path: str) -> int:
    """Fail, and be tried again much later."""
    note(path, os.getpid())
    raise OSError("not now")


@tasks.function("single", concurrency=1)
async def single_async(path: str, seconds: float) -> None:
    """Note when it begins and ends."""
    note(path, "+")
    await asyncio.sleep(seconds)
    note(path, "-")


@tasks.function("paced", rate=20)
async def paced_async(path: str) -> int:
    """Note when it runs."""
    note(path, f"{time.monotonic():.4f}")
    return 0


@tasks.function("rest", rate=1000)
async def rest_async(seconds: float) -> float:
    """Take long, over a connection of its own."""
    await asyncio.sleep(seconds)
    return seconds


@tasks.function("forsaken")
async def forsaken() -> None:
    """Await something that was cancelled, though nobody cancels this."""
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    future.cancel()
    await future


APPS = {"threads": plain, "processes": plain, "tasks": tasks}
"""An app with the same functions, for each pool."""

unlimited = App()
"""Two of the functions, none of which has a limit of its own: one connection to each server."""
unlimited.function("hold")(hold.body)
unlimited.function("double")(double.body)

unlimited_tasks = App()
"""The same, asynchronous."""
unlimited_tasks.function("hold")(hold_async.body)
unlimited_tasks.function("double")(double_async.body)

UNLIMITED = {"threads": unlimited, "processes": unlimited, "tasks": unlimited_tasks}
