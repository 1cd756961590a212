"""What the threaded Client and Worker share: several servers, one poll thread, reconnection."""

import functools
import logging
import os
import random
import threading
import time
from collections.abc import Callable

from gear_wire.errors import (
    ConfigurationError,
    ConnectionError,
    GearmanError,
    InterruptedError,
    NoConnectedServersError,
    TimeoutError,
)
from gear_wire.jobs import to_client_id
from gear_wire.link.address import DEFAULT_PORT
from gear_wire.link.roster import Roster
from gear_wire.link.threads.connecting import Connecting
from gear_wire.link.threads.connection import Connection
from gear_wire.link.threads.loop import PollLoop
from gear_wire.link.threads.receiver import Receiver
from gear_wire.packet import Packet
from gear_wire.session import Session
from gear_wire.timeouts import check_timeout


class BaseClient(Receiver):
    """A set of connections to servers with one thread that reads them all.

    Handlers (``handle*``) run one at a time, on that thread. One that raises is logged and
    disturbs nothing; one that blocks holds up the others.

    Args:
        client_id: How this client introduces itself to servers and names itself in logs.

    Attributes:
        client_id: As given, as bytes.
        log: The logger ``gear.<Class>.<client_id>``.
        running: False after `shutdown`.
        connections_condition: Notified whenever a connection comes or goes.

    Raises:
        InvalidDataError: The client id holds a NUL.
    """

    def __init__(self, client_id: str | bytes = "unknown") -> None:
        super().__init__()
        self.client_id: bytes = to_client_id(client_id)
        if not hasattr(self, "log"):
            name = self.client_id.decode(errors="replace")
            self.log: logging.Logger = logging.getLogger(f"gear.{self._kind}.{name}")
        self.running: bool = True
        self.broadcast_lock: threading.RLock = threading.RLock()
        self._state_lock = threading.RLock()
        self.connections_condition: threading.Condition = threading.Condition(self._state_lock)
        self._roster: Roster[Connection] = Roster()
        self._loop: PollLoop | None = None
        self._connecting: Connecting | None = None

    @property
    def active_connections(self) -> list[Connection]:
        """The connections that stand; take a copy to walk it while servers come and go."""
        return self._roster.active

    @property
    def inactive_connections(self) -> list[Connection]:
        """The connections that are being made."""
        return self._roster.inactive

    def __repr__(self) -> str:
        return f"<gear.{type(self).__name__} 0x{id(self):x}>"

    # Servers

    def addServer(
        self,
        host: str | bytes,
        port: int | str | bytes = DEFAULT_PORT,
        ssl_key: str | os.PathLike[str] | None = None,
        ssl_cert: str | os.PathLike[str] | None = None,
        ssl_ca: str | os.PathLike[str] | None = None,
        keepalive: bool = False,
        tcp_keepidle: int = 7200,
        tcp_keepintvl: int = 75,
        tcp_keepcnt: int = 9,
        *,
        ssl_check_hostname: bool = True,
    ) -> None:
        """Add a server; it is connected in the background, and again whenever it is lost.

        Args:
            host: The server's name or address.
            port: Its port; a number, or a number in text.
            ssl_key: Path of the private key; the three files go together.
            ssl_cert: Path of the certificate.
            ssl_ca: Path of the certificates of the authority.
            keepalive: Whether TCP keepalive is on.
            tcp_keepidle: Seconds without traffic before the first probe.
            tcp_keepintvl: Seconds between probes.
            tcp_keepcnt: Probes without an answer before the connection is given up.
            ssl_check_hostname: Whether the server's certificate must name `host`.

        Raises:
            ConfigurationError: The server was added before, the port is out of range, one of the
                three files is missing or cannot be used.
            InterruptedError: The client was shut down.
        """
        connection = Connection(
            host, port, ssl_key, ssl_cert, ssl_ca, self.client_id, keepalive,
            tcp_keepidle, tcp_keepintvl, tcp_keepcnt, ssl_check_hostname=ssl_check_hostname,
        )  # fmt: skip
        with self._state_lock:
            self._checkRunning()
            for known in (*self._roster.active, *self._roster.inactive):
                if (known.host, known.port) == (connection.host, connection.port):
                    raise ConfigurationError(
                        f"server {known.host} port {known.port} was added before"
                    )
            loop, _ = self._startThreads()
            connection.attach(self._state_lock, loop)
            self._roster.add(connection)
            self._startConnecting(connection, wait=False)

    def _startThreads(self) -> tuple[PollLoop, Connecting]:
        if self._loop is None or self._connecting is None:
            self._loop = PollLoop("Gearman client poll", self.log)
            self._connecting = Connecting(self.connections_condition)
        return self._loop, self._connecting

    def _checkRunning(self) -> None:
        if not self.running:
            raise InterruptedError(f"{self!r} was shut down")

    def _startConnecting(self, connection: Connection, wait: bool) -> None:
        _, connecting = self._startThreads()
        connecting.start(
            lambda: self._connectOnce(connection, connecting),
            lambda: self._roster.delay(connection, random.random()),
            wait,
        )

    def _connectOnce(self, connection: Connection, connecting: Connecting) -> bool:
        if not self.running:
            return True
        try:
            connection.connect(cancel=connecting.cancel)
        except ConnectionError as error:
            if self.running:
                self.log.warning("%s", error)
            return False
        except Exception:
            self.log.exception("Exception while connecting to %s", connection)
            return False
        return self._greet(connection)

    def _greet(self, connection: Connection) -> bool:
        with self._state_lock:
            loop = self._loop
            if not self.running or loop is None:
                connection.disconnect()
                return True
            connection.session = self._newSession(connection)
            connection.session.greet()
            connection.queueSession()
            self._roster.up(connection, time.monotonic())
        connection.flush()
        self._callSafely(lambda: self._onConnect(connection))
        sock = connection.conn
        if sock is None:
            return True

        def ready(events: int) -> None:
            self._poll(connection, sock, events)

        def watch() -> None:
            if connection.conn is sock:
                connection.watch(ready)
                connection.flush()

        loop.call(watch)
        self._callSafely(lambda: self._onActiveConnection(connection))
        with self.connections_condition:
            self.connections_condition.notify_all()
        return True

    def _newSession(self, connection: Connection) -> Session:
        """Return the protocol's state for a fresh connection; under the state lock."""
        raise NotImplementedError

    def _onConnect(self, connection: Connection) -> None:
        """Override to do something when a connection was made; the greeting is queued already."""

    def _onActiveConnection(self, connection: Connection) -> None:
        """Override to do something when a connection can be used."""

    def waitForServer(self, timeout: float | None = None) -> None:
        """Wait until at least one server is connected.

        Args:
            timeout: Seconds to wait; None for no limit.

        Raises:
            TimeoutError: None was connected in time.
            InterruptedError: The client was shut down.
        """
        self.checkThread("waitForServer")
        limit = check_timeout(timeout)
        with self.connections_condition:
            self.connections_condition.wait_for(
                lambda: self._roster.active or not self.running, limit
            )
            self._checkRunning()
            if not self._roster.active:
                raise TimeoutError(f"no server was connected in {timeout} s")

    def getConnection(self) -> Connection:
        """Return the connection whose turn it is.

        Raises:
            NoConnectedServersError: There is none.
        """
        with self._state_lock:
            connection = self._roster.next(time.monotonic())
        if connection is None:
            raise self._noServer()
        return connection

    def _promising_connections(self) -> list[Connection]:
        """Return the connections, those to servers that did not answer in time last."""
        with self._state_lock:
            return self._roster.promising()

    def _skip(self, connection: Connection) -> None:
        """Skip a server that did not answer in time, for a while."""
        with self._state_lock:
            self._roster.skip(connection, time.monotonic())

    def _heard_from(self, connection: Connection) -> None:
        if self._roster.skips:
            with self._state_lock:
                self._roster.answered(connection)

    def _noServer(self) -> NoConnectedServersError:
        if not self.running:
            return NoConnectedServersError(f"no server is connected: {self!r} was shut down")
        return NoConnectedServersError("no server is connected at the moment")

    # Sending

    def broadcast(self, packet: Packet) -> None:
        """Send a packet to all servers that are connected."""
        with self.broadcast_lock:
            for connection in self.active_connections[:]:
                try:
                    self.sendPacket(packet, connection)
                except ConnectionError as error:
                    self.log.warning("Cannot broadcast to %s: %s", connection, error)

    def sendPacket(self, packet: Packet, connection: Connection) -> None:
        """Send a packet to one server.

        Raises:
            ConnectionError: The connection is gone.
        """
        try:
            connection.sendPacket(packet)
        except ConnectionError:
            self._lostConnection(connection)
            raise

    def _queue(self) -> bool:
        """Queue all that the sessions want to say; under the state lock. True for something."""
        queued = [connection.queueSession() for connection in self._roster.active]
        return any(queued)

    def _flush(self) -> None:
        """Send what was queued on any connection; without the state lock."""
        for connection in self._roster.active[:]:
            connection.flush()

    def _say(self) -> None:
        """Queue and send all that the sessions want to say."""
        with self._state_lock:
            self._queue()
        self._flush()

    def _apply(self, packet: Packet) -> object:
        """Do what a packet says: what the handlers do unless they are overridden."""
        connection = packet.connection
        if not isinstance(connection, Connection):
            raise GearmanError(f"{packet!r} came over no connection of a client")
        with self._state_lock:
            if connection.session is None:
                return None
            result = connection.session.apply(packet.decoded)
            queued = self._queue()
        if queued:
            self._flush()
        return result

    def _lostConnection(self, connection: Connection) -> None:
        """Give a connection up and make it anew; from any thread, once per loss."""
        with self._state_lock:
            if not self._roster.down(connection, time.monotonic()):
                return
            jobs = list(connection.related_jobs.values())
            if connection.session is not None:
                jobs += connection.session.lost()
            connection.related_jobs.clear()
            self._queue()
            # Before the lock is let go: who was woken may shut the client down at once.
            if self._loop is not None:
                for job in jobs:
                    self._loop.call(functools.partial(self.handleDisconnect, job))
        connection.disconnect()
        self._flush()
        with self.connections_condition:
            self.connections_condition.notify_all()
            if self.running:
                self._startConnecting(connection, wait=True)

    def _callSafely(self, hook: Callable[[], None]) -> None:
        try:
            hook()
        except Exception:
            self.log.exception("Exception in a handler")

    # Ending

    def checkThread(self, what: str) -> None:
        """Raise GearmanError on the poll thread, where waiting for an answer would hang."""
        if self._loop is not None and self._loop.here():
            raise GearmanError(
                f"{what} was called on the poll thread, in a handler: what it waits for could "
                "never happen; call it from another thread"
            )

    def shutdown(self) -> None:
        """Close all connections and end all threads; may be called more than once.

        Whoever waits for something is woken with an error.
        """
        with self.connections_condition:
            if not self.running:
                return
            self.running = False
            connections = self._roster.clear()
            loop, self._loop = self._loop, None
            connecting, self._connecting = self._connecting, None
            join = None if connecting is None else connecting.stop()
            self.connections_condition.notify_all()
        self._shutdown()
        for connection in connections:
            with self._state_lock:
                if connection.session is not None:
                    connection.session.lost()
            connection.disconnect()
        if loop is not None:
            loop.stop()
        if join is not None:
            join()

    def _shutdown(self) -> None:
        """Override to wake those who wait, when the client is being shut down."""
