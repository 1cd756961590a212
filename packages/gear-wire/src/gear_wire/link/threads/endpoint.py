"""One end of a connection: connects, sends in order, receives; asking is in `connection`."""

import logging
import os
import socket
import threading
import time
from collections.abc import Callable
from typing import Final

from gear_wire.codec import encode
from gear_wire.enums import Magic, PacketType
from gear_wire.errors import ConnectionError, DisconnectError, GearmanError
from gear_wire.jobs import BaseJob, to_bytes, to_client_id
from gear_wire.link.address import DEFAULT_PORT, Keepalive, check_host, check_port
from gear_wire.link.deadline import Deadline
from gear_wire.link.quickack import acknowledge
from gear_wire.link.threads.channel import Channel, Connector
from gear_wire.link.threads.echoes import Echoes
from gear_wire.link.threads.inbound import Inbound, InboundReader
from gear_wire.link.threads.inbox import Inbox
from gear_wire.link.threads.loop import READ, WRITE, PollLoop, Ready
from gear_wire.link.threads.reading import Reading
from gear_wire.link.threads.replies import Replies
from gear_wire.link.threads.requests import AdminRequest
from gear_wire.link.tls import TLSStream, check_tls_files
from gear_wire.packet import Packet
from gear_wire.session import Session

CONNECT_TIMEOUT: Final = 10.0
"""Seconds an attempt to connect may take."""


class Endpoint:
    """One end of a connection to a Gearman server.

    For the arguments and attributes see `Connection`.
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
        self._inbox = Inbox(self._readOnce)
        self._reader = InboundReader(self, self._replies, self.log)

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
            self._inbox.clear()
            self._reader = InboundReader(self, self._replies, self.log)
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
        packets = self.session.packets_to_send()
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

    def yieldToServer(self, deadline: Deadline | None = None) -> None:
        """Wait while the server takes nothing and much is queued; never on the poll thread.

        Args:
            deadline: How long; None for no limit.

        Raises:
            TimeoutError: The server has still not taken it.
        """
        channel = self._channel
        if channel is None or self._loop is None or self._loop.here():
            return
        if not channel.waitForRoom(deadline) and deadline is not None:
            raise deadline.error(f"{self!r} takes nothing: no room to send")

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
        if self._loop is not None:
            raise GearmanError("readPacket: the poll thread of the client reads this connection")
        return self._inbox.take()

    def _readOnce(self, timeout: float | None) -> list[Inbound]:
        channel = self._channel
        if channel is None:
            raise DisconnectError(f"{self!r} is not connected")
        if not channel.wait(write=False, timeout=timeout):
            return []
        try:
            inbound = self.receive()
        except GearmanError:
            self.disconnect()
            raise
        kept = []
        for item in inbound:
            if isinstance(item, Packet) and item.ptype == PacketType.ECHO_RES:
                self.handleEchoRes(item.data)
            else:
                kept.append(item)
        return kept

    def handleEchoRes(self, data: bytes) -> bool:
        """Wake whoever waits for this echo; False for an answer to nobody, which is ignored."""
        with self._lock:
            awaited = self._echoes.take(data)
        if not awaited:
            self.log.debug("Received an ECHO_RES that nobody waits for: %r", data)
        return awaited
