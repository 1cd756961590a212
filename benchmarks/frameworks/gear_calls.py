"""gear: the worker command, with ten threads or ten coroutines."""

import contextlib
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import gear
from benchmarks.frameworks import tally

_PORT = int(os.environ["MEASURED_PORT"])
app = gear.App()
threaded = app.function("threaded")(tally.measured)
awaited = app.function("awaited")(tally.measured_async)

_WORKER = [
    "gear-worker", f"{__name__}:app", "--server", f"127.0.0.1:{_PORT}", "--concurrency", "10",
    "--log-level", "warning",
]  # fmt: skip
WORKERS = dict.fromkeys(("drain", "latency", "threads", "tasks"), _WORKER)
MOST = 20_000


@contextlib.contextmanager
def _client() -> Iterator[gear.Client]:
    with gear.Client() as client:
        client.addServer("127.0.0.1", _PORT)
        client.waitForServer(timeout=30)
        yield client


def fill(role: str, jobs: int) -> None:
    """Queue jobs whose results nobody wants, of the function that a role runs."""
    function = threaded if role == "threads" else awaited
    with _client() as client, ThreadPoolExecutor(8) as pool:
        forgotten = function.using(background=True)
        for _ in pool.map(lambda number: client.start(forgotten, number), range(jobs)):
            pass


@contextlib.contextmanager
def calls() -> Iterator[Callable[[int], int]]:
    """Give a function that runs one job and returns its result."""
    with _client() as client:
        yield lambda number: client.call(awaited, number)
