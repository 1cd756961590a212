"""`AdminClient`: the administrative protocol with typed results, blocking."""

import os
from types import TracebackType
from typing import Self, TypeVar

from gear_admin import commands
from gear_admin.commands import Command
from gear_admin.requests import AdminRequest
from gear_wire.link.address import DEFAULT_PORT
from gear_wire.link.threads.connection import Connection
from gear_wire.text import ConnectionStatus, FunctionQueue, FunctionStatus, JobStatus
from gear_wire.timeouts import check_timeout
from gear_wire.types import UniqueKey

Result = TypeVar("Result")


class _CommandRequest(AdminRequest):
    """A request made of a `Command`."""

    def __init__(self, line: bytes, lines: bool) -> None:
        self.command = line  # type: ignore[misc]  # the one request whose command is its own
        self.one_line = not lines  # type: ignore[misc]  # likewise
        super().__init__()

    def getCommand(self) -> bytes:
        return self.command or b""

    def _isAnswer(self, line: bytes) -> bool:
        return line.startswith(b"ERR ") and line.endswith(b"\r\n")


class AdminClient:
    """Asks one server, and returns what it says as typed values.

    A context manager: entering it connects. Every method raises ServerError when the server says
    ERR, TimeoutError when it says nothing, and ConnectionError when it is gone.

    Args:
        host: The server's name or address.
        port: Its port.
        ssl_key: Path of the private key; the three files go together.
        ssl_cert: Path of the certificate.
        ssl_ca: Path of the certificates of the authority.
        timeout: Seconds to wait for each reply; None for no limit.
        ssl_check_hostname: Whether the server's certificate must name `host`.
    """

    def __init__(
        self,
        host: str | bytes = "localhost",
        port: int | str = DEFAULT_PORT,
        ssl_key: str | os.PathLike[str] | None = None,
        ssl_cert: str | os.PathLike[str] | None = None,
        ssl_ca: str | os.PathLike[str] | None = None,
        timeout: float | None = 30,
        *,
        ssl_check_hostname: bool = True,
    ) -> None:
        self._timeout = check_timeout(timeout)
        self._connection = Connection(
            host,
            port,
            ssl_key,
            ssl_cert,
            ssl_ca,
            "admin",
            ssl_check_hostname=ssl_check_hostname,
        )

    def __enter__(self) -> Self:
        """Connect."""
        self._connection.connect()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Disconnect."""
        self.disconnect()

    def connect(self) -> None:
        """Connect to the server."""
        self._connection.connect()

    def disconnect(self) -> None:
        """Close the connection."""
        self._connection.disconnect()

    def _ask(self, command: Command[Result], *arguments: str | bytes | int) -> Result:
        request = _CommandRequest(command.line(*arguments), command.lines)
        self._connection.sendAdminRequest(request, self._timeout)
        return command.read(request.reply())

    def status(self) -> list[FunctionStatus]:
        """Return the functions, with their jobs and workers."""
        return self._ask(commands.STATUS)

    def priorityStatus(self) -> list[FunctionQueue]:
        """Return the functions, with their queued jobs by precedence."""
        return self._ask(commands.PRIORITY_STATUS)

    def workers(self) -> list[ConnectionStatus]:
        """Return the server's connections, with what each can do."""
        return self._ask(commands.WORKERS)

    def showJobs(self) -> list[JobStatus]:
        """Return the jobs that the server has."""
        return self._ask(commands.SHOW_JOBS)

    def showUniqueJobs(self) -> list[UniqueKey]:
        """Return the uniques of the jobs that the server has."""
        return self._ask(commands.SHOW_UNIQUE_JOBS)

    def version(self) -> str:
        """Return the server's version."""
        return self._ask(commands.VERSION)

    def verbose(self) -> str:
        """Return the server's log level."""
        return self._ask(commands.VERBOSE)

    def getPid(self) -> int:
        """Return the server's process id."""
        return self._ask(commands.GETPID)

    def cancelJob(self, handle: str | bytes) -> None:
        """Take a queued job back."""
        self._ask(commands.CANCEL_JOB, handle)

    def createFunction(self, function: str | bytes) -> None:
        """Make a function known before a worker has it."""
        self._ask(commands.CREATE_FUNCTION, function)

    def dropFunction(self, function: str | bytes) -> None:
        """Forget a function that nobody uses."""
        self._ask(commands.DROP_FUNCTION, function)

    def maxQueue(
        self,
        function: str | bytes,
        limit: int | None = None,
        normal: int | None = None,
        low: int | None = None,
    ) -> None:
        """Limit how many jobs of a function may wait.

        Args:
            function: The function.
            limit: The limit for all precedences, or with the others that for high; None for none.
            normal: The limit for normal precedence.
            low: The limit for low precedence.
        """
        arguments = commands.maxqueue_arguments(function, limit, normal, low)
        self._ask(commands.MAXQUEUE, *arguments)
