"""The documented `Connection`: one connection to one server; many of them are in `client`."""

import logging
import os
import socket
import threading
import time
import weakref
from collections.abc import Callable
from typing import Final, Protocol

from gear_wire.codec import decode, encode
from gear_wire.enums import Magic, PacketType
from gear_wire.errors import ConnectionError, DisconnectError, GearmanError, ProtocolError
from gear_wire.escape import quoted
from gear_wire.framing import Frame, FrameReader, TextLine
from gear_wire.jobs import BaseJob, convert_to_bytes, to_bytes, to_client_id
from gear_wire.link.address import DEFAULT_PORT, Keepalive, ServerAddress
from gear_wire.link.backlog import Backlog
from gear_wire.link.deadline import CONNECT_TIMEOUT, Deadline
from gear_wire.link.heartbeat import PAYLOAD
from gear_wire.link.inherited import call_when_forked
from gear_wire.link.quickack import acknowledge
from gear_wire.link.threads.answers import Answers, Echo
from gear_wire.link.threads.channel import Channel
from gear_wire.link.threads.connector import Connector
from gear_wire.link.threads.inbound import Inbound, InboundReader
from gear_wire.link.threads.loop import PollLoop, Ready
from gear_wire.link.threads.requests import AdminRequest
from gear_wire.link.threads.transport import OwnTransport, PolledTransport
from gear_wire.link.tls import describe
from gear_wire.packet import Packet
from gear_wire.packets import EchoReq
from gear_wire.session import Session
from gear_wire.text import MAX_REPLY_SIZE

MAX_UNTAKEN: Final = 64 << 20
"""Bytes of packets that nobody has taken above which a connection on its own reads no more."""
Mark = tuple[Channel, int]
"""A place in what is sent over one socket: another socket of the connection has other places."""


class ConnectionOwner(Protocol):
    """What a connection needs of the client that it belongs to."""

    def renew(self, connection: "Connection") -> None:
        """Give the connection up, and make it anew in the background."""

    def wait_for_connection(self, connection: "Connection", deadline: Deadline) -> None:
        """Wait until a connection stands; raises TimeoutError or InterruptedError."""


class Connection:
    """A connection to a Gearman server.

    On its own it has no thread: `readPacket`, `sendAdminRequest` and `echo` read from the socket
    themselves. As part of a Client or Worker, their poll thread reads, or a thread of theirs that
    waits for an answer; then `disconnect`, `connect` and `reconnect` have the client make it anew.

    In a process that was forked, it is not connected: its parent has that connection.

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
        max_reply_size: The longest reply to a text command taken in, in bytes; counts from the next
            time that it is connected.
        reason: Why it was lost, as far as it is known; empty while it stands.
        wrong: Whether it was ended because of something wrong that the server sent.

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
        address = ServerAddress.of(
            host, port, ssl_key, ssl_cert, ssl_ca,
            ssl_check_hostname=ssl_check_hostname,
            keepalive=Keepalive(keepalive, tcp_keepidle, tcp_keepintvl, tcp_keepcnt),
        )  # fmt: skip
        self.host: str = address.host
        self.port: int = address.port
        self.ssl_key: str | None = address.tls.key if address.tls else None
        self.ssl_cert: str | None = address.tls.cert if address.tls else None
        self.ssl_ca: str | None = address.tls.ca if address.tls else None
        self.use_ssl: bool = address.tls is not None
        self._address = address
        self._tls_context = address.tls_context()
        self.client_id: bytes = to_client_id(client_id)
        name = self.client_id.decode(errors="replace")
        self.log: logging.Logger = logging.getLogger(f"gear.Connection.{name}")
        self.keepalive: bool = keepalive
        self.tcp_keepidle: int = tcp_keepidle
        self.tcp_keepintvl: int = tcp_keepintvl
        self.tcp_keepcnt: int = tcp_keepcnt
        self.connect_time: float | None = None
        self.related_jobs: dict[bytes, BaseJob] = {}
        self.options: set[bytes] = set()
        self.state: str = "INIT"
        self.state_time: float = time.time()
        self.session: Session | None = None
        self.max_reply_size: int = MAX_REPLY_SIZE
        self.reason: str = ""
        self.wrong: bool = False
        self._owner: weakref.ref[ConnectionOwner] | None = None
        self.release()
        call_when_forked(self.release)

    def release(self) -> None:
        """Forget the socket and whoever waits for it, without touching it.

        For a fresh connection, and for a process that was forked: what it inherited is another's.
        """
        self.session = None
        self._lock = threading.RLock()
        self._answers = Answers(self.max_reply_size)
        self._channel: Channel | None = None
        self._own = OwnTransport(self._read_once)
        self._polled: PolledTransport | None = None
        self._transport: OwnTransport | PolledTransport = self._own
        self._reader = InboundReader(self, self._answers)
        self._spoken = FrameReader(max_line_size=None)
        self._backlog = Backlog()

    @property
    def address(self) -> ServerAddress:
        """Where the server is, and how to talk to it, as the attributes say now."""
        probes = Keepalive(self.keepalive, self.tcp_keepidle, self.tcp_keepintvl, self.tcp_keepcnt)
        return ServerAddress(
            self.host, self.port, self._address.tls, self._address.check_hostname, probes
        )

    def attach(self, lock: threading.RLock, loop: PollLoop, owner: ConnectionOwner) -> None:
        """Make it part of a client: the client's lock guards it, the client's loop reads it."""
        self._lock = lock
        self._owner = weakref.ref(owner)
        self._transport = self._polled = PolledTransport(loop)

    def detach(self) -> None:
        """Make it one of its own: its client is gone."""
        self.drop()
        self._owner = self._polled = None
        self._transport = self._own

    @property
    def admin_requests(self) -> list[AdminRequest]:
        """The administrative requests that wait for a reply, oldest first."""
        return self._answers.requests

    @property
    def connected(self) -> bool:
        """Whether the connection stands, as far as this side knows."""
        return self._channel is not None

    @property
    def conn(self) -> socket.socket | None:
        """The socket; None when there is none."""
        channel = self._channel
        return None if channel is None else channel.sock

    @property
    def received(self) -> float | None:
        """When something came last, on the monotonic clock; None while it is not connected."""
        channel = self._channel
        return None if channel is None else channel.received

    def changeState(self, state: str) -> None:
        """Record what a worker does with the connection, and since when."""
        self.state_time = time.time()
        self.state = state

    def __repr__(self) -> str:
        return f"<gear.Connection 0x{id(self):x} host: {self.host} port: {self.port}>"

    # Connecting

    def connect(self, timeout: float | None = CONNECT_TIMEOUT) -> None:
        """Connect to the server; one that is connected is disconnected first.

        Args:
            timeout: Seconds that it may take; None for a day.

        Raises:
            ConnectionError: The server cannot be reached, or TLS fails.
            TimeoutError: One of a Client or Worker was not connected again in time.
            InterruptedError: That client was shut down.
            GearmanError: Called in a handler of that client.
        """
        deadline = Deadline(timeout)
        owner = None if self._owner is None else self._owner()
        if owner is None:
            self.open(deadline)
            return
        self.check_thread("connect")
        owner.renew(self)
        owner.wait_for_connection(self, deadline)

    def open(self, deadline: Deadline, cancel: socket.socket | None = None) -> None:
        """Connect to the server, for whoever then reads.

        Args:
            deadline: How long it may take.
            cancel: A socket that becomes readable when the attempt shall end.

        Raises:
            ConnectionError: The server cannot be reached, or TLS fails.
        """
        self.drop()
        self.log.debug("Connecting to %s", self._address)
        connector = Connector(self.address, self._tls_context, deadline, cancel)
        try:
            made = connector.connect()
        except ConnectionError as error:
            raise ConnectionError(f"cannot connect to {self._address}: {error}") from error
        with self._lock:
            self._own.clear()
            self._answers.max_size = self.max_reply_size
            self._reader = InboundReader(self, self._answers)
            self._spoken = FrameReader(max_line_size=None)
            self._backlog = Backlog()
            self.reason, self.wrong = "", False
            self.related_jobs.clear()
            self.options.clear()
            self._channel = Channel(made.sock, made.tls, self._lock, made.first)
            self.connect_time = time.time()
            self.changeState("INIT")

    def drop(self) -> None:
        """Close the socket; whoever waits for an answer over it is woken with an error."""
        with self._lock:
            channel, self._channel = self._channel, None
            requests = self._answers.reset()
            self.changeState("INIT")
        if channel is not None:
            channel.interrupt()
            self._transport.close(channel)
        for request in requests:
            request.setComplete()

    def disconnect(self) -> None:
        """Close the connection; whoever waits for an answer over it is woken with an error.

        One of a Client or Worker is made anew in the background.
        """
        owner = None if self._owner is None else self._owner()
        if owner is None:
            self.drop()
        else:
            owner.renew(self)

    def reconnect(self) -> None:
        """Disconnect and connect again; raises as `connect` does."""
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
            self._note_spoken(raw)
        self.flush()
        self.wait_for_room(Deadline(None))

    def _note_spoken(self, data: bytes) -> None:
        """Note what a program sends itself: it may be answered."""
        for event in self._spoken.feed(data):
            if isinstance(event, TextLine):
                self._answers.by_hand = True
            elif self.session is not None:
                try:
                    self.session.spoke(decode(event) if isinstance(event, Frame) else None)
                except ProtocolError:
                    self.session.spoke(None)

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

    def queue_session(self) -> bool:
        """Append all that the session has to send; True when there was something.

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

    def flush(self, deadline: Deadline | None = None) -> None:
        """Send what was queued; without the client's lock.

        A connection of a client sends what it can now and the rest in the background; one that
        turns out to be broken is left to whoever reads it, who learns the same. On its own, a
        connection sends all before this returns.

        Args:
            deadline: How long a connection on its own may take; None for no limit.

        Raises:
            ConnectionError: The connection is broken, and nobody else reads it.
            TimeoutError: The server has not taken all in time, and nobody else will send it.
        """
        channel = self._channel
        if channel is None:
            return
        limit = deadline or Deadline(None)
        try:
            done = self._transport.flush(channel, limit)
        except OSError as error:
            if self._owner is None:
                self.drop()
                raise ConnectionError(f"{self!r}: {describe(error)}") from error
            channel.interrupt()
            return
        if not done and self._owner is None:
            raise limit.error(f"{self!r} has not taken what was sent")

    def wait_for_room(self, deadline: Deadline) -> None:
        """Wait while the server takes nothing and much is queued; never on the poll thread.

        Raises:
            TimeoutError: The server has not taken it in time.
        """
        channel = self._channel
        if channel is None:
            return
        try:
            room = self._transport.make_room(channel, deadline)
        except OSError:
            room = True  # it is gone, as whoever sends over it next learns
        if not room:
            raise deadline.error(f"{self!r} has not taken what was sent before")

    def mark(self) -> Mark | None:
        """Return where what was queued so far ends, for `send_all`; under the client's lock."""
        channel = self._channel
        return None if channel is None else (channel, channel.queued)

    def note_caused(self, mark: Mark | None) -> None:
        """Note that what was queued since a mark answers the server; under the client's lock.

        Raises:
            ProtocolError: The server has taken too little of such answers.
        """
        if mark is not None and mark[0] is self._channel:
            channel, before = mark
            self._backlog.note(channel.queued - before, channel.sent)

    def send_all(self, deadline: Deadline, mark: Mark | None = None) -> None:
        """Send what was queued, and wait until the kernel has all of it.

        Args:
            deadline: How long.
            mark: Up to where; by default, all that was queued so far.

        Raises:
            TimeoutError: The kernel has not taken it in time, for the server does not read.
            ConnectionError: The connection is not there, or was lost meanwhile: the server may have
                received it or not.
        """
        with self._lock:
            mark = mark or self.mark()
        if mark is None:
            raise DisconnectError(f"{self!r} is not connected")
        channel, end = mark
        try:
            done = channel.send_up_to(end, deadline)
            if channel.pending:
                self._transport.flush(channel, Deadline(0))  # the poll thread sends the rest
            if done:
                return
        except OSError as error:
            channel.interrupt()
            raise DisconnectError(f"{self!r}: {describe(error)}") from error
        raise deadline.error(f"{self!r} has not taken what was sent")

    def finish(self, deadline: Deadline) -> None:
        """Send what was queued, and wait until the server's kernel has it, before a close.

        What cannot be sent in time, or at all, is lost: nobody is left who could do better.
        """
        channel = self._channel
        if channel is None:
            return
        try:
            channel.end()
            self.send_all(deadline)
            channel.wait_until_acknowledged(deadline)
        except (OSError, GearmanError) as error:
            self.log.debug("Closing %r with data unsent: %s", self, error)

    # Receiving

    def watch(self, ready: Ready) -> None:
        """Have the client's loop call something whenever the connection is ready; on its thread."""
        with self._lock:
            if self._channel is not None and self._polled is not None:
                self._polled.watch(self._channel, ready)

    def spin(self, done: Callable[[], bool], alone: Callable[[], bool]) -> None:
        """Do what the loop would for a moment, until something is done; see `Reading.spin`."""
        if self._polled is not None:
            self._polled.spin(done, alone)

    def writable(self) -> None:
        """Send more of what was queued; called by the loop when the socket takes it."""
        channel = self._channel
        if channel is not None and self._polled is not None:
            self._polled.writable(channel)

    def receive(self) -> list[Inbound]:
        """Return what was received: packets, and administrative requests that are answered now.

        Raises:
            ConnectionError: The connection is gone, or what came is not valid Gearman.
        """
        channel = self._channel
        if channel is None:
            raise DisconnectError(f"{self!r} is not connected")
        reader = self._reader
        if reader.broken:
            raise self.distrust(reader.broken)
        try:
            data = channel.receive(reader.awaited)
        except OSError as error:
            raise DisconnectError(describe(error)) from error
        if data is None:
            return []
        inbound = reader.take(data, self._lock)
        if reader.broken:
            if not inbound:
                raise self.distrust(reader.broken)
            channel.interrupt()  # what came before it counts; then it is read again
        elif not inbound:
            acknowledge(channel.sock, len(data))
        return inbound

    def distrust(self, reason: str) -> DisconnectError:
        """Note that the connection must end because of what the server sent; returns the error."""
        self.reason, self.wrong = reason, True
        return DisconnectError(reason)

    @property
    def readable(self) -> bool:
        """Whether something was received that nobody has read yet."""
        channel = self._channel
        try:
            return channel is not None and channel.wait(write=False, deadline=Deadline(0))
        except OSError:
            return False  # it is being closed

    def hasPendingData(self) -> bool:
        """Tell whether `readPacket` has something without reading from the socket."""
        return self._own.holds_packets

    def readPacket(self) -> Inbound:
        """Return the next packet, or the next administrative request that was answered; waits.

        Raises:
            ConnectionError: The connection is gone.
        """
        if self._owner is not None:
            raise GearmanError("readPacket: the poll thread of the client reads this connection")
        return self._own.receive()

    def _read_once(self, deadline: Deadline) -> list[Inbound]:
        channel = self._channel
        if channel is None:
            raise DisconnectError(f"{self!r} is not connected")
        try:
            if not channel.wait(write=False, deadline=deadline):
                return []
            if self._own.size > MAX_UNTAKEN:
                raise self.distrust(f"over {MAX_UNTAKEN} bytes of packets that nobody takes")
            inbound = self.receive()
        except GearmanError as error:
            self.reason = str(error)
            self.drop()
            raise
        return [item for item in inbound if not self._answers_echo(item)]

    def _answers_echo(self, item: Inbound) -> bool:
        if not isinstance(item, Packet) or item.ptype != PacketType.ECHO_RES:
            return False
        return self.handleEchoRes(item.data) or item.data == PAYLOAD

    def handleEchoRes(self, data: bytes) -> bool:
        """Wake whoever waits for this echo; False for an answer that nobody waits for."""
        with self._lock:
            awaited = self._answers.receive_echo(data)
        if not awaited and data != PAYLOAD:
            self.log.debug("Received an ECHO_RES that nobody waits for: %s", quoted(data))
        return awaited

    # Asking

    def check_thread(self, what: str) -> None:
        """Raise GearmanError on the poll thread, where waiting for an answer would hang."""
        self._transport.check_thread(what)

    def sendAdminRequest(self, request: AdminRequest, timeout: float | None = 90) -> None:
        """Send an administrative request and wait for its response.

        Args:
            request: The request; its `response` has the reply afterwards.
            timeout: Seconds to wait; None for no limit.

        Raises:
            TimeoutError: No reply came in time.
            ConnectionError: The connection is gone.
        """
        self.check_thread("sendAdminRequest")
        if not isinstance(request, AdminRequest):
            raise TypeError(
                f"sendAdminRequest takes a gear.AdminRequest, not {type(request).__name__}"
            )
        deadline = Deadline(timeout)
        command = request.getCommand()
        self.wait_for_room(deadline)
        with self._lock:
            request.begin()
            self.queue(command)
            self._answers.expect(request)
        self.flush(deadline)
        came = self._transport.wait_for(request.settled, deadline)
        self._own.discard(request)
        if not came:
            raise deadline.error(f"no reply to {command!r} from {self!r}")
        if request.response is None:
            raise self.lost_before(f"the reply to {command!r}")

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
        self.check_thread("echo")
        deadline = Deadline(timeout)
        waiting = Echo(data)
        self.wait_for_room(deadline)
        with self._lock:
            self.queue(encode(EchoReq(waiting.data)))
            self._answers.expect_echo(waiting)
        self.flush(deadline)
        if not self._transport.wait_for(waiting.settled, deadline):
            with self._lock:
                self._answers.forget_echo(waiting)
            raise deadline.error(f"no ECHO_RES from {self!r}")
        if waiting.reply is None:
            raise self.lost_before("the ECHO_RES")
        return waiting.reply

    def lost_before(self, what: str) -> DisconnectError:
        """Return the error of whoever waited for something when the connection was lost."""
        because = f": {self.reason}" if self.reason else ""
        return DisconnectError(f"{self!r} was lost before {what}{because}")

    def sendEchoReq(self, data: str | bytes) -> None:
        """Send an ECHO_REQ without waiting; raises as `sendRaw` does."""
        self.sendRaw(encode(EchoReq(convert_to_bytes(data))))

    def handleOptionRes(self, option: bytes) -> None:
        """Record an option that the server confirmed."""
        self.options.add(option)
