"""RQ: a worker runs one job at a time; SimpleWorker does so without a process for each."""

import contextlib
import os
from collections.abc import Callable, Iterator

from redis import Redis  # type: ignore[import-not-found]  # only its own environment has it
from rq import Queue  # type: ignore[import-not-found]  # likewise

from benchmarks.frameworks import tally

_redis = Redis(port=int(os.environ["MEASURED_PORT"]))
_queue = Queue(connection=_redis)

_WORKER = [
    "rq", "worker", "--quiet", "--worker-class", "rq.SimpleWorker",
    "--url", f"redis://127.0.0.1:{os.environ['MEASURED_PORT']}",
]  # fmt: skip
WORKERS = {"drain": _WORKER, "latency": _WORKER}

MOST = 1500


def fill(_role: str, jobs: int) -> None:
    """Queue jobs whose results nobody wants."""
    with _redis.pipeline() as pipeline:
        ready = [
            Queue.prepare_data(tally.measured, (number,), result_ttl=0) for number in range(jobs)
        ]
        _queue.enqueue_many(ready, pipeline=pipeline)
        pipeline.execute()


@contextlib.contextmanager
def calls() -> Iterator[Callable[[int], int]]:
    """Give a function that runs one job and returns its result."""

    def call(number: int) -> int:
        result = _queue.enqueue(tally.measured, number).latest_result(timeout=30)
        value: int = result.return_value
        return value

    yield call
