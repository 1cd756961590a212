"""Connections on an asyncio loop, for AsyncClient and AsyncWorker; threads are in `pool`."""

import asyncio
import builtins
import collections
import logging
import os
import random
import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from gear_wire.codec import decode, encode
from gear_wire.enums import Magic
from gear_wire.errors import (
    ConfigurationError,
    ConnectionError,
    DisconnectError,
    GearmanError,
    InterruptedError,
    NoConnectedServersError,
    ProtocolError,
    TimeoutError,
)
from gear_wire.framing import Frame
from gear_wire.jobs import BaseJob, to_client_id
from gear_wire.link.address import DEFAULT_PORT, Keepalive, check_host, check_port
from gear_wire.link.aio.stream import Stream
from gear_wire.link.roster import Roster
from gear_wire.link.tls import check_tls_files, describe
from gear_wire.packets import BasePacket, Error
from gear_wire.session import Session
from gear_wire.timeouts import check_timeout

if TYPE_CHECKING:
    import ssl

CONNECT_TIMEOUT: Final = 10.0
"""Seconds an attempt to connect may take."""


class AsyncLink:
    """The connection to one server, made anew whenever it is lost.

    Attributes:
        host: The server's name or address.
        port: Its port.
        keepalive: TCP keepalive of its sockets.
        log: The logger of its client.
        session: The protocol's state of the present connection.
        related_jobs: The jobs of the present connection by handle.
        connect_time: When it was connected, in seconds since 1970; None before.
    """

    def __init__(
        self,
        host: str,
        port: int,
        tls_context: "ssl.SSLContext | None",
        keepalive: Keepalive,
        log: logging.Logger,
        on_frame: "Callable[[AsyncLink, Frame], None]",
    ) -> None:
        self.host: str = host
        self.port: int = port
        self.keepalive: Keepalive = keepalive
        self.session: Session | None = None
        self.related_jobs: dict[bytes, BaseJob] = {}
        self.connect_time: float | None = None
        self.log: logging.Logger = log
        self._on_frame = on_frame
        self._tls_context = tls_context
        self._stream: Stream | None = None
        self._replies: collections.deque[asyncio.Future[bytes]] = collections.deque()

    def __repr__(self) -> str:
        return f"<gear.AsyncLink 0x{id(self):x} host: {self.host} port: {self.port}>"

    @property
    def connected(self) -> bool:
        """Whether the connection stands, as far as this side knows."""
        return self._stream is not None

    def receive(self, frame: Frame) -> None:
        """Take in a packet from the server."""
        self._on_frame(self, frame)

    def send(self, packet: BasePacket) -> None:
        """Send a packet.

        Raises:
            ConnectionError: It is not connected.
            InvalidDataError: The packet cannot be encoded.
        """
        if self._stream is None:
            raise ConnectionError(f"{self!r} is not connected")
        self._stream.write(encode(packet, Magic.REQ))

    def say(self) -> None:
        """Send all that the session wants to say."""
        if self.session is None or self._stream is None:
            return
        packets = self.session.take()
        if packets:
            self._stream.write(b"".join([encode(packet, Magic.REQ) for packet in packets]))

    async def ask(self, line: bytes) -> bytes:
        """Send a text command whose reply is one line, and return the reply.

        Raises:
            ConnectionError: It is not connected, or was lost before the reply.
        """
        if self._stream is None:
            raise ConnectionError(f"{self!r} is not connected")
        reply: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._replies.append(reply)
        self._stream.write(line)
        return await reply

    def answer(self, line: bytes) -> bool:
        """Give a line of text to whoever asked first; False when nobody did."""
        if not self._replies:
            return False
        reply = self._replies.popleft()
        if not reply.done():
            reply.set_result(line)
        return True

    def _lose(self) -> None:
        self._stream = None
        while self._replies:
            reply = self._replies.popleft()
            if not reply.done():
                reply.set_exception(DisconnectError(f"{self!r} was lost before the reply"))

    async def drain(self) -> None:
        """Wait while the server takes nothing and much is queued already."""
        if self._stream is not None:
            await self._stream.writable.wait()

    async def _open(self) -> Stream:
        loop = asyncio.get_running_loop()
        hostname = self.host if self._tls_context is not None else None
        async with asyncio.timeout(CONNECT_TIMEOUT):
            _, stream = await loop.create_connection(
                lambda: Stream(self),
                self.host,
                self.port,
                ssl=self._tls_context,
                server_hostname=hostname,
            )
        return stream


class AsyncBaseClient:
    """A set of connections to servers on one asyncio loop.

    Args:
        client_id: How this client introduces itself to servers and names itself in logs.

    Attributes:
        client_id: As given, as bytes.
        log: The logger ``gear.<Class>.<client_id>``.

    Raises:
        InvalidDataError: The client id holds a NUL.
    """

    _kind: str = "AsyncClient"

    def __init__(self, client_id: str | bytes = "unknown") -> None:
        self.client_id: bytes = to_client_id(client_id)
        name = self.client_id.decode(errors="replace")
        self.log: logging.Logger = logging.getLogger(f"gear.{self._kind}.{name}")
        self._roster: Roster[AsyncLink] = Roster()
        self._tasks: set[asyncio.Task[None]] = set()
        self._changed: asyncio.Event = asyncio.Event()
        self._closing = False

    def __repr__(self) -> str:
        return f"<gear.{type(self).__name__} 0x{id(self):x}>"

    async def __aenter__(self) -> Self:
        """Return the client itself; leaving the block closes it."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the client."""
        await self.close()

    @property
    def links(self) -> list[AsyncLink]:
        """The servers that are connected."""
        return self._roster.active

    def add_server(
        self,
        host: str | bytes,
        port: int | str | bytes = DEFAULT_PORT,
        ssl_key: str | os.PathLike[str] | None = None,
        ssl_cert: str | os.PathLike[str] | None = None,
        ssl_ca: str | os.PathLike[str] | None = None,
        *,
        ssl_check_hostname: bool = True,
        keepalive: Keepalive | bool = False,
    ) -> None:
        """Add a server; it is connected in the background, and again whenever it is lost.

        Call it in a coroutine: it starts a task.

        Args:
            host: The server's name or address.
            port: Its port.
            ssl_key: Path of the private key; the three files go together.
            ssl_cert: Path of the certificate.
            ssl_ca: Path of the certificates of the authority.
            ssl_check_hostname: Whether the server's certificate must name `host`.
            keepalive: Whether TCP keepalive is on, or its settings.

        Raises:
            ConfigurationError: The server was added before, the port is out of range, one of the
                three files is missing or cannot be used.
            InterruptedError: The client was closed.
            GearmanError: No loop runs.
        """
        self._check_open()
        files = check_tls_files(ssl_key, ssl_cert, ssl_ca)
        context = None if files is None else files.clientContext(ssl_check_hostname)
        probes = keepalive if isinstance(keepalive, Keepalive) else Keepalive(bool(keepalive))
        link = AsyncLink(
            check_host(host), check_port(port), context, probes, self.log, self._received
        )
        for known in (*self._roster.active, *self._roster.inactive):
            if (known.host, known.port) == (link.host, link.port):
                raise ConfigurationError(f"server {link.host} port {link.port} was added before")
        task = self._running_loop().create_task(self._keep(link))
        self._roster.add(link)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        try:
            return asyncio.get_running_loop()
        except RuntimeError:
            raise GearmanError("add_server starts a task: call it in a coroutine") from None

    def _check_open(self) -> None:
        if self._closing:
            raise InterruptedError(f"{self!r} was closed")

    async def _keep(self, link: AsyncLink) -> None:
        while True:
            try:
                stream = await link._open()
            except (OSError, UnicodeError) as error:  # a TimeoutError is an OSError
                self.log.warning(
                    "Cannot connect to %s port %s: %s",
                    link.host,
                    link.port,
                    describe(error),
                )
            else:
                try:
                    self._up(link, stream)
                    await asyncio.shield(stream.closed)
                finally:
                    self._down(link)
                    await stream.close()
            await asyncio.sleep(self._roster.delay(link, random.random()))

    def _up(self, link: AsyncLink, stream: Stream) -> None:
        link.related_jobs.clear()
        link._stream = stream
        link.connect_time = time.time()
        link.session = self._new_session(link)
        link.session.greet()
        link.say()
        self._roster.up(link, time.monotonic())
        self._announce()

    def _down(self, link: AsyncLink) -> None:
        self._roster.down(link, time.monotonic())
        link._lose()
        if link.session is not None:
            link.session.lost()
            link.session = None
        self._lost(link)
        link.related_jobs.clear()
        self._say()
        self._announce()

    def _announce(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    def _new_session(self, link: AsyncLink) -> Session:
        """Return the protocol's state for a fresh connection."""
        raise NotImplementedError

    def _applied(self, link: AsyncLink, packet: BasePacket, result: object) -> None:
        """Override to react to what a packet changed."""

    def _lost(self, link: AsyncLink) -> None:
        """Override to react to the loss of a connection; `related_jobs` is emptied afterwards."""

    def _say(self) -> None:
        """Send all that the sessions want to say."""
        for link in self._roster.active:
            link.say()

    def _received(self, link: AsyncLink, frame: Frame) -> None:
        if link.session is None:
            return
        try:
            packet = decode(frame)
            self.log.debug("Received packet: %s", packet)
            if isinstance(packet, Error):
                error = b": ".join((packet.code, packet.text)).decode(errors="replace")
                self.log.error("Server %r: %s", link, error)
            result = link.session.apply(packet)
            self._say()
            self._applied(link, packet, result)
        except ProtocolError as error:
            self.log.error("%r: %s", link, error)
        except Exception:
            self.log.exception("Exception while handling a packet from %r", link)

    async def wait_for_server(self, timeout: float | None = None) -> None:
        """Wait until at least one server is connected.

        Args:
            timeout: Seconds to wait; None for no limit.

        Raises:
            TimeoutError: None was connected in time.
            InterruptedError: The client was closed.
        """
        limit = check_timeout(timeout)
        try:
            async with asyncio.timeout(limit):
                while not self._roster.active:
                    self._check_open()
                    await self._changed.wait()
        except builtins.TimeoutError as error:
            raise TimeoutError(f"no server was connected in {timeout} s") from error
        self._check_open()

    def get_link(self) -> AsyncLink:
        """Return the connection whose turn it is.

        Raises:
            NoConnectedServersError: There is none.
        """
        link = self._roster.next()
        if link is None:
            raise self._no_server()
        return link

    def _no_server(self) -> NoConnectedServersError:
        if self._closing:
            return NoConnectedServersError(f"no server is connected: {self!r} was closed")
        return NoConnectedServersError("no server is connected at the moment")

    async def close(self) -> None:
        """Close all connections and end all tasks; may be called more than once.

        Whoever waits for something is woken with an error.
        """
        self._closing = True
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._announce()
