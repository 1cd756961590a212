"""The documented `Connection`: one connection to one server; many of them are in `pool`."""

import collections
import logging
import os
import socket
import threading
import time
from collections.abc import Callable
from typing import Final

from gear_wire.codec import encode
from gear_wire.enums import Magic, PacketType
from gear_wire.errors import (
    ConnectionError,
    DisconnectError,
    GearmanError,
    TimeoutError,
)
from gear_wire.jobs import BaseJob, convert_to_bytes, to_bytes, to_client_id
from gear_wire.link.acks import acknowledge
from gear_wire.link.address import DEFAULT_PORT, Keepalive, check_host, check_port
from gear_wire.link.channel import Channel, Connector
from gear_wire.link.echoes import Echo, Echoes
from gear_wire.link.inbound import Inbound, InboundReader
from gear_wire.link.loop import READ, WRITE, PollLoop, Ready
from gear_wire.link.reading import Reading
from gear_wire.link.replies import Replies
from gear_wire.link.requests import AdminRequest
from gear_wire.link.tls import TLSStream, check_tls_files
from gear_wire.link.turns import Turns
from gear_wire.packet import Packet
from gear_wire.packets import EchoReq
from gear_wire.session import Session
from gear_wire.timeouts import check_timeout

CONNECT_TIMEOUT: Final = 10.0
"""Seconds an attempt to connect may take."""


class Connection:
    """A connection to a Gearman server.

    On its own it has no thread: `readPacket`, `sendAdminRequest` and `echo` read from the socket
    themselves. As part of a Client or Worker, their poll thread reads.

    Args:
        host: The server's name or address.
        port: Its port; a number, or a number in text.
        ssl_key: Path of the private key; the three files go together.
        ssl_cert: Path of the certificate.
        ssl_ca: Path of the certificates of the authority.
        client_id: How log lines name the connection.
        keepalive: Whether TCP keepalive is on.
        tcp_keepidle: Seconds without traffic before the first probe.
        tcp_keepintvl: Seconds between probes.
        tcp_keepcnt: Probes without an answer before the connection is given up.
        ssl_check_hostname: Whether the server's certificate must name `host`.

    Attributes:
        connected: Whether it is.
        connect_time: When it was connected, in seconds since 1970; None before.
        related_jobs: The jobs of this connection by handle.
        options: The options that the server confirmed.
        state: What a worker does with it: INIT, IDLE, GRAB_WAIT or SLEEP.
        conn: The socket; None before connecting.
        session: The protocol's state of the present connection, as part of a Client or Worker.

    Raises:
        ConfigurationError: The host is empty, the port out of range, TLS files are missing.
    """

    def __init__(
        self,
        host: str | bytes,
        port: int | str | bytes = DEFAULT_PORT,
        ssl_key: str | os.PathLike[str] | None = None,
        ssl_cert: str | os.PathLike[str] | None = None,
        ssl_ca: str | os.PathLike[str] | None = None,
        client_id: str | bytes = "unknown",
        keepalive: bool = False,
        tcp_keepidle: int = 7200,
        tcp_keepintvl: int = 75,
        tcp_keepcnt: int = 9,
        *,
        ssl_check_hostname: bool = True,
    ) -> None:
        self.host: str = check_host(host)
        self.port: int = check_port(port)
        files = check_tls_files(ssl_key, ssl_cert, ssl_ca)
        self.ssl_key: str | None = files.key if files else None
        self.ssl_cert: str | None = files.cert if files else None
        self.ssl_ca: str | None = files.ca if files else None
        self.use_ssl: bool = files is not None
        self._tls_context = files.clientContext(ssl_check_hostname) if files else None
        self.client_id: bytes = to_client_id(client_id)
        name = self.client_id.decode(errors="replace")
        self.log: logging.Logger = logging.getLogger(f"gear.Connection.{name}")
        self.keepalive: bool = keepalive
        self.tcp_keepidle: int = tcp_keepidle
        self.tcp_keepintvl: int = tcp_keepintvl
        self.tcp_keepcnt: int = tcp_keepcnt
        self._probes()
        self.connect_time: float | None = None
        self.related_jobs: dict[bytes, BaseJob] = {}
        self.options: set[bytes] = set()
        self._replies = Replies(self.log)
        self._echoes = Echoes()
        self.state: str = "INIT"
        self.state_time: float = time.time()
        self.session: Session | None = None
        self._lock = threading.RLock()
        self._loop: PollLoop | None = None
        self._channel: Channel | None = None
        self._reading: Reading | None = None
        self._turns = Turns(self._readOnce)
        self._reset()

    def _reset(self) -> None:
        self._reader = InboundReader(self, self._replies, self.log)
        self._inbox: collections.deque[Inbound] = collections.deque()

    def _probes(self) -> Keepalive:
        return Keepalive(self.keepalive, self.tcp_keepidle, self.tcp_keepintvl, self.tcp_keepcnt)

    def attach(self, lock: threading.RLock, loop: PollLoop) -> None:
        """Make it part of a client: the client's lock guards it, the client's loop reads it."""
        self._lock = lock
        self._loop = loop

    @property
    def admin_requests(self) -> list[AdminRequest]:
        """The administrative requests that wait for a reply, oldest first."""
        return self._replies.waiting

    @property
    def connected(self) -> bool:
        """Whether the connection stands, as far as this side knows."""
        return self._channel is not None

    @property
    def conn(self) -> socket.socket | None:
        """The socket; None when there is none."""
        channel = self._channel
        return None if channel is None else channel.sock

    def changeState(self, state: str) -> None:
        """Note what a worker does with the connection, and since when."""
        self.state_time = time.time()
        self.state = state

    def __repr__(self) -> str:
        return f"<gear.Connection 0x{id(self):x} host: {self.host} port: {self.port}>"

    # Connecting

    def connect(
        self, timeout: float | None = CONNECT_TIMEOUT, cancel: socket.socket | None = None
    ) -> None:
        """Connect to the server; one that is connected is disconnected first.

        Args:
            timeout: Seconds that it may take; None for a day.
            cancel: A socket that becomes readable when the attempt shall end.

        Raises:
            ConnectionError: The server cannot be reached, or TLS fails.
        """
        if self.connected:
            self.disconnect()
        self.log.debug("Connecting to %s port %s", self.host, self.port)
        connector = Connector(timeout, cancel)
        sock = connector.connect(self.host, self.port, self._probes())
        tls = None
        try:
            if self._tls_context is not None:
                tls = TLSStream(self._tls_context, self.host)
                connector.handshake(sock, tls)
        except BaseException:
            sock.close()
            raise
        with self._lock:
            self._reset()
            self.related_jobs.clear()
            self.options.clear()
            self._channel = Channel(sock, tls, self._lock)
            self.connect_time = time.time()
            self.changeState("INIT")
        self.log.info("Connected to %s port %s", self.host, self.port)

    def disconnect(self) -> None:
        """Close the connection; whoever waits for an answer over it is woken with an error."""
        with self._lock:
            channel, self._channel = self._channel, None
            reading, self._reading = self._reading, None
            requests = self._replies.reset()
            self._echoes.reset()
            self.changeState("INIT")
        if channel is not None:
            channel.interrupt()
            close = channel.close if reading is None else reading.end
            # Whoever reads must have seen the end first.
            if self._loop is None or not self._loop.call(close):
                close()
        for request in requests:
            request.setComplete()

    def reconnect(self) -> None:
        """Disconnect and connect again; raises as `connect` does."""
        self.disconnect()
        self.connect()

    # Sending

    def sendRaw(self, data: bytes) -> None:
        """Send bytes as they are.

        A thread waits while the server takes nothing and much is queued already.

        Raises:
            ConnectionError: It is not connected, or the connection breaks.
            TypeError: `data` is neither bytes nor str.
        """
        raw = to_bytes(data, "what is sent")
        with self._lock:
            self.queue(raw)
        self.flush()
        self.yieldToServer()

    def sendPacket(self, packet: Packet) -> None:
        """Send a packet; waits and raises as `sendRaw` does."""
        if not isinstance(packet, Packet):
            raise TypeError(f"sendPacket takes a gear.Packet, not {type(packet).__name__}")
        self.log.debug("Sending packet: %s", packet)
        self.sendRaw(packet.toBinary())

    def queue(self, data: bytes) -> None:
        """Append bytes to what `flush` sends; under the client's lock.

        Raises:
            ConnectionError: It is not connected.
        """
        if self._channel is None:
            raise ConnectionError(f"{self!r} is not connected")
        self._channel.queue(data)

    def queueSession(self) -> bool:
        """Append all that the session wants to say; True when there was something.

        Under the client's lock: the order of the answers expected is the order on the wire.
        """
        if self.session is None:
            return False
        packets = self.session.take()
        if not packets or self._channel is None:
            return False
        for packet in packets:
            self.log.debug("Sending packet: %s", packet)
            self._channel.queue(encode(packet, Magic.REQ))
        return True

    def flush(self) -> None:
        """Send what was queued; without the client's lock.

        A connection that turns out to be broken is left to whoever reads it, who learns the same.
        On its own, without a client, it sends all before it returns.

        Raises:
            ConnectionError: The connection is broken, and nobody else reads it.
        """
        channel = self._channel
        if channel is None:
            return
        try:
            done = channel.flush()
            while not done and self._loop is None:
                channel.wait(write=True, timeout=None)
                done = channel.flush()
        except (OSError, ValueError) as error:
            if self._loop is None:
                self.disconnect()
                raise ConnectionError(f"{self!r}: {error}") from error
            channel.interrupt()
            return
        if not done and self._loop is not None:
            self._loop.call(self._watchWrite)

    def _watchWrite(self) -> None:
        channel = self._channel
        if channel is not None and self._loop is not None and channel.pending:
            self._loop.watch(channel.sock, READ | WRITE)

    def writable(self) -> None:
        """Send more of what was queued; called by the loop when the socket takes it."""
        channel = self._channel
        if channel is None or self._loop is None:
            return
        if channel.flush():
            self._loop.watch(channel.sock, READ)

    def yieldToServer(self) -> None:
        """Wait while the server takes nothing and much is queued; never on the poll thread."""
        channel = self._channel
        if channel is not None and self._loop is not None and not self._loop.here():
            channel.waitForRoom()

    # Receiving

    def watch(self, ready: Ready) -> None:
        """Have the client's loop call something whenever the connection is ready; on its thread."""
        with self._lock:
            if self._channel is not None and self._loop is not None:
                self._reading = Reading(self._loop, self._channel, ready)

    def spin(self, done: Callable[[], bool], alone: Callable[[], bool]) -> None:
        """Do what the loop would for a moment, until something is done; see `Reading.spin`."""
        reading = self._reading
        if reading is not None:
            reading.spin(done, alone)

    def receive(self) -> list[Inbound]:
        """Return what has come: packets, and administrative requests that are answered now.

        Raises:
            ConnectionError: The connection is gone, or what came is no Gearman.
        """
        channel = self._channel
        if channel is None:
            raise DisconnectError(f"{self!r} is not connected")
        try:
            data = channel.receive(self._reader.awaited)
        except OSError as error:
            raise DisconnectError(f"{self!r}: {error}") from error
        if data is None:
            return []
        inbound = self._reader.take(data, self._lock)
        if self._reader.broken:
            channel.interrupt()
        elif not inbound:
            acknowledge(channel.sock, len(data))
        return inbound

    def hasPendingData(self) -> bool:
        """Tell whether `readPacket` has something without reading from the socket."""
        return bool(self._inbox)

    def readPacket(self) -> Inbound:
        """Return the next packet, or the next administrative request that was answered; waits.

        Raises:
            ConnectionError: The connection is gone.
        """
        self._checkReader("readPacket")
        taken: list[Inbound] = []

        def take() -> bool:
            if self._inbox:
                taken.append(self._inbox.popleft())
            return bool(taken)

        self._turns.readUntil(take, None)
        return taken[0]

    def _readOnce(self, timeout: float | None) -> None:
        channel = self._channel
        if channel is None:
            raise DisconnectError(f"{self!r} is not connected")
        if channel.wait(write=False, timeout=timeout):
            self._takeIn()

    def _takeIn(self) -> None:
        try:
            inbound = self.receive()
        except GearmanError:
            self.disconnect()
            raise
        for item in inbound:
            if isinstance(item, Packet) and item.ptype == PacketType.ECHO_RES:
                self.handleEchoRes(item.data)
            else:
                self._inbox.append(item)

    def _checkReader(self, what: str) -> None:
        if self._loop is not None:
            raise GearmanError(f"{what}: the poll thread of the client reads this connection")

    def checkThread(self, what: str) -> None:
        """Raise GearmanError on the poll thread, where waiting for an answer would hang."""
        if self._loop is not None and self._loop.here():
            raise GearmanError(
                f"{what} was called on the poll thread, in a handler: the answer could never be "
                "read while it waits; call it from another thread"
            )

    # Administrative requests and echoes

    def sendAdminRequest(self, request: AdminRequest, timeout: float | None = 90) -> None:
        """Send an administrative request and wait for its response.

        Args:
            request: The request; its `response` has the reply afterwards.
            timeout: Seconds to wait; None for no limit.

        Raises:
            TimeoutError: No reply came in time.
            ConnectionError: The connection is gone.
        """
        self.checkThread("sendAdminRequest")
        if not isinstance(request, AdminRequest):
            raise TypeError(
                f"sendAdminRequest takes a gear.AdminRequest, not {type(request).__name__}"
            )
        limit = check_timeout(timeout)
        command = request.getCommand()
        with self._lock:
            request.begin()
            self.queue(command)
            self._replies.waiting.append(request)
        self.flush()
        if self._loop is not None:
            came = request.waitForResponse(limit)
        else:
            came = self._turns.readUntil(lambda: request.response is not None, limit)
            self._forget(request)
        if not came:
            raise TimeoutError(f"no reply to {command!r} from {self!r} in {timeout} s")
        if request.response is None:
            raise DisconnectError(f"{self!r} was lost before the reply to {command!r}")

    def _forget(self, request: AdminRequest) -> None:
        with self._turns.condition:
            if request in self._inbox:
                self._inbox.remove(request)

    def echo(self, data: str | bytes | None = None, timeout: float | None = 30) -> bytes:
        """Have the server send data back.

        Args:
            data: What to send; something unique by default.
            timeout: Seconds to wait; None for no limit.

        Returns:
            The data that came back.

        Raises:
            TimeoutError: Nothing came in time.
            ConnectionError: The connection is gone.
        """
        self.checkThread("echo")
        limit = check_timeout(timeout)
        waiting = Echo(data)
        with self._lock:
            self.queue(encode(EchoReq(waiting.data)))
            self._echoes.add(waiting)
        self.flush()
        if self._loop is not None:
            came = waiting.settled.wait(limit)
        else:
            came = self._turns.readUntil(waiting.settled.is_set, limit)
        if not came:
            with self._lock:
                self._echoes.discard(waiting)
            raise TimeoutError(f"no ECHO_RES from {self!r} in {timeout} s")
        if waiting.reply is None:
            raise DisconnectError(f"{self!r} was lost before the ECHO_RES")
        return waiting.reply

    def sendEchoReq(self, data: str | bytes) -> None:
        """Send an ECHO_REQ without waiting; raises as `sendRaw` does."""
        self.sendRaw(encode(EchoReq(convert_to_bytes(data))))

    def handleEchoRes(self, data: bytes) -> bool:
        """Wake whoever waits for this echo; False for an answer to nobody, which is ignored."""
        with self._lock:
            awaited = self._echoes.take(data)
        if not awaited:
            self.log.debug("Received an ECHO_RES that nobody waits for: %r", data)
        return awaited

    def handleOptionRes(self, option: bytes) -> None:
        """Note an option that the server confirmed."""
        self.options.add(option)
