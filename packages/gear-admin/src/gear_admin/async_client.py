"""`AsyncAdminClient`: the administrative protocol with typed results, on asyncio."""

import asyncio
import os
import warnings
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self, TypeVar

from gear_admin import commands
from gear_admin.commands import Command
from gear_wire.codec import to_frame
from gear_wire.enums import Magic
from gear_wire.errors import ConnectionError, DisconnectError, ProtocolError
from gear_wire.framing import Frame
from gear_wire.link.address import DEFAULT_PORT, ServerAddress
from gear_wire.link.aio.connecting import open_stream
from gear_wire.link.aio.home import Home
from gear_wire.link.aio.stream import Stream
from gear_wire.link.aio.within import within
from gear_wire.link.deadline import Deadline
from gear_wire.link.heartbeat import PAYLOAD
from gear_wire.packets import EchoRes
from gear_wire.text import (
    MAX_REPLY_SIZE,
    AccessEntry,
    ConnectionStatus,
    FunctionActivity,
    FunctionCounters,
    FunctionQueue,
    FunctionStatus,
    JobStatus,
    is_refusal,
)
from gear_wire.timeouts import check_timeout
from gear_wire.types import UniqueKey

Result = TypeVar("Result")
_PROBED: Final = to_frame(EchoRes(PAYLOAD), Magic.RES)


class _ReplyReader:
    """Puts the lines of one reply after the other together.

    Args:
        server: Who answers.
        max_size: The longest reply taken in, in bytes.
    """

    def __init__(self, server: ServerAddress, max_size: int) -> None:
        self._server = server
        self._max_size = max_size
        self._text = bytearray()
        self._lines = False
        self._is_refusal: Callable[[bytes], bool] = is_refusal
        self._reply: asyncio.Future[bytes] | None = None

    def __repr__(self) -> str:
        return str(self._server)

    def expect(self, command: Command[Result]) -> asyncio.Future[bytes]:
        """Return what is done when the next reply, that to a command, is whole."""
        self._text = bytearray()
        self._lines = command.lines
        self._is_refusal = command.is_refusal
        self._reply = asyncio.get_running_loop().create_future()
        return self._reply

    def receive(self, frame: Frame) -> None:
        """Refuse a packet: nobody asks for one, but for the echo that TLS may begin with."""
        if frame != _PROBED:
            raise ProtocolError(f"a packet of type {frame.type} that nobody asked for")

    @property
    def expects_text(self) -> bool:
        """Whether a reply is awaited."""
        return self._reply is not None

    def receive_line(self, line: bytes) -> bool:
        """Take in a line of the reply; False when none is expected."""
        reply = self._reply
        if reply is None:
            return False
        refused = not self._text and self._is_refusal(line)
        self._text += line
        if len(self._text) > self._max_size:
            raise ProtocolError(f"a reply of over {self._max_size} bytes")
        if refused or not self._lines or line.rstrip(b"\r\n") == b".":
            self._reply = None
            if not reply.done():
                reply.set_result(bytes(self._text))
            self._text = bytearray()
        return True


class AsyncAdminClient:
    """Asks one server, and returns what it says as typed values.

    An async context manager: entering it connects. Every method raises ServerError when the
    server says ERR, TimeoutError when it says nothing, and ConnectionError when it is gone. A
    method that is cancelled, or was not answered in time, closes the connection: its reply would
    be taken for the next one's. A row of a table that cannot be read is left out, with a warning.

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

    _stream: Stream | None = None

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
        self._max_reply_size = max_reply_size
        self._server = ServerAddress.of(
            host, port, ssl_key, ssl_cert, ssl_ca, ssl_check_hostname=ssl_check_hostname
        )
        self._tls_context = self._server.tls_context()
        self._timeout = check_timeout(timeout)
        self._home = Home()
        self._turn = asyncio.Lock()
        self._replies = _ReplyReader(self._server, max_reply_size)

    def __repr__(self) -> str:
        return f"<gear.AsyncAdminClient 0x{id(self):x} {self._server}>"

    async def __aenter__(self) -> Self:
        """Connect."""
        await self.connect()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Disconnect."""
        await self.close()

    async def connect(self) -> None:
        """Connect to the server; one that is connected is disconnected first.

        Raises:
            ConnectionError: It cannot be reached in time, or TLS fails.
            GearmanError: The client belongs to another event loop.
        """
        deadline = Deadline(self._timeout)
        self._home.enter(self)
        self._disconnect()
        replies = _ReplyReader(self._server, self._max_reply_size)
        try:
            stream = await open_stream(
                replies, self._server, self._tls_context, deadline, self._max_reply_size
            )
        except ConnectionError as error:
            raise ConnectionError(f"cannot connect to {self._server}: {error}") from error
        self._disconnect()  # or another task has connected meanwhile
        self._stream, self._replies = stream, replies

    async def close(self) -> None:
        """Close the connection; the client may connect again.

        Raises:
            GearmanError: The client belongs to another event loop, which goes on.
        """
        if self._home.ended or self._home.foreign:
            self._release()
            return
        self._home.enter(self)
        stream = self._stream
        self._disconnect()
        if stream is not None:
            await stream.closed

    def _disconnect(self) -> None:
        # Nothing is lost: whoever sent something waits for its answer.
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.break_off("the client was closed")

    def _release(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None and not self._home.foreign:
            stream.release()

    def __del__(self) -> None:
        """Close what nobody can close any more."""
        stream = self._stream
        if stream is not None and not stream.closed.done() and not self._home.foreign:
            text = f"{self!r} was dropped without close()"
            warnings.warn(text, ResourceWarning, stacklevel=2, source=self)
            self._release()

    async def _request(self, command: Command[Result], *arguments: str | bytes | int) -> Result:
        deadline = Deadline(self._timeout)
        line = command.line(*arguments)
        self._home.enter(self)
        async with within(deadline, "no reply to %r", line), self._turn:
            stream = self._stream
            if stream is None:
                raise ConnectionError(f"not connected to {self._server}")
            try:
                reply = await self._exchange(stream, line, command)
            except BaseException:
                if stream is self._stream:
                    self._disconnect()
                raise
        return command.read(reply)

    async def _exchange(self, stream: Stream, line: bytes, command: Command[Result]) -> bytes:
        reply = self._replies.expect(command)
        stream.write(line)
        await asyncio.wait((reply, stream.closed), return_when=asyncio.FIRST_COMPLETED)
        if not reply.done():
            raise DisconnectError(f"{self._server}: {stream.reason}")
        return reply.result()

    async def status(self) -> list[FunctionStatus]:
        """Return the functions, with their jobs and workers."""
        return await self._request(commands.STATUS)

    async def priority_status(self) -> list[FunctionQueue]:
        """Return the functions, with their queued jobs by precedence."""
        return await self._request(commands.PRIORITY_STATUS)

    async def workers(self) -> list[ConnectionStatus]:
        """Return the server's connections, with what each can do."""
        return await self._request(commands.WORKERS)

    async def show_jobs(self) -> list[JobStatus]:
        """Return the jobs that the server has."""
        return await self._request(commands.SHOW_JOBS)

    async def show_functions(self) -> list[FunctionActivity]:
        """Return the functions, with the jobs that have ended and the wait; only `geard` can."""
        return await self._request(commands.SHOW_FUNCTIONS)

    async def show_counters(self) -> list[FunctionCounters]:
        """Return the functions, with what has happened to their jobs; only `geard` can."""
        return await self._request(commands.SHOW_COUNTERS)

    async def show_unique_jobs(self) -> list[UniqueKey]:
        """Return the uniques of the jobs that the server has; geard escapes control characters."""
        return await self._request(commands.SHOW_UNIQUE_JOBS)

    async def version(self) -> str:
        """Return the server's version."""
        return await self._request(commands.VERSION)

    async def verbose(self) -> str:
        """Return the server's log level."""
        return await self._request(commands.VERBOSE)

    async def get_pid(self) -> int:
        """Return the server's process id."""
        return await self._request(commands.GETPID)

    async def cancel_job(self, handle: str | bytes) -> None:
        """Take a queued job back."""
        await self._request(commands.CANCEL_JOB, handle)

    async def create_function(self, function: str | bytes) -> None:
        """Make a function known before a worker has it."""
        await self._request(commands.CREATE_FUNCTION, function)

    async def drop_function(self, function: str | bytes) -> None:
        """Forget a function that nobody uses."""
        await self._request(commands.DROP_FUNCTION, function)

    async def max_queue(
        self,
        function: str | bytes,
        limit: int | None = None,
        normal: int | None = None,
        low: int | None = None,
    ) -> None:
        """Limit how many jobs of a function may wait; arguments as `AdminClient.maxQueue`."""
        arguments = commands.maxqueue_arguments(function, limit, normal, low)
        await self._request(commands.MAXQUEUE, *arguments)

    async def job_timeout(self, function: str | bytes, seconds: int) -> None:
        """Limit how long a worker may have a job; arguments as `AdminClient.jobTimeout`."""
        await self._request(commands.JOBTIMEOUT, function, seconds)

    async def job_log(self, function: str | bytes, on: bool) -> None:
        """Switch the log of a function's jobs; arguments as `AdminClient.jobLog`."""
        await self._request(commands.JOBLOG, *commands.joblog_arguments(function, on))

    async def access_list(self) -> list[AccessEntry]:
        """Return the access control list; only `geard` and `Server` have one."""
        return await self._request(commands.ACL_LIST)

    async def grant_access(
        self, right: str, subject: str | bytes, pattern: str | bytes | None = None
    ) -> None:
        """Give a subject a right; arguments as `AdminClient.grantAccess`."""
        words = (right, subject) if pattern is None else (right, subject, pattern)
        await self._request(commands.ACL_GRANT, *words)

    async def revoke_access(self, right: str, subject: str | bytes) -> None:
        """Take a right from a subject; arguments as `AdminClient.revokeAccess`."""
        await self._request(commands.ACL_REVOKE, right, subject)

    async def revoke_own_access(self, right: str) -> None:
        """Give up a right; arguments as `AdminClient.revokeOwnAccess`."""
        await self._request(commands.ACL_SELF_REVOKE, right)
