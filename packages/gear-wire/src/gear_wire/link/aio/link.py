"""The connection to one server on an asyncio loop, kept up; one socket of it is a `stream`."""

import asyncio
import collections
import contextlib
import logging
import time
from collections.abc import Callable
from typing import NamedTuple

from gear_wire.codec import encode
from gear_wire.enums import Magic
from gear_wire.errors import ConnectionError, DisconnectError
from gear_wire.framing import Frame
from gear_wire.jobs import BaseJob
from gear_wire.link.address import Keepalive, ServerAddress
from gear_wire.link.aio.connecting import open_stream
from gear_wire.link.aio.home import Home
from gear_wire.link.aio.stream import Stream
from gear_wire.link.aio.within import within
from gear_wire.link.backlog import Backlog
from gear_wire.link.deadline import CLOSE_TIMEOUT, CONNECT_TIMEOUT, Deadline
from gear_wire.link.heartbeat import PROBE
from gear_wire.link.serverlog import ServerLog
from gear_wire.packets import BasePacket
from gear_wire.session import Session


class LinkEvents(NamedTuple):
    """What a link calls: the client that it belongs to, without keeping it alive.

    Attributes:
        new_session: Returns the protocol's state for a fresh connection; None when the client is
            gone.
        up: The connection stands; the greeting is sent.
        down: The connection is gone.
        received: A packet came.
        delay: Returns the seconds until the next attempt to connect.
    """

    new_session: "Callable[[AsyncLink], Session | None]"
    up: "Callable[[AsyncLink], object]"
    down: "Callable[[AsyncLink], object]"
    received: "Callable[[AsyncLink, Frame], object]"
    delay: "Callable[[AsyncLink], float]"


class AsyncLink:
    """The connection to one server, made anew whenever it is lost.

    Args:
        address: Where the server is, and how to talk to it.
        log: The logger of its client.
        home: The loop that its client belongs to.
        events: Whom it tells.
        heartbeat: Seconds without traffic after which the server is asked for an echo; None for
            never.

    Attributes:
        address: As given.
        log: As given.
        home: As given.
        report: What is logged of the connection; knows why it is not there.
        session: The protocol's state of the present connection.
        related_jobs: The jobs of the present connection by handle.
        connect_time: When it was connected, in seconds since 1970; None before.
        reason: Why it was lost last, as far as it is known.

    Raises:
        ConfigurationError: The files for TLS cannot be used.
    """

    def __init__(
        self,
        address: ServerAddress,
        log: logging.Logger,
        home: Home,
        events: LinkEvents,
        heartbeat: float | None = None,
    ) -> None:
        self.address: ServerAddress = address
        self.log: logging.Logger = log
        self.home: Home = home
        self.report: ServerLog = ServerLog(log, address)
        self.session: Session | None = None
        self.related_jobs: dict[bytes, BaseJob] = {}
        self.connect_time: float | None = None
        self.reason: str = ""
        self._events = events
        self._heartbeat = heartbeat
        self._tls_context = address.tls_context()
        self._stream: Stream | None = None
        self._backlog = Backlog()
        self._replies: collections.deque[asyncio.Future[bytes]] = collections.deque()
        self._task: asyncio.Task[None] | None = None
        self._close_by: Deadline | None = None

    @property
    def host(self) -> str:
        """The server's name or address."""
        return self.address.host

    @property
    def port(self) -> int:
        """Its port."""
        return self.address.port

    @property
    def keepalive(self) -> Keepalive:
        """TCP keepalive of its sockets."""
        return self.address.keepalive

    def __repr__(self) -> str:
        return f"<gear.AsyncLink 0x{id(self):x} host: {self.host} port: {self.port}>"

    @property
    def connected(self) -> bool:
        """Whether the connection stands, as far as this side knows."""
        return self._stream is not None

    # Sending

    def _connected_stream(self) -> Stream:
        if self._stream is None:
            raise ConnectionError(f"{self!r} is not connected")
        return self._stream

    def send(self, packet: BasePacket) -> None:
        """Send a packet.

        Raises:
            ConnectionError: It is not connected.
            InvalidDataError: The packet cannot be encoded.
            GearmanError: The link belongs to another loop.
        """
        self.home.enter(self)
        self._connected_stream().write(encode(packet, Magic.REQ))
        if self.session is not None:
            self.session.spoke(packet)

    def send_queued(self, caused: bool = False) -> None:
        """Send all that the session has queued, if it is connected.

        Args:
            caused: Whether it answers a packet of the server.

        Raises:
            ProtocolError: The server has taken too little of such answers.
        """
        if self.session is None or self._stream is None:
            return
        packets = self.session.packets_to_send()
        if packets:
            data = b"".join([encode(packet, Magic.REQ) for packet in packets])
            self._stream.write(data)
            if caused:
                self._backlog.note(len(data), self._stream.sent)

    @property
    def crowded(self) -> bool:
        """Whether the server takes nothing and much is queued already; `drain` waits for that."""
        return self._stream is not None and self._stream.crowded

    async def drain(self, deadline: Deadline | None = None) -> None:
        """Wait while the server takes nothing and much is queued already.

        Args:
            deadline: How long; None for no limit.

        Raises:
            TimeoutError: The server has still not taken it.
            GearmanError: The link belongs to another loop.
        """
        self.home.enter(self)
        if self._stream is not None:
            await self._stream.drain(deadline)

    async def flush(self, deadline: Deadline | None = None) -> None:
        """Wait until the kernel has all that was sent so far.

        Call it right after sending, without awaiting anything between: it is about the connection
        that stands when it is called.

        Args:
            deadline: How long; None for no limit.

        Raises:
            TimeoutError: The server does not read, so the kernel has still not taken all.
            ConnectionError: The connection is gone; the server may have received it or not.
        """
        self.home.enter(self)
        await self._connected_stream().flush(deadline)

    async def send_command(self, line: bytes, deadline: Deadline | None = None) -> bytes:
        """Send a text command whose reply is one line, and return the reply.

        Args:
            line: The whole line.
            deadline: How long to wait for room and for the reply; None for no limit.

        Raises:
            TimeoutError: The reply did not come in time.
            ConnectionError: It is not connected, or was lost before the reply.
        """
        await self.drain(deadline)
        stream = self._connected_stream()
        reply: asyncio.Future[bytes] = self.home.enter(self).create_future()
        self._replies.append(reply)
        stream.write(line)
        async with within(deadline, "no answer from %r", self):
            return await reply

    # Receiving: what a stream calls

    def receive(self, frame: Frame) -> None:
        """Take in a packet from the server."""
        self._events.received(self, frame)

    @property
    def expects_text(self) -> bool:
        """Whether somebody asked for text."""
        return bool(self._replies)

    def receive_line(self, line: bytes) -> bool:
        """Give a line of text to whoever asked first; False when nobody did."""
        if not self._replies:
            return False
        reply = self._replies.popleft()
        if not reply.done():
            reply.set_result(line)
        return True

    # Connecting

    def start(self) -> None:
        """Begin to connect, and keep at it until `close`; in a coroutine."""
        self._task = self.home.enter(self).create_task(self._keep_connected())

    async def _keep_connected(self) -> None:
        while True:
            try:
                stream = await open_stream(
                    self, self.address, self._tls_context, Deadline(CONNECT_TIMEOUT)
                )
            except ConnectionError as error:
                self.report.failed(str(error))
            else:
                try:
                    self._begin(stream)
                    await self._lose(stream)
                except asyncio.CancelledError:
                    # Not in a `finally`: who waits in a loop that has ended is an error. Without a
                    # deadline, the loop ends and nobody closed the client.
                    with contextlib.suppress(asyncio.CancelledError):  # it has less time now
                        await stream.close(self._close_by or Deadline(CLOSE_TIMEOUT))
                    self._end()
                    raise
                self.report.lost(stream.reason, stream.wrong)
                self._end()
            await asyncio.sleep(self._events.delay(self))

    def _begin(self, stream: Stream) -> None:
        self.related_jobs.clear()
        self._backlog = Backlog()
        self._stream = stream
        self.connect_time = time.time()
        try:
            self.session = self._events.new_session(self)
            if self.session is None:
                stream.break_off("nobody has the client any more")
                return
            self.report.connected()
            self.session.greet()
            self.send_queued()
            self._events.up(self)
        except Exception:
            self.log.exception("Exception while greeting %r", self)
            stream.break_off("it could not be greeted")

    async def _lose(self, stream: Stream) -> None:
        """Wait until the connection is lost, and give it up when the server seems dead."""
        beat = self._heartbeat
        if beat is None:
            await asyncio.shield(stream.closed)
            return
        while not stream.closed.done():
            quiet = time.monotonic() - stream.received
            if quiet < beat:
                await asyncio.wait((stream.closed,), timeout=beat - quiet)
                continue
            asked = time.monotonic()
            stream.write(PROBE)
            await asyncio.wait((stream.closed,), timeout=beat)
            if stream.received < asked:
                stream.break_off(f"no answer to a heartbeat in {beat} s")

    def _end(self) -> None:
        stream, self._stream = self._stream, None
        session, self.session = self.session, None
        self.reason = "" if stream is None else stream.reason
        try:
            if session is not None:
                session.lost(self.reason)
        except Exception:
            self.log.exception("Exception while handling the loss of %r", self)
        self._events.down(self)
        self.related_jobs.clear()
        while self._replies:
            reply = self._replies.popleft()
            if not reply.done():
                reply.set_exception(self.lost_before("the reply"))

    def lost_before(self, what: str) -> DisconnectError:
        """Return the error of whoever waited for something when the connection was lost."""
        because = f": {self.reason}" if self.reason else ""
        return DisconnectError(f"{self!r} was lost before {what}{because}")

    async def close(self, deadline: Deadline) -> None:
        """Send what was queued, close the connection and make no other.

        If it is being closed already, that has until the earlier of both deadlines.

        Args:
            deadline: When to break the connection instead.
        """
        if self._task is None:
            return
        if self._close_by is None:
            self._close_by = deadline
        else:
            await asyncio.wait((self._task,), timeout=deadline.left())
        self._task.cancel()
        await asyncio.wait((self._task,))

    def release(self) -> None:
        """Let go of the connection without waiting, from any thread; even if the loop was closed.

        Where the loop still runs, what was queued is sent first.
        """
        loop, task = self.home.loop, self._task
        if loop is None or task is None or not self.open:
            return
        if not self.home.ended:
            loop.call_soon_threadsafe(task.cancel)
        elif self._stream is not None:
            self._stream.release()
            self._stream = None

    @property
    def open(self) -> bool:
        """Whether it makes or has a connection, in the process that it belongs to."""
        return self._task is not None and not self._task.done() and not self.home.foreign
