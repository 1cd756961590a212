"""Take jobs from Gearman servers, in threads or on asyncio."""

from typing import TYPE_CHECKING

from gear_wire.functions import (
    App,
    CallOptions,
    CurrentJob,
    Every,
    Function,
    FunctionOptions,
    InvalidArgumentsError,
    Lifespan,
    RemoteError,
    Retries,
    StreamFunction,
    current_job,
)
from gear_worker.__about__ import __version__
from gear_worker.functions import FunctionRecord
from gear_worker.jobs import BinaryWorkerJob, WorkerJob
from gear_worker.text import TextWorker, TextWorkerJob
from gear_worker.worker import Worker

if TYPE_CHECKING:
    from gear_worker.async_job import AsyncWorkerJob
    from gear_worker.async_worker import AsyncWorker
    from gear_worker.runner import Runner, RunnerSettings, run, running

__all__ = [
    "App",
    "AsyncWorker",
    "AsyncWorkerJob",
    "BinaryWorkerJob",
    "CallOptions",
    "CurrentJob",
    "Every",
    "Function",
    "FunctionOptions",
    "FunctionRecord",
    "InvalidArgumentsError",
    "Lifespan",
    "RemoteError",
    "Retries",
    "Runner",
    "RunnerSettings",
    "StreamFunction",
    "TextWorker",
    "TextWorkerJob",
    "Worker",
    "WorkerJob",
    "__version__",
    "current_job",
    "run",
    "running",
]


def __getattr__(name: str) -> object:
    # asyncio takes as long to load as all the rest: only who uses it pays for it.
    if name in ("AsyncWorker", "AsyncWorkerJob"):
        from gear_worker import async_worker

        value: object = getattr(async_worker, name)
        return value
    if name in ("Runner", "RunnerSettings", "run", "running"):
        from gear_worker import runner

        value = getattr(runner, name)
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
