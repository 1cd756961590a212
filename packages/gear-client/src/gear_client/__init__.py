"""Submit jobs to Gearman servers, from threads or from asyncio."""

import importlib
from typing import TYPE_CHECKING, Final

from gear_client.__about__ import __version__

if TYPE_CHECKING:
    from gear_client.async_client import AsyncClient
    from gear_client.async_job import AsyncJob
    from gear_client.async_typed import AsyncStreamJob, AsyncTypedJob
    from gear_client.client import Client
    from gear_client.expectations import JobState
    from gear_client.jobs import BinaryJob, Job
    from gear_client.text import TextJob, TextList
    from gear_client.typed import StreamJob, TypedJob
    from gear_wire.constants import PRECEDENCE_HIGH, PRECEDENCE_LOW, PRECEDENCE_NORMAL
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

__all__ = [
    "PRECEDENCE_HIGH",
    "PRECEDENCE_LOW",
    "PRECEDENCE_NORMAL",
    "App",
    "AsyncClient",
    "AsyncJob",
    "AsyncStreamJob",
    "AsyncTypedJob",
    "BinaryJob",
    "CallOptions",
    "Client",
    "CurrentJob",
    "Every",
    "Function",
    "FunctionOptions",
    "InvalidArgumentsError",
    "Job",
    "JobState",
    "Lifespan",
    "RemoteError",
    "Retries",
    "StreamFunction",
    "StreamJob",
    "TextJob",
    "TextList",
    "TypedJob",
    "__version__",
    "current_job",
]


# Only who uses something pays for it: asyncio takes as long to load as all the rest, and a command
# line shows its help without either.
_MODULES: Final = {
    "gear_client.async_client": ("AsyncClient",),
    "gear_client.async_job": ("AsyncJob",),
    "gear_client.async_typed": ("AsyncStreamJob", "AsyncTypedJob"),
    "gear_client.client": ("Client",),
    "gear_client.expectations": ("JobState",),
    "gear_client.jobs": ("BinaryJob", "Job"),
    "gear_client.text": ("TextJob", "TextList"),
    "gear_client.typed": ("StreamJob", "TypedJob"),
    "gear_wire.constants": ("PRECEDENCE_HIGH", "PRECEDENCE_LOW", "PRECEDENCE_NORMAL"),
    "gear_wire.functions": (
        "App", "CallOptions", "CurrentJob", "Every", "Function", "FunctionOptions",
        "InvalidArgumentsError", "Lifespan", "RemoteError", "Retries", "StreamFunction",
        "current_job",
    ),
}  # fmt: skip


def __getattr__(name: str) -> object:
    for module, names in _MODULES.items():
        if name in names:
            value: object = getattr(importlib.import_module(module), name)
            return globals().setdefault(name, value)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
