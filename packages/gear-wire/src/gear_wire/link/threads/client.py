"""What the threaded Client and Worker share: several servers, one poll thread, reconnection."""

import atexit
import functools
import logging
import os
import random
import socket
import threading
import time
import warnings
import weakref
from collections.abc import Callable
from types import TracebackType
from typing import Concatenate, Final, ParamSpec, Self, TypeVar

from gear_wire.errors import (
    ConfigurationError,
    ConnectionError,
    GearmanError,
    InterruptedError,
    NoConnectedServersError,
)
from gear_wire.jobs import to_client_id
from gear_wire.link.address import DEFAULT_PORT
from gear_wire.link.deadline import CLOSE_TIMEOUT, CONNECT_TIMEOUT, Deadline
from gear_wire.link.heartbeat import PROBE, check_heartbeat
from gear_wire.link.inherited import call_when_forked
from gear_wire.link.roster import Roster
from gear_wire.link.serverlog import ServerLog, why_unconnected
from gear_wire.link.threads.attempts import Attempts
from gear_wire.link.threads.connection import Connection
from gear_wire.link.threads.loop import PollLoop, Ready
from gear_wire.link.threads.receiver import Receiver
from gear_wire.packet import Packet
from gear_wire.session import Session

THREAD_RETRY: Final = 1.0
"""Seconds after which a thread is asked for again that the system did not give."""

P = ParamSpec("P")
R = TypeVar("R")
_clients: "weakref.WeakSet[BaseClient]" = weakref.WeakSet()
# Those of clients that were dropped, until all that was said is sent.
_leaving: set[PollLoop] = set()


def _weakly(
    method: Callable[Concatenate[Connection, P], R], connection: Connection, otherwise: R
) -> Callable[P, R]:
    """Return what calls a method with a connection, and keeps neither alive.

    Threads hold it: what they hold, nobody could ever drop.
    """
    owner: object = getattr(method, "__self__")  # noqa: B009  # callables in general have none
    function: Callable[Concatenate[object, Connection, P], R] = getattr(method, "__func__")  # noqa: B009
    # Not a WeakMethod: when the interpreter ends, its callback may find itself gone, and says so.
    reference, other = weakref.ref(owner), weakref.ref(connection)

    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        alive, known = reference(), other()
        if alive is None or known is None:
            return otherwise
        return function(alive, known, *args, **kwargs)

    return call


class BaseClient(Receiver):
    """A set of connections to servers with one thread that reads them all.

    A context manager: leaving its block shuts it down. So does the end of the interpreter.

    Handlers (``handle*``) run one at a time, on that thread. One that raises is logged and disturbs
    nothing, whatever it raises; one that blocks holds up the others.

    In a process that was forked, a client lets go of its parent's connections without touching
    them, and makes its own when it is first used there.

    Args:
        client_id: How this client introduces itself to servers and names itself in logs.
        heartbeat: Seconds without traffic after which a server is asked for an echo; if nothing
            comes in as many seconds again, the connection is made anew. None for never.

    Attributes:
        client_id: As given, as bytes.
        log: The logger ``gear.<Class>.<client_id>``.
        running: False after `shutdown`.
        connections_condition: Notified whenever a connection comes or goes.

    Raises:
        InvalidDataError: The client id holds a NUL.
        ConfigurationError: The heartbeat is not positive.
    """

    def __init__(
        self, client_id: str | bytes = "unknown", *, heartbeat: float | None = None
    ) -> None:
        super().__init__()
        self.client_id: bytes = to_client_id(client_id)
        if not hasattr(self, "log"):
            name = self.client_id.decode(errors="replace")
            self.log: logging.Logger = logging.getLogger(f"gear.{self._kind}.{name}")
        self._heartbeat = check_heartbeat(heartbeat)
        self.running: bool = True
        self._make_locks()
        self._roster: Roster[Connection] = Roster()
        self._server_logs: dict[Connection, ServerLog] = {}
        self._loop: PollLoop | None = None
        self._attempts: Attempts | None = None
        self._forked = False
        _clients.add(self)
        call_when_forked(self._let_go)

    def _make_locks(self) -> None:
        self.broadcast_lock: threading.RLock = threading.RLock()
        self._state_lock = threading.RLock()
        self.connections_condition: threading.Condition = threading.Condition(self._state_lock)

    def __enter__(self) -> Self:
        """Return the client itself; leaving the block shuts it down."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Shut the client down."""
        self.shutdown()

    def __del__(self) -> None:
        """Have the poll thread close what nobody can close any more: any thread may get here."""
        loop = getattr(self, "_loop", None)  # a constructor that raised made none
        if loop is None or not self.running:
            return
        self.running = False
        if self._attempts is not None:
            with self.connections_condition:
                self._attempts.stop()
        _leaving.add(loop)
        loop.call(functools.partial(_close, loop, self._roster.clear()))
        loop.end()
        # Last: where warnings are errors, this raises.
        text = f"{self!r} was dropped without shutdown()"
        warnings.warn(text, ResourceWarning, stacklevel=2, source=self)

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
            self._check_running()
            for known in (*self._roster.active, *self._roster.inactive):
                if (known.host, known.port) == (connection.host, connection.port):
                    raise ConfigurationError(
                        f"server {known.host} port {known.port} was added before"
                    )
            self._start_threads()
            self._roster.add(connection)
            self._begin(connection)

    def _begin(self, connection: Connection) -> None:
        """Make a connection this client's, and connect it in the background; under the lock."""
        loop, _ = self._start_threads()
        self._server_logs[connection] = ServerLog(self.log, connection.address)
        connection.attach(self._state_lock, loop, self)
        self._start_connecting(connection, wait=False)
        if self._heartbeat is not None:
            self._beat_later(loop, connection, self._heartbeat)

    def _start_threads(self) -> tuple[PollLoop, Attempts]:
        if self._loop is None or self._attempts is None:
            self._loop = PollLoop("Gearman client poll", self.log)
            self._attempts = Attempts(self.connections_condition)
        return self._loop, self._attempts

    def _check_running(self) -> None:
        if not self.running:
            raise InterruptedError(f"{self!r} was shut down")
        if self._forked:
            self._start_in_child()

    def _start_connecting(self, connection: Connection, wait: bool) -> None:
        """Have a thread connect, or ask for one again when there is none; under the lock."""
        loop, attempts = self._start_threads()
        connect = _weakly(self._connect_once, connection, True)
        started = attempts.start(
            lambda: connect(attempts), _weakly(self._delay, connection, 0.0), wait
        )
        if not started:
            self._server_logs[connection].failed("the system gives no more threads")
            loop.call_later(THREAD_RETRY, _weakly(self._ask_for_thread, connection, None))

    def _delay(self, connection: Connection) -> float:
        return self._roster.delay(connection, random.random())

    def _ask_for_thread(self, connection: Connection) -> None:
        with self._state_lock:
            if self.running and not connection.connected:
                self._start_connecting(connection, wait=False)

    def _connect_once(self, connection: Connection, attempts: Attempts) -> bool:
        if not self.running:
            return True
        try:
            connection.open(Deadline(CONNECT_TIMEOUT), attempts.cancel)
        except ConnectionError as error:
            if self.running:
                self._server_logs[connection].failed(str(error.__cause__ or error))
            return False
        except Exception:
            self.log.exception("Exception while connecting to %s", connection)
            return False
        return self._greet(connection)

    def _greet(self, connection: Connection) -> bool:
        with self._state_lock:
            loop = self._loop
            if not self.running or loop is None:
                connection.drop()
                return True
            connection.session = self._new_session(connection)
            connection.session.greet()
            connection.queue_session()
            self._roster.up(connection, time.monotonic())
            self._server_logs[connection].connected()
        connection.flush()
        self._call_safely(lambda: self._onConnect(connection))
        sock = connection.conn
        if sock is None:
            return True
        loop.call(functools.partial(_watch, connection, sock, self._ready(connection, sock)))
        self._call_safely(lambda: self._onActiveConnection(connection))
        with self.connections_condition:
            self.connections_condition.notify_all()
        return True

    def _ready(self, connection: Connection, sock: socket.socket) -> Ready:
        """Return what reads a connection: `_weakly` in one call, as it is called so often."""
        reference, other = weakref.ref(self), weakref.ref(connection)

        def ready(events: int) -> None:
            client, known = reference(), other()
            if client is not None and known is not None:
                client._poll(known, sock, events)

        return ready

    def _new_session(self, connection: Connection) -> Session:
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
            TimeoutError: None was connected in time; it names each server, and why.
            InterruptedError: The client was shut down.
        """
        self.check_thread("waitForServer")
        deadline = Deadline(timeout)
        with self.connections_condition:
            self._check_running()
            self.connections_condition.wait_for(
                lambda: self._roster.active or not self.running, deadline.left()
            )
            self._check_running()
            if not self._roster.active:
                why = why_unconnected(self._server_logs.values())
                raise deadline.error(f"no server was connected ({why})")

    def getConnection(self) -> Connection:
        """Return the connection whose turn it is.

        Raises:
            NoConnectedServersError: There is none.
        """
        if self._forked:
            self._connect_in_child()
        with self._state_lock:
            connection = self._roster.next(time.monotonic())
        if connection is None:
            raise self._no_server()
        return connection

    def _promising_connections(self) -> list[Connection]:
        """Return the connections, those to servers that did not answer in time last."""
        if self._forked:
            self._connect_in_child()
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

    def _no_server(self) -> NoConnectedServersError:
        if not self.running:
            return NoConnectedServersError(f"no server is connected: {self!r} was shut down")
        why = why_unconnected(self._server_logs.values())
        return NoConnectedServersError(f"no server is connected at the moment ({why})")

    # Sending

    def broadcast(self, packet: Packet) -> None:
        """Send a packet to all servers that are connected."""
        if self._forked:
            self._connect_in_child()
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
        except ConnectionError as error:
            self._lostConnection(connection, str(error))
            raise

    def _queue(self) -> bool:
        """Queue all that the sessions have to send; under the state lock. True for something."""
        queued = [connection.queue_session() for connection in self._roster.active]
        return any(queued)

    def _flush(self) -> None:
        """Send what was queued on any connection; without the state lock."""
        for connection in self._roster.active[:]:
            connection.flush()

    def _apply(self, packet: Packet) -> object:
        """Do what a packet says: what the handlers do unless they are overridden."""
        connection = packet.connection
        if not isinstance(connection, Connection):
            raise GearmanError(f"{packet!r} came over no connection of a client")
        with self._state_lock:
            if connection.session is None:
                return None
            mark = connection.mark()
            result = connection.session.apply(packet.decoded)
            queued = self._queue()
            if queued:
                connection.note_caused(mark)
        if queued:
            self._flush()
        return result

    # Losing connections

    def _lostConnection(self, connection: Connection, reason: str = "it broke") -> None:
        """Give a connection up and make it anew; from any thread, once per loss."""
        with self._state_lock:
            if not self._roster.down(connection, time.monotonic()):
                return
            connection.reason = reason
            if self.running:
                self._complaints.finish()
                self._server_logs[connection].lost(reason, connection.wrong)
            jobs = list(connection.related_jobs.values())
            if connection.session is not None:
                jobs += connection.session.lost(reason)
            connection.related_jobs.clear()
            self._queue()
            # Before the lock is let go: who was woken may shut the client down at once.
            if self._loop is not None:
                for job in jobs:
                    self._loop.call(functools.partial(self.handleDisconnect, job))
        connection.drop()
        self._flush()
        with self.connections_condition:
            self.connections_condition.notify_all()
            if self.running:
                self._start_connecting(connection, wait=True)

    def renew(self, connection: Connection) -> None:
        """Give a connection up, and make it anew in the background."""
        self._lostConnection(connection, "it was disconnected")

    def wait_for_connection(self, connection: Connection, deadline: Deadline) -> None:
        """Wait until a connection stands; raises as `waitForServer` does."""
        with self.connections_condition:
            self._check_running()
            self.connections_condition.wait_for(
                lambda: connection in self._roster.active or not self.running, deadline.left()
            )
            self._check_running()
            if connection not in self._roster.active:
                why = why_unconnected([self._server_logs[connection]])
                raise deadline.error(f"{connection!r} was not connected again ({why})")

    def _beat_later(
        self, loop: PollLoop, connection: Connection, seconds: float, asked: float | None = None
    ) -> None:
        beat = _weakly(self._beat, connection, None)
        loop.call_later(seconds, lambda: beat(loop, asked))

    def _beat(self, connection: Connection, loop: PollLoop, asked: float | None) -> None:
        """Ask a server that has been silent for an echo, and give it up when it stays so.

        A handler that took long kept this thread from reading: what has come counts.

        Args:
            connection: The connection to the server.
            loop: Calls this again.
            asked: When it was asked, on the monotonic clock.
        """
        heartbeat, received, now = self._heartbeat, connection.received, time.monotonic()
        if heartbeat is None or not self.running:
            return
        if received is None or now - received < heartbeat:
            left = heartbeat if received is None else received + heartbeat - now
            self._beat_later(loop, connection, left)
        elif asked is None or asked < received:
            try:
                connection.sendRaw(PROBE)
            except ConnectionError:
                pass  # it was lost just now
            self._beat_later(loop, connection, heartbeat, now)
        elif connection.readable:
            self._beat_later(loop, connection, 0.0, asked)
        else:
            self._lostConnection(connection, f"no answer to a heartbeat in {heartbeat:g} s")
            self._beat_later(loop, connection, heartbeat)

    def _call_safely(self, hook: Callable[[], None]) -> None:
        try:
            hook()
        except BaseException:
            self.log.exception("Exception in a handler")

    # Ending

    def check_thread(self, what: str) -> None:
        """Raise GearmanError on the poll thread, where waiting for an answer would hang."""
        if self._loop is not None:
            self._loop.check_elsewhere(what)

    def shutdown(self, timeout: float | None = CLOSE_TIMEOUT) -> None:
        """Send what was said, close all connections and end all threads.

        May be called more than once. Whoever waits for something is woken with an error.

        Args:
            timeout: Seconds that what was said has to leave; None for no limit. What a server does
                not take by then is lost.
        """
        self.close_connections(Deadline(timeout))()

    def close_connections(self, deadline: Deadline) -> Callable[[], None]:
        """Do what `shutdown` does, but wait for no thread.

        Args:
            deadline: How long what was said has to leave.

        Returns:
            What waits until the threads have ended, except for one that hangs.
        """
        with self.connections_condition:
            if not self.running:
                return _nothing
            self.running = False
            connections = self._roster.clear()
            loop, self._loop = self._loop, None
            attempts, self._attempts = self._attempts, None
            join = _nothing if attempts is None else attempts.stop()
            self.connections_condition.notify_all()
        self._shutdown()
        self._complaints.finish()
        for connection in connections:
            connection.finish(deadline)
        for connection in connections:
            with self._state_lock:
                if connection.session is not None:
                    connection.session.lost()
            connection.drop()
        if loop is None:
            return join
        loop.end()

        def join_all() -> None:
            loop.stop()
            join()

        return join_all

    def _shutdown(self) -> None:
        """Override to wake those who wait, when the client is being shut down."""

    # Processes that are forked

    def _let_go(self) -> None:
        """Forget what a forked process inherited: threads, locks and sockets are the parent's."""
        self._make_locks()
        self._loop = self._attempts = None
        connections = self._roster.clear()
        for connection in connections:
            connection.release()
            connection.related_jobs.clear()
            self._roster.add(connection)
        self._forked = self.running and bool(connections)
        self._was_forked()

    def _was_forked(self) -> None:
        """Override to forget more, in a process that was forked; no other thread runs there."""

    def _start_in_child(self) -> None:
        """Begin to connect anew, at the first use in a process that was forked."""
        with self._state_lock:
            if self._forked:
                self._forked = False
                for connection in self._roster.inactive:
                    self._begin(connection)

    def _connect_in_child(self) -> None:
        """Connect anew, where a server that is connected is wanted, and wait for one."""
        with self.connections_condition:
            self._start_in_child()
            self.connections_condition.wait_for(
                lambda: self._roster.active or not self.running, CONNECT_TIMEOUT
            )


def _nothing() -> None:
    """Wait for no thread."""


def _watch(connection: Connection, sock: socket.socket, ready: Ready) -> None:
    """Have a poll thread read a connection from now on; on that thread."""
    if connection.conn is sock:
        connection.watch(ready)
        connection.flush()


def _close(loop: PollLoop, connections: list[Connection]) -> None:
    """Send what a client that was dropped has said, then close its connections; on its thread."""
    deadline = Deadline(CLOSE_TIMEOUT)
    for connection in connections:
        connection.finish(deadline)
        connection.detach()
    _leaving.discard(loop)


def _close_all() -> None:
    """Send what was said before the interpreter ends: its threads would end in the middle."""
    deadline = Deadline(CLOSE_TIMEOUT)
    for client in list(_clients):
        client.close_connections(deadline)
    for loop in list(_leaving):
        loop.join(deadline)


atexit.register(_close_all)
