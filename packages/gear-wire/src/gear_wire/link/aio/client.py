"""What AsyncClient and AsyncWorker share: links to several servers on one asyncio loop."""

import asyncio
import logging
import os
import random
import time
import warnings
import weakref
from types import TracebackType
from typing import Self

from gear_wire.codec import decode
from gear_wire.errors import (
    ConfigurationError,
    InterruptedError,
    NoConnectedServersError,
    ProtocolError,
    TimeoutError,
)
from gear_wire.framing import Frame
from gear_wire.jobs import to_client_id
from gear_wire.link.address import DEFAULT_PORT, Keepalive, ServerAddress
from gear_wire.link.aio.home import Home
from gear_wire.link.aio.link import AsyncLink, LinkEvents
from gear_wire.link.aio.within import within
from gear_wire.link.complaints import Complaints
from gear_wire.link.deadline import CLOSE_TIMEOUT, Deadline
from gear_wire.link.heartbeat import check_heartbeat
from gear_wire.link.roster import Roster
from gear_wire.link.serverlog import why_unconnected
from gear_wire.packets import BasePacket, Error
from gear_wire.session import Session

__all__ = ["AsyncBaseClient", "AsyncLink"]


def _end_loop(error: BaseException) -> None:
    raise error


class AsyncBaseClient:
    """A set of connections to servers on one asyncio loop, that of its first use.

    An async context manager: leaving its block closes it. Whatever ``sys.exit()`` or Ctrl-C raises
    while a packet is handled is logged, and ends the loop as it does in any callback of asyncio.

    Args:
        client_id: How this client introduces itself to servers and names itself in logs.
        heartbeat: Seconds without traffic after which a server is asked for an echo; if nothing
            comes in as many seconds again, the connection is made anew. None for never.

    Attributes:
        client_id: As given, as bytes.
        log: The logger ``gear.<Class>.<client_id>``.

    Raises:
        InvalidDataError: The client id holds a NUL.
        ConfigurationError: The heartbeat is not positive.
    """

    _kind: str = "AsyncClient"

    def __init__(
        self, client_id: str | bytes = "unknown", *, heartbeat: float | None = None
    ) -> None:
        self.client_id: bytes = to_client_id(client_id)
        name = self.client_id.decode(errors="replace")
        self.log: logging.Logger = logging.getLogger(f"gear.{self._kind}.{name}")
        self._heartbeat = check_heartbeat(heartbeat)
        self._complaints = Complaints()
        self._home = Home()
        self._roster: Roster[AsyncLink] = Roster()
        self._changed: asyncio.Event = asyncio.Event()
        self._closing = False

    def __repr__(self) -> str:
        return f"<gear.{type(self).__name__} 0x{id(self):x}>"

    def __del__(self) -> None:
        """Close what nobody can close any more."""
        roster = getattr(self, "_roster", None)  # a constructor that raised made none
        if roster is None or self._closing:
            return
        links = [link for link in (*roster.active, *roster.inactive) if link.open]
        if links:
            text = f"{self!r} was dropped without close()"
            warnings.warn(text, ResourceWarning, stacklevel=2, source=self)
        for link in links:
            link.release()

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
        probes = keepalive if isinstance(keepalive, Keepalive) else Keepalive(bool(keepalive))
        address = ServerAddress.of(
            host, port, ssl_key, ssl_cert, ssl_ca,
            ssl_check_hostname=ssl_check_hostname, keepalive=probes,
        )  # fmt: skip
        for known in (*self._roster.active, *self._roster.inactive):
            if (known.host, known.port) == (address.host, address.port):
                raise ConfigurationError(f"server {address} was added before")
        link = AsyncLink(address, self.log, self._home, self._events(), self._heartbeat)
        self._roster.add(link)
        link.start()

    def _events(self) -> LinkEvents:
        """Return what a link calls, which does not keep this client alive."""
        reference = weakref.ref(self)
        roster = self._roster

        def new_session(link: AsyncLink) -> Session | None:
            client = reference()
            return None if client is None else client._new_session(link)

        def up(link: AsyncLink) -> None:
            client = reference()
            if client is not None:
                client._link_up(link)

        def down(link: AsyncLink) -> None:
            client = reference()
            if client is not None:
                client._link_down(link)

        def received(link: AsyncLink, frame: Frame) -> None:
            client = reference()
            if client is not None:
                client._received(link, frame)

        def delay(link: AsyncLink) -> float:
            client = reference()
            if client is not None:
                client._announce()  # why it is not connected is known now
            return roster.delay(link, random.random())

        return LinkEvents(new_session, up, down, received, delay)

    def _check_loop(self) -> None:
        """Raise GearmanError in another loop than that of the first use, or in none after it."""
        if self._home.loop is not None:
            self._home.enter(self)

    def _check_open(self) -> None:
        self._home.enter(self)
        if self._closing:
            raise InterruptedError(f"{self!r} was closed")

    def _link_up(self, link: AsyncLink) -> None:
        self._roster.up(link, time.monotonic())
        self._announce()

    def _link_down(self, link: AsyncLink) -> None:
        self._roster.down(link, time.monotonic())
        self._complaints.finish()
        try:
            self._lost(link)
        finally:
            self._send_queued()
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

    def _send_queued(self) -> None:
        """Send all that the sessions have queued."""
        for link in self._roster.active:
            link.send_queued()

    def _log_error(self, link: AsyncLink, error: Error) -> None:
        self._complaints.note_error(self.log, link, (error.code, error.text))

    def _received(self, link: AsyncLink, frame: Frame) -> None:
        if link.session is None:
            return
        if self._roster.skips:
            self._roster.answered(link)
        try:
            packet = decode(frame)
            self.log.debug("Received packet: %s", packet)
            if isinstance(packet, Error):
                self._log_error(link, packet)
            result = link.session.apply(packet)
            link.send_queued(caused=True)
            self._send_queued()
            self._applied(link, packet, result)
        except ProtocolError:
            raise
        except BaseException as error:
            self._complaints.note_exception(self.log, error, f"a packet from {link!r}")
            if isinstance(error, SystemExit | KeyboardInterrupt):
                # Not here: what else was read must be handled, and uvloop would only log it.
                self._home.enter(self).call_soon(_end_loop, error)

    async def wait_for_server(self, timeout: float | None = None) -> None:
        """Wait until at least one server is connected.

        Args:
            timeout: Seconds to wait; None for no limit.

        Raises:
            TimeoutError: None was connected in time.
            InterruptedError: The client was closed.
        """
        deadline = Deadline(timeout)
        self._check_open()
        try:
            async with within(deadline, "no server was connected"):
                while not self._roster.active:
                    await self._changed.wait()
                    self._check_open()
        except TimeoutError as error:
            why = why_unconnected(link.report for link in self._roster.inactive)
            raise TimeoutError(f"{error}: {why}") from None

    def get_link(self) -> AsyncLink:
        """Return the connection whose turn it is.

        Raises:
            NoConnectedServersError: There is none.
            GearmanError: The client belongs to another event loop.
        """
        self._home.enter(self)
        link = self._roster.next(time.monotonic())
        if link is None:
            raise self._no_server()
        return link

    def _no_server(self) -> NoConnectedServersError:
        if self._closing:
            return NoConnectedServersError(f"no server is connected: {self!r} was closed")
        why = why_unconnected(link.report for link in self._roster.inactive)
        return NoConnectedServersError(f"no server is connected at the moment ({why})")

    def _on_closing(self) -> None:
        """Override to wake those who wait, when the client is being closed."""

    async def close(self, timeout: float | None = CLOSE_TIMEOUT) -> None:
        """Send what was queued, close all connections and end all tasks.

        May be called more than once. Whoever waits for something is woken with an error.

        Args:
            timeout: Seconds that what was queued has to leave; None for no limit. What a server
                does not take by then is lost.

        Raises:
            GearmanError: The client belongs to another event loop, which goes on.
        """
        deadline = Deadline(timeout)
        links = (*self._roster.active, *self._roster.inactive)
        if self._home.ended or self._home.foreign:
            self._closing = True
            for link in links:
                link.release()
            return
        self._home.enter(self)
        self._closing = True
        self._on_closing()
        self._announce()
        await asyncio.gather(*(link.close(deadline) for link in links))
