"""Submit jobs to Gearman servers, from threads or from asyncio."""

from typing import TYPE_CHECKING

from gear_client.__about__ import __version__
from gear_client.client import Client
from gear_client.expectations import JobState
from gear_client.jobs import BinaryJob, Job
from gear_client.text import TextJob, TextList
from gear_wire.constants import PRECEDENCE_HIGH, PRECEDENCE_LOW, PRECEDENCE_NORMAL

if TYPE_CHECKING:
    from gear_client.async_client import AsyncClient
    from gear_client.async_job import AsyncJob

__all__ = [
    "PRECEDENCE_HIGH",
    "PRECEDENCE_LOW",
    "PRECEDENCE_NORMAL",
    "AsyncClient",
    "AsyncJob",
    "BinaryJob",
    "Client",
    "Job",
    "JobState",
    "TextJob",
    "TextList",
    "__version__",
]


def __getattr__(name: str) -> object:
    # asyncio takes as long to load as all the rest: only who uses it pays for it.
    if name == "AsyncClient":
        from gear_client.async_client import AsyncClient

        return AsyncClient
    if name == "AsyncJob":
        from gear_client.async_job import AsyncJob

        return AsyncJob
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
