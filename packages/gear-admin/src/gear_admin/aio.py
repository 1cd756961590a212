"""`AsyncAdminClient`: the administrative protocol with typed results, on asyncio."""

import asyncio
import builtins
import os
from types import TracebackType
from typing import Self, TypeVar

from gear_admin import commands
from gear_admin.commands import Command
from gear_wire.errors import ConnectionError, DisconnectError, TimeoutError
from gear_wire.link.address import DEFAULT_PORT, check_host, check_port
from gear_wire.link.tls import check_tls_files, describe
from gear_wire.text import ConnectionStatus, FunctionQueue, FunctionStatus, JobStatus
from gear_wire.timeouts import check_timeout
from gear_wire.types import UniqueKey

Result = TypeVar("Result")
_LINE_LIMIT = 1 << 26
"""Bytes of one line of a reply; a worker with a hundred thousand functions is one line."""


class AsyncAdminClient:
    """Asks one server, and returns what it says as typed values.

    An async context manager: entering it connects. Every method raises ServerError when the
    server says ERR, TimeoutError when it says nothing, and ConnectionError when it is gone. A
    method that is cancelled closes the connection: its reply would be taken for the next one's.

    Args:
        host: The server's name or address.
        port: Its port.
        ssl_key: Path of the private key; the three files go together.
        ssl_cert: Path of the certificate.
        ssl_ca: Path of the certificates of the authority.
        timeout: Seconds to wait for the connection and for each reply; None for no limit.
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
        self._host = check_host(host)
        self._port = check_port(port)
        files = check_tls_files(ssl_key, ssl_cert, ssl_ca)
        self._tls_context = files.clientContext(ssl_check_hostname) if files else None
        self._timeout = check_timeout(timeout)
        self._turn = asyncio.Lock()
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

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
            ConnectionError: It cannot be reached, or TLS fails.
        """
        await self.close()
        try:
            async with asyncio.timeout(self._timeout):
                self._streams = await asyncio.open_connection(
                    self._host, self._port, ssl=self._tls_context, limit=_LINE_LIMIT
                )
        except (OSError, UnicodeError) as error:  # a TimeoutError is an OSError
            raise ConnectionError(
                f"cannot connect to {self._host} port {self._port}: {describe(error)}"
            ) from error

    async def close(self) -> None:
        """Close the connection."""
        streams, self._streams = self._streams, None
        if streams is not None:
            streams[1].close()
            try:
                await streams[1].wait_closed()
            except OSError:
                pass  # broken already: closed all the same

    async def _ask(self, command: Command[Result], *arguments: str | bytes | int) -> Result:
        line = command.line(*arguments)
        async with self._turn:
            if self._streams is None:
                raise ConnectionError(f"not connected to {self._host} port {self._port}")
            try:
                async with asyncio.timeout(self._timeout):
                    reply = await self._exchange(*self._streams, line, command.lines)
            except builtins.TimeoutError:
                await self.close()
                raise TimeoutError(f"no reply to {line!r} in {self._timeout} s") from None
            except BaseException:
                await self.close()
                raise
        return command.read(reply)

    async def _exchange(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, line: bytes, lines: bool
    ) -> bytes:
        writer.write(line)
        try:
            await writer.drain()
            reply = [await self._line(reader)]
            first = reply[0]
            if lines and not (first.startswith(b"ERR ") and first.endswith(b"\r\n")):
                while reply[-1].rstrip(b"\r\n") != b".":
                    reply.append(await self._line(reader))
        except OSError as error:
            raise DisconnectError(f"{self._host} port {self._port}: {error}") from error
        return b"".join(reply)

    async def _line(self, reader: asyncio.StreamReader) -> bytes:
        line = await reader.readline()
        if not line.endswith(b"\n"):
            raise DisconnectError(f"{self._host} port {self._port} closed the connection")
        return line

    async def status(self) -> list[FunctionStatus]:
        """Return the functions, with their jobs and workers."""
        return await self._ask(commands.STATUS)

    async def priority_status(self) -> list[FunctionQueue]:
        """Return the functions, with their queued jobs by precedence."""
        return await self._ask(commands.PRIORITY_STATUS)

    async def workers(self) -> list[ConnectionStatus]:
        """Return the server's connections, with what each can do."""
        return await self._ask(commands.WORKERS)

    async def show_jobs(self) -> list[JobStatus]:
        """Return the jobs that the server has."""
        return await self._ask(commands.SHOW_JOBS)

    async def show_unique_jobs(self) -> list[UniqueKey]:
        """Return the uniques of the jobs that the server has."""
        return await self._ask(commands.SHOW_UNIQUE_JOBS)

    async def version(self) -> str:
        """Return the server's version."""
        return await self._ask(commands.VERSION)

    async def verbose(self) -> str:
        """Return the server's log level."""
        return await self._ask(commands.VERBOSE)

    async def get_pid(self) -> int:
        """Return the server's process id."""
        return await self._ask(commands.GETPID)

    async def cancel_job(self, handle: str | bytes) -> None:
        """Take a queued job back."""
        await self._ask(commands.CANCEL_JOB, handle)

    async def create_function(self, function: str | bytes) -> None:
        """Make a function known before a worker has it."""
        await self._ask(commands.CREATE_FUNCTION, function)

    async def drop_function(self, function: str | bytes) -> None:
        """Forget a function that nobody uses."""
        await self._ask(commands.DROP_FUNCTION, function)

    async def max_queue(
        self,
        function: str | bytes,
        limit: int | None = None,
        normal: int | None = None,
        low: int | None = None,
    ) -> None:
        """Limit how many jobs of a function may wait; arguments as `AdminClient.maxQueue`."""
        arguments = commands.maxqueue_arguments(function, limit, normal, low)
        await self._ask(commands.MAXQUEUE, *arguments)
