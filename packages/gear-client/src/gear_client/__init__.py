"""Submit jobs to Gearman servers, from threads or from asyncio."""

import importlib
from typing import TYPE_CHECKING

from gear_client.__about__ import __version__
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

if TYPE_CHECKING:
    from gear_client.async_client import AsyncClient
    from gear_client.async_job import AsyncJob
    from gear_client.async_typed import AsyncStreamJob, AsyncTypedJob

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


def __getattr__(name: str) -> object:
    # asyncio takes as long to load as all the rest: only who uses it pays for it.
    modules = {
        "AsyncClient": "async_client",
        "AsyncJob": "async_job",
        "AsyncStreamJob": "async_typed",
        "AsyncTypedJob": "async_typed",
    }
    if name in modules:
        value: object = getattr(importlib.import_module(f"gear_client.{modules[name]}"), name)
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
