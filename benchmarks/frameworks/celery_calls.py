"""Celery: threads, since its processes and greenlets do less; many jobs are fetched ahead."""

import contextlib
import os
from collections.abc import Callable, Iterator

from celery import Celery  # type: ignore[import-not-found]  # only its own environment has it

from benchmarks.frameworks import tally

_URL = f"redis://127.0.0.1:{os.environ['MEASURED_PORT']}"
app = Celery("measured", broker=f"{_URL}/0", backend=f"{_URL}/1")
app.conf.update(worker_prefetch_multiplier=128, worker_disable_rate_limits=True)
task = app.task(tally.measured, name="measured")

_QUIET = ["--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel", "ERROR"]
_TEN = ["--pool", "threads", "--concurrency", "10"]
_WORKER = ["celery", "-A", __name__, "worker", *_TEN, *_QUIET]
WORKERS = {"drain": _WORKER, "latency": _WORKER}

MOST = 2500


def fill(_role: str, jobs: int) -> None:
    """Queue jobs whose results nobody wants."""
    with app.producer_or_acquire() as producer:
        for number in range(jobs):
            task.apply_async((number,), ignore_result=True, producer=producer)


@contextlib.contextmanager
def calls() -> Iterator[Callable[[int], int]]:
    """Give a function that runs one job and returns its result."""

    def call(number: int) -> int:
        result: int = task.delay(number).get(timeout=30)
        return result

    yield call
