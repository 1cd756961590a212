"""The documented administrative requests; what all of them share is in `gear_wire`."""

from typing import ClassVar

from gear_wire.link.threads.requests import AdminRequest, CancelJobAdminRequest
from gear_wire.text import (
    ConnectionStatus,
    FunctionStatus,
    JobStatus,
    is_refusal,
    parse_connection,
    parse_function_status,
    parse_job,
    parse_line,
    parse_rows,
    parse_unique,
)
from gear_wire.types import UniqueKey

__all__ = [
    "AdminRequest",
    "CancelJobAdminRequest",
    "ShowJobsAdminRequest",
    "ShowUniqueJobsAdminRequest",
    "StatusAdminRequest",
    "VersionAdminRequest",
    "WorkersAdminRequest",
]


class StatusAdminRequest(AdminRequest):
    """``status``: the functions, with their jobs and workers."""

    command: ClassVar[bytes | None] = b"status"

    def __init__(self) -> None:
        super().__init__()

    def rows(self) -> list[FunctionStatus]:
        """Return the reply, a row a function; raises ServerError for an ERR reply."""
        return parse_rows(self.reply(), parse_function_status)


class ShowJobsAdminRequest(AdminRequest):
    """``show jobs``: the jobs that the server has."""

    command: ClassVar[bytes | None] = b"show jobs"

    def __init__(self) -> None:
        super().__init__()

    def rows(self) -> list[JobStatus]:
        """Return the reply, a row a job; raises ServerError for an ERR reply."""
        return parse_rows(self.reply(), parse_job)


class ShowUniqueJobsAdminRequest(AdminRequest):
    """``show unique jobs``: the uniques of the jobs that the server has."""

    command: ClassVar[bytes | None] = b"show unique jobs"

    def __init__(self) -> None:
        super().__init__()

    def _is_answer(self, line: bytes) -> bool:
        # A unique may be anything, "OK" too.
        return is_refusal(line)

    def rows(self) -> list[UniqueKey]:
        """Return the uniques, in order; raises ServerError for an ERR reply."""
        return parse_rows(self.reply(), parse_unique)


class VersionAdminRequest(AdminRequest):
    """``version``: the server's version."""

    command: ClassVar[bytes | None] = b"version"
    one_line: ClassVar[bool] = True

    def __init__(self) -> None:
        super().__init__()

    def version(self) -> str:
        """Return the version alone; raises ServerError for an ERR reply."""
        return parse_line(self.reply()).decode(errors="replace")


class WorkersAdminRequest(AdminRequest):
    """``workers``: the server's connections, with what each can do."""

    command: ClassVar[bytes | None] = b"workers"

    def __init__(self) -> None:
        super().__init__()

    def rows(self) -> list[ConnectionStatus]:
        """Return the reply, a row a connection; raises ServerError for an ERR reply."""
        return parse_rows(self.reply(), parse_connection)
