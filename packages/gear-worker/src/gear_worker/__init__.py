"""Take jobs from Gearman servers, in threads or on asyncio."""

import importlib
from typing import TYPE_CHECKING, Final

from gear_worker.__about__ import __version__

if TYPE_CHECKING:
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
    from gear_worker.async_job import AsyncWorkerJob
    from gear_worker.async_worker import AsyncWorker
    from gear_worker.functions import FunctionRecord
    from gear_worker.jobs import BinaryWorkerJob, WorkerJob
    from gear_worker.runner import Runner, RunnerSettings, run, running
    from gear_worker.text import TextWorker, TextWorkerJob
    from gear_worker.worker import Worker

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

# Where a name is loaded from when it is used: asyncio takes as long to load as all the rest, and
# the program gear-worker needs none of this to answer --help.
_HOMES: Final = {
    "AsyncWorker": "gear_worker.async_worker",
    "AsyncWorkerJob": "gear_worker.async_job",
    "BinaryWorkerJob": "gear_worker.jobs",
    "FunctionRecord": "gear_worker.functions",
    "Runner": "gear_worker.runner.runner",
    "RunnerSettings": "gear_worker.runner.settings",
    "TextWorker": "gear_worker.text",
    "TextWorkerJob": "gear_worker.text",
    "Worker": "gear_worker.worker",
    "WorkerJob": "gear_worker.jobs",
    "run": "gear_worker.runner.blocking",
    "running": "gear_worker.runner.runner",
}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = importlib.import_module(_HOMES.get(name, "gear_wire.functions"))
    value: object = getattr(home, name)
    globals()[name] = value
    return value
