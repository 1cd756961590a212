"""`AdminClient`: the administrative protocol with typed results, blocking."""

import os
from types import TracebackType
from typing import ClassVar, Self, TypeVar

from gear_admin import commands
from gear_admin.commands import Command
from gear_admin.requests import AdminRequest
from gear_wire.errors import TimeoutError
from gear_wire.link.address import DEFAULT_PORT
from gear_wire.link.threads.connection import Connection
from gear_wire.text import (
    MAX_REPLY_SIZE,
    AccessEntry,
    ConnectionStatus,
    FunctionActivity,
    FunctionCounters,
    FunctionQueue,
    FunctionStatus,
    JobStatus,
)
from gear_wire.timeouts import check_timeout
from gear_wire.types import UniqueKey

Result = TypeVar("Result")


class _CommandRequest(AdminRequest):
    """A request made of a `Command`.

    Args:
        what: The command.
        line: The whole line to send.
    """

    command: ClassVar[bytes | None] = b"command"

    def __init__(self, what: Command[Result], line: bytes) -> None:
        self._line = line
        self._lines = what.lines
        self._is_refusal = what.is_refusal
        super().__init__()

    def getCommand(self) -> bytes:
        return self._line

    def _is_answer(self, line: bytes) -> bool:
        return not self._lines or self._is_refusal(line)


class AdminClient:
    """Asks one server, and returns what it says as typed values.

    A context manager: entering it connects. Every method raises ServerError when the server says
    ERR, TimeoutError when it says nothing, and ConnectionError when it is gone. One that was not
    answered in time closes the connection: its reply would be taken for the next one's. A row of a
    table that cannot be read is left out, with a warning.

    Args:
        host: The server's name or address.
        port: Its port.
        ssl_key: Path of the private key; the three files go together.
        ssl_cert: Path of the certificate.
        ssl_ca: Path of the certificates of the authority.
        timeout: Seconds that each method may take, connecting too; None for no limit.
        ssl_check_hostname: Whether the server's certificate must name `host`.
        max_reply_size: The longest reply taken in, in bytes; a longer one ends the connection.

    Raises:
        ConfigurationError: The host is no name, the port is out of range, one of the three files
            is missing or cannot be used.
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
        max_reply_size: int = MAX_REPLY_SIZE,
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
        self._connection.max_reply_size = max_reply_size

    def __enter__(self) -> Self:
        """Connect."""
        self.connect()
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
        """Connect to the server; one that is connected is disconnected first.

        Raises:
            ConnectionError: It cannot be reached in time, or TLS fails.
        """
        self._connection.connect(self._timeout)

    def disconnect(self) -> None:
        """Close the connection; the client may connect again."""
        self._connection.disconnect()

    def _request(self, command: Command[Result], *arguments: str | bytes | int) -> Result:
        request = _CommandRequest(command, command.line(*arguments))
        try:
            self._connection.sendAdminRequest(request, self._timeout)
        except TimeoutError:
            self._connection.disconnect()
            raise
        return command.read(request.reply())

    def status(self) -> list[FunctionStatus]:
        """Return the functions, with their jobs and workers."""
        return self._request(commands.STATUS)

    def priorityStatus(self) -> list[FunctionQueue]:
        """Return the functions, with their queued jobs by precedence."""
        return self._request(commands.PRIORITY_STATUS)

    def workers(self) -> list[ConnectionStatus]:
        """Return the server's connections, with what each can do."""
        return self._request(commands.WORKERS)

    def showJobs(self) -> list[JobStatus]:
        """Return the jobs that the server has."""
        return self._request(commands.SHOW_JOBS)

    def showFunctions(self) -> list[FunctionActivity]:
        """Return the functions, with the jobs that have ended and the wait; only `geard` can."""
        return self._request(commands.SHOW_FUNCTIONS)

    def showCounters(self) -> list[FunctionCounters]:
        """Return the functions, with what has happened to their jobs; only `geard` can."""
        return self._request(commands.SHOW_COUNTERS)

    def showUniqueJobs(self) -> list[UniqueKey]:
        """Return the uniques of the jobs that the server has; geard escapes control characters."""
        return self._request(commands.SHOW_UNIQUE_JOBS)

    def version(self) -> str:
        """Return the server's version."""
        return self._request(commands.VERSION)

    def verbose(self) -> str:
        """Return the server's log level."""
        return self._request(commands.VERBOSE)

    def getPid(self) -> int:
        """Return the server's process id."""
        return self._request(commands.GETPID)

    def cancelJob(self, handle: str | bytes) -> None:
        """Take a queued job back."""
        self._request(commands.CANCEL_JOB, handle)

    def createFunction(self, function: str | bytes) -> None:
        """Make a function known before a worker has it."""
        self._request(commands.CREATE_FUNCTION, function)

    def dropFunction(self, function: str | bytes) -> None:
        """Forget a function that nobody uses."""
        self._request(commands.DROP_FUNCTION, function)

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
        self._request(commands.MAXQUEUE, *arguments)

    def jobTimeout(self, function: str | bytes, seconds: int) -> None:
        """Limit how long a worker may have a job of a function; only `geard` can.

        Args:
            function: The function.
            seconds: The limit, in whole seconds, in place of the server's; 0 for none.
        """
        self._request(commands.JOBTIMEOUT, function, seconds)

    def jobLog(self, function: str | bytes, on: bool) -> None:
        """Switch the log of a function's jobs; only `geard` can.

        Args:
            function: The function, or the beginning of names with a ``*``.
            on: Whether lines tell when its jobs are submitted, assigned and ended.
        """
        self._request(commands.JOBLOG, *commands.joblog_arguments(function, on))

    def accessList(self) -> list[AccessEntry]:
        """Return the access control list; only `geard` and `Server` have one."""
        return self._request(commands.ACL_LIST)

    def grantAccess(
        self, right: str, subject: str | bytes, pattern: str | bytes | None = None
    ) -> None:
        """Give a subject a right.

        Args:
            right: ``register``, ``invoke``, ``grant``, ``admin`` or ``see``.
            subject: The common name of its certificate.
            pattern: For the first two, a regular expression of the functions that are meant.
        """
        words = (right, subject) if pattern is None else (right, subject, pattern)
        self._request(commands.ACL_GRANT, *words)

    def revokeAccess(self, right: str, subject: str | bytes) -> None:
        """Take a right from a subject.

        Args:
            right: One that `grantAccess` gives, or ``all``.
            subject: The common name of its certificate.
        """
        self._request(commands.ACL_REVOKE, right, subject)

    def revokeOwnAccess(self, right: str) -> None:
        """Give up a right of the client's own certificate.

        Args:
            right: One that `grantAccess` gives, or ``all``.
        """
        self._request(commands.ACL_SELF_REVOKE, right)
