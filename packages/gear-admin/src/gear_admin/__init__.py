"""Ask Gearman servers for their state, with typed answers."""

from typing import TYPE_CHECKING

from gear_admin.__about__ import __version__
from gear_admin.client import AdminClient
from gear_admin.requests import (
    AdminRequest,
    CancelJobAdminRequest,
    ShowJobsAdminRequest,
    ShowUniqueJobsAdminRequest,
    StatusAdminRequest,
    VersionAdminRequest,
    WorkersAdminRequest,
)

if TYPE_CHECKING:
    from gear_admin.async_client import AsyncAdminClient

__all__ = [
    "AdminClient",
    "AdminRequest",
    "AsyncAdminClient",
    "CancelJobAdminRequest",
    "ShowJobsAdminRequest",
    "ShowUniqueJobsAdminRequest",
    "StatusAdminRequest",
    "VersionAdminRequest",
    "WorkersAdminRequest",
    "__version__",
]


def __getattr__(name: str) -> object:
    # asyncio takes as long to load as all the rest: only who uses it pays for it.
    if name == "AsyncAdminClient":
        from gear_admin.async_client import AsyncAdminClient

        return AsyncAdminClient
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
