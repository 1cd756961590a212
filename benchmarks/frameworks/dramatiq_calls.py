"""Dramatiq: ten threads in one process; many jobs are fetched ahead."""

import contextlib
import os
from collections.abc import Callable, Iterator

import dramatiq  # type: ignore[import-not-found]  # only its own environment has it
from dramatiq.brokers.redis import RedisBroker  # type: ignore[import-not-found]  # likewise
from dramatiq.results import Results  # type: ignore[import-not-found]  # likewise
from dramatiq.results.backends import RedisBackend  # type: ignore[import-not-found]  # likewise

from benchmarks.frameworks import tally

_URL = f"redis://127.0.0.1:{os.environ['MEASURED_PORT']}/0"
_broker = RedisBroker(url=_URL)
_broker.add_middleware(Results(backend=RedisBackend(url=_URL)))
dramatiq.set_broker(_broker)
forgotten = dramatiq.actor(tally.measured, actor_name="forgotten")
answered = dramatiq.actor(tally.measured, actor_name="answered", store_results=True)

_WORKER = ["dramatiq", "--processes", "1", "--threads", "10", __name__]
WORKERS = {
    "drain": ["dramatiq_queue_prefetch=1000", *_WORKER],
    # It asks for jobs in turns; the longest pause between two is this, in milliseconds.
    "latency": ["dramatiq_worker_timeout=1", *_WORKER],
}

MOST = 8000


def fill(_role: str, jobs: int) -> None:
    """Queue jobs whose results nobody wants."""
    for number in range(jobs):
        forgotten.send(number)


@contextlib.contextmanager
def calls() -> Iterator[Callable[[int], int]]:
    """Give a function that runs one job and returns its result."""

    def call(number: int) -> int:
        result: int = answered.send(number).get_result(block=True, timeout=30_000)
        return result

    yield call
