"""taskiq: ten coroutines in one process, on uvloop; streams for throughput, lists for latency."""

import asyncio
import contextlib
import os
from collections.abc import Callable, Iterator

from taskiq_redis import (  # type: ignore[import-not-found]  # only its own environment has it
    ListQueueBroker,
    RedisAsyncResultBackend,
    RedisStreamBroker,
)

from benchmarks.frameworks import tally

_URL = f"redis://127.0.0.1:{os.environ['MEASURED_PORT']}"
forgetting = RedisStreamBroker(_URL, consumer_id="0", xread_count=1000)
forgotten = forgetting.task(task_name="forgotten")(tally.measured_async)
answering = ListQueueBroker(_URL).with_result_backend(RedisAsyncResultBackend(_URL))
answered = answering.task(task_name="answered")(tally.measured_async)

_WORKER = [
    "taskiq", "worker", "--workers", "1", "--max-async-tasks", "10", "--max-prefetch", "1000",
    "--no-parse", "--ack-type", "when_received", "--log-level", "ERROR",
]  # fmt: skip
WORKERS = {
    "drain": [*_WORKER, f"{__name__}:forgetting"],
    "latency": [*_WORKER, f"{__name__}:answering"],
}

MOST = 8000


def fill(_role: str, jobs: int) -> None:
    """Queue jobs whose results nobody wants."""

    async def send() -> None:
        await forgetting.startup()
        for start in range(0, jobs, 50):
            await asyncio.gather(*(forgotten.kiq(n) for n in range(start, start + 50)))
        await forgetting.shutdown()

    asyncio.run(send())


@contextlib.contextmanager
def calls() -> Iterator[Callable[[int], int]]:
    """Give a function that runs one job and returns its result."""

    async def call(number: int) -> int:
        task = await answered.kiq(number)
        result: int = (await task.wait_result(check_interval=0.0002, timeout=30)).return_value
        return result

    with asyncio.Runner() as runner:
        runner.run(answering.startup())
        loop = runner.get_loop()
        yield lambda number: loop.run_until_complete(call(number))
        runner.run(answering.shutdown())
