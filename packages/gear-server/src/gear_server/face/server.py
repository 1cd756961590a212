"""The documented `Server`: a job server in the background of a process, open to subclasses."""

import asyncio
import contextlib
import datetime
import logging
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, NoReturn, Self, cast

import msgspec

from gear_server.__about__ import __version__
from gear_server.engine.acl import ACL
from gear_server.engine.commands import text_rules
from gear_server.engine.engine import Engine
from gear_server.engine.identity import Identity
from gear_server.engine.rules import assign_unique, packet_rules
from gear_server.engine.state import ServerJob
from gear_server.face.connections import ServerConnection
from gear_server.face.green import check_loops, patched_by
from gear_server.face.handlers import ServerHandlers
from gear_server.face.views import ServerViews
from gear_server.http.modules import load_modules
from gear_server.http.token import TokenFile, open_token
from gear_server.network.keeper import load
from gear_server.network.listening import check_listeners, listen
from gear_server.network.peer import StreamPeer
from gear_server.network.report import Report
from gear_server.network.server import AsyncServer
from gear_server.network.statsd import open_statsd
from gear_server.queue.store import Store
from gear_server.queue.url import MEMORY, open_store
from gear_server.settings import ServerSettings
from gear_wire.enums import Magic
from gear_wire.errors import ConfigurationError, GearmanError
from gear_wire.jobs import convert_to_bytes, to_bytes, to_handle
from gear_wire.link.address import DEFAULT_PORT, check_port
from gear_wire.link.inherited import call_when_forked, let_go, let_go_when_forked
from gear_wire.link.listen import Listen
from gear_wire.link.tls import TLSFiles, check_tls_files
from gear_wire.packet import Packet
from gear_wire.timeouts import check_timeout

if TYPE_CHECKING:
    from gear_server.http.service import HttpService
    from gear_server.network.certificates import Certificates

_TOKENS: Final = range(10_000_000, 100_000_000)
"""The numbers of which each start of a server takes one for its handles, all of one length."""
_MOST_OF_HOST: Final = 40
"""Bytes of the host name in a handle, whose maximum is 63."""


def _token(settings: ServerSettings) -> bytes:
    # The numbers of a stored queue go on where they were.
    if settings.job_handle_prefix or settings.queue != MEMORY:
        return b""
    return b"%d" % secrets.choice(_TOKENS)


def new_event_loop() -> asyncio.AbstractEventLoop:
    """Return a loop of uvloop where there is one, else one of asyncio.

    Raises:
        ConfigurationError: It could not run, since threads are patched.
    """
    patcher = patched_by()
    if patcher is not None:
        check_loops(patcher)
        return asyncio.SelectorEventLoop()  # that of uvloop would stop all other threads
    try:
        import uvloop
    except ImportError:
        return asyncio.SelectorEventLoop()  # that of Windows cannot wait for a listening socket
    return uvloop.new_event_loop()


def _merge(settings: ServerSettings, **arguments: object) -> ServerSettings:
    """Return settings with the arguments that are not at their defaults."""
    defaults = ServerSettings()
    given = {name: value for name, value in arguments.items() if value != getattr(defaults, name)}
    return msgspec.structs.replace(settings, **given) if given else settings


def _server_id(server_id: str | bytes) -> bytes:
    name = to_bytes(server_id, "a server id")
    try:
        name.decode()
    except UnicodeDecodeError:
        raise ConfigurationError(f"a server id must be text in UTF-8, not {name!r}") from None
    return name


def _read_certificates(files: TLSFiles | None, log: logging.Logger) -> "Certificates | None":
    if files is None:
        return None
    from gear_server.network.certificates import Certificates

    return Certificates(files, log)


def _port(sockets: Sequence[socket.socket]) -> int:
    """Return the port of listening sockets; 0 if there are none."""
    return sockets[0].getsockname()[1] if sockets else 0


def _prepare_http(settings: ServerSettings, sockets: Sequence[socket.socket]) -> TokenFile | None:
    """Return the token for HTTP, if there is one; what cannot be served must fail here."""
    if settings.serves_http or sockets:
        load_modules()
    return open_token(settings)


def _http_service(
    server: AsyncServer,
    sockets: Sequence[socket.socket],
    gearmand_sockets: Sequence[socket.socket],
    token: TokenFile | None,
) -> "HttpService":
    from gear_server.http.service import HttpService

    return HttpService(server, sockets, gearmand_sockets, token)


class _Watcher:
    """A condition that a thread waits for.

    Args:
        predicate: Returns whether it is true; called with the server's lock held.

    Attributes:
        done: Set once it is true, or the predicate has raised.
    """

    def __init__(self, predicate: Callable[[], bool]) -> None:
        self._predicate = predicate
        self._error: BaseException | None = None
        self.done: threading.Event = threading.Event()

    def look(self) -> None:
        """Call the predicate; what it raises is kept for the thread that waits."""
        try:
            if self._predicate():
                self.done.set()
        except BaseException as error:
            self._error = error
            self.done.set()

    def wait(self, timeout: float | None) -> bool:
        """Wait; returns whether it is true, or raises what the predicate raised."""
        done = self.done.wait(timeout)
        if self._error is not None:
            raise self._error
        return done


class _Absent:
    """Replaces the parts of a server that runs in another process.

    Args:
        reason: The text of the GearmanError that any use raises.
    """

    def __init__(self, reason: str) -> None:
        self._reason = reason

    def __getattr__(self, name: str) -> NoReturn:
        raise GearmanError(self._reason)

    def __enter__(self) -> NoReturn:
        raise GearmanError(self._reason)

    def __exit__(self, *error: object) -> None:
        """Do nothing: it was never entered."""


_inherited: "list[Server]" = []
"""Kept for ever: their event loops must not be closed in another process."""


class Server(ServerHandlers, ServerViews):
    """A job server that runs in a thread of this process until `shutdown`.

    It lives even if nobody keeps a reference. Its methods may be called from any thread; its
    handlers (``handle*``) run on its own, one at a time, and cost nothing unless a subclass
    overrides them. A job whose worker is lost fails, as with gear 0.16; see `job_retries`.

    Args:
        port: The port to listen on, a number or a number in text; 0 for a free one.
        ssl_key: Path of the private key; the three files go together.
        ssl_cert: Path of the certificate.
        ssl_ca: Path of the certificates of the authority; clients must present one of its own.
        statsd_host: A statsd server to send metrics to; None for none.
        statsd_port: Its port.
        statsd_prefix: Prefix of all keys.
        server_id: A suffix for the name of its logger.
        acl: Who may do what; None if everyone may do everything.
        host: A name or address to listen on; None for all addresses.
        keepalive: Whether to enable TCP keepalive.
        tcp_keepidle: Idle time before the first probe, in seconds.
        tcp_keepintvl: Time between probes, in seconds.
        tcp_keepcnt: Number of unanswered probes before a connection is dropped.
        job_retries: How many times to try a job whose workers are lost before it fails; 0 and 1
            mean once, -1 means no limit.
        queue: Where background jobs are kept: ``memory``, ``sqlite:PATH`` for a file, or
            ``postgresql://...`` for a database; with the last two they survive the server. See
            `ServerSettings.queue`.
        sockets: Listening sockets, as systemd passes them; `host` and `port` are then ignored.
        http_sockets: Listening sockets for HTTP; `ServerSettings.http` is then ignored.
        gearmand_http_sockets: Those for jobs over HTTP in gearmand's form, likewise.
        settings: Everything else, such as limits: see `ServerSettings`. Arguments above that are
            not at their defaults take precedence.

    Attributes:
        port: The port that it listens on.
        http_port: The port that it listens on for HTTP; 0 if it does not.
        gearmand_http_port: The one for jobs over HTTP in gearmand's form, likewise.
        acl: As given.
        lock: Held while anything is handled; hold it to look at several things as one.
        failure: What ended the server by itself; None unless the writer of its queue died.

    Raises:
        ConfigurationError: The port is out of range, one of the three files is missing, or the
            queue cannot be used.
        OSError: The port is in use, or may not be used.
    """

    def __init__(
        self,
        port: int | str = DEFAULT_PORT,
        ssl_key: str | os.PathLike[str] | None = None,
        ssl_cert: str | os.PathLike[str] | None = None,
        ssl_ca: str | os.PathLike[str] | None = None,
        statsd_host: str | None = None,
        statsd_port: int | str = 8125,
        statsd_prefix: str | None = None,
        server_id: str | bytes | None = None,
        acl: ACL | None = None,
        host: str | None = None,
        keepalive: bool = False,
        tcp_keepidle: int = 7200,
        tcp_keepintvl: int = 75,
        tcp_keepcnt: int = 9,
        *,
        job_retries: int = 0,
        queue: str = MEMORY,
        sockets: Sequence[socket.socket] | None = None,
        http_sockets: Sequence[socket.socket] | None = None,
        gearmand_http_sockets: Sequence[socket.socket] | None = None,
        settings: ServerSettings | None = None,
    ) -> None:
        files = check_tls_files(ssl_key, ssl_cert, ssl_ca)
        probes = (tcp_keepidle, tcp_keepintvl, tcp_keepcnt) if keepalive else (7200, 75, 9)
        settings = _merge(
            ServerSettings() if settings is None else settings,
            port=check_port(port, least=0),
            host=host or None,
            ssl_key=files and files.key,
            ssl_cert=files and files.cert,
            ssl_ca=files and files.ca,
            statsd_host=statsd_host or None,
            statsd_port=check_port(statsd_port) if statsd_host else 8125,
            statsd_prefix=statsd_prefix or None,
            keepalive=keepalive,
            keepalive_idle=probes[0],
            keepalive_interval=probes[1],
            keepalive_count=probes[2],
            job_retries=job_retries,
            queue=queue,
        )
        if not isinstance(acl, ACL | None):
            raise TypeError(f"acl must be a gear.ACL or None, not {type(acl).__name__}")
        self.client_id: bytes | None = None if server_id is None else _server_id(server_id)
        if not hasattr(self, "log"):
            name = "" if self.client_id is None else f".{self.client_id.decode()}"
            self.log: logging.Logger = logging.getLogger(f"gear.Server{name}")
        # A file that cannot be used must be reported here, not in the thread.
        self._certificates = _read_certificates(settings.tls(), self.log)
        self._http_token = _prepare_http(
            settings, [*(http_sockets or ()), *(gearmand_http_sockets or ())]
        )
        self.acl: ACL | None = acl
        self.host: str | None = settings.host
        self.lock: threading.RLock = threading.RLock()
        self.running: bool = True
        self.failure: BaseException | None = None
        prefix = settings.job_handle_prefix or f"H:{socket.gethostname()[:_MOST_OF_HOST]}"
        self._engine = Engine(
            settings,
            packet_rules(),
            text_rules(),
            acl,
            Identity(
                handle_prefix=to_handle(prefix),
                handle_token=_token(settings),
                version=__version__.encode(),
                pid=os.getpid(),
            ),
            wall_clock=time.time,
        )
        self._defaults = dict(self._engine.rules)
        self._report: Report | None = None
        self._watchers: list[_Watcher] = []
        self._settings = settings
        self._server: AsyncServer | None = None
        self._stopping: asyncio.Event | None = None
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        with contextlib.ExitStack() as undo:
            self._store = self._load(undo)
            self._listening = self._open(sockets, settings.listen(), undo)
            self._http_listening = self._open(http_sockets, settings.listen_http(), undo)
            self._gearmand_http_listening = self._open(
                gearmand_http_sockets, settings.listen_gearmand_http(), undo
            )
            self.port: int = _port(self._listening)
            self.http_port: int = _port(self._http_listening)
            self.gearmand_http_port: int = _port(self._gearmand_http_listening)
            self._statsd = open_statsd(settings)
            if self._statsd is not None:
                undo.callback(self._statsd.close)
            self._install_overrides()
            self._loop = new_event_loop()
            undo.callback(self._loop.close)
            self._thread = threading.Thread(
                target=self._run, name="Gearman client poll", daemon=True
            )
            self._begin()
            undo.pop_all()
        if acl is not None:
            acl.watch(self._flush_soon)
        self._process = os.getpid()
        let_go_when_forked(*self._listening, *self._http_listening, *self._gearmand_http_listening)
        call_when_forked(self._let_go)

    def __repr__(self) -> str:
        return f"<gear.{type(self).__name__} 0x{id(self):x} port: {self.port}>"

    def _open(
        self,
        sockets: Sequence[socket.socket] | None,
        where: Listen | None,
        undo: contextlib.ExitStack,
    ) -> list[socket.socket]:
        """Return the sockets to listen on: given ones, or new ones; none if there is no place."""
        if sockets is not None:
            return check_listeners(sockets)
        if where is None:
            return []
        opened = listen(where, self._settings.backlog)
        for sock in opened:
            undo.callback(sock.close)
        return opened

    def _load(self, undo: contextlib.ExitStack) -> Store | None:
        """Take in the jobs of the queue, and return its store; None if it is in memory."""
        settings = self._settings
        store = open_store(
            settings.queue,
            settings.queue_sync,
            owner=self._engine.identity.handle_prefix,
            lease=settings.queue_lease,
            patience=settings.queue_patience,
        )
        if store is not None:
            undo.callback(store.close)
            load(self._engine, store, self.log)
        self._ledger = self._engine.ledger
        return store

    # The thread

    def _begin(self) -> None:
        """Start it, and wait until it serves; raises what kept it from that."""
        self._thread.start()
        self._ready.wait()
        if self._failure is not None:
            self._thread.join()
            raise self._failure

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._serve())
        except BaseException as error:
            if self._ready.is_set():
                raise
            self._failure = error
        finally:
            self._ready.set()
            asyncio.set_event_loop(None)
            self._loop.close()
            if self._statsd is not None:
                self._statsd.close()

    async def _serve(self) -> None:
        self._stopping = asyncio.Event()
        self._server = AsyncServer(
            self._engine, self._settings, self.lock, self, self._certificates, self._store
        )
        await self._server.start(self._listening)
        async with contextlib.AsyncExitStack() as closing:
            if self._statsd is not None:
                self._report = Report(self._server, self._statsd)
                closing.callback(self._report.finish)
            closing.push_async_callback(self._server.close)
            if self._http_listening or self._gearmand_http_listening:
                service = _http_service(
                    self._server,
                    self._http_listening,
                    self._gearmand_http_listening,
                    self._http_token,
                )
                await service.start()
                closing.push_async_callback(service.close)
            self._ready.set()
            await self._stopping.wait()

    def shutdown(self) -> None:
        """Stop listening, close all connections and end the thread; may be called twice.

        In a process that was forked from the server's, where there is no server, it does nothing.
        """
        if self._process != os.getpid():
            return
        with self.lock:
            if self.running:
                self.running = False
                self._call(self._stop)
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        """Shut it down."""
        self.shutdown()

    def _let_go(self) -> None:
        """Leave the server to the process from which this one was forked."""
        _inherited.append(self)
        if self._server is not None:
            let_go(self._server.descriptors())
        if self._statsd is not None:
            let_go([self._statsd.fileno()])
        if self._store is not None:
            self._store.abandon()
        self.running = False
        self._server = None
        absent = _Absent(
            f"{self!r} belongs to process {self._process}, from which this one was forked: make "
            "one here"
        )
        # Every method takes the lock, or looks at the engine: the former may be held for ever.
        self.lock = cast(threading.RLock, absent)
        self._engine = cast(Engine, absent)

    def _stop(self) -> None:
        if self._stopping is not None:
            self._stopping.set()

    def _call(self, callback: Callable[[], None]) -> None:
        try:
            self._loop.call_soon_threadsafe(callback)
        except RuntimeError:
            pass  # the loop has ended, so there is nothing left to do

    def _flush_soon(self) -> None:
        server = self._server
        if server is not None:
            self._call(server.schedule_flush)

    def reload_certificates(self) -> None:
        """Read the three files of TLS again, for the handshakes that begin from now on.

        Connections stay as they are. If the certificate ends soon, that is logged.

        Raises:
            ConfigurationError: A file cannot be used, and the previous ones stay in use; or this
                server has no TLS.
        """
        if self._certificates is None:
            raise ConfigurationError(f"{self!r} has no certificates: it was started without TLS")
        self._certificates.reload()
        self._certificates.check(datetime.datetime.now(datetime.UTC))

    def reload_http_token(self) -> None:
        """Read the token for HTTP again; requests that are being answered go on.

        Raises:
            ConfigurationError: The file cannot be used, and the previous token stays in use; or
                this server has none.
        """
        if self._http_token is None:
            raise ConfigurationError(f"{self!r} has no token for HTTP")
        self._http_token.reload()

    # The owner of an `AsyncServer`

    def make_peer(self, host: str, port: int, descriptor: int, subject: str | None) -> StreamPeer:
        """Return the peer of a new connection."""
        return ServerConnection(host, port, descriptor, subject, self._engine, self._flush_soon)

    def on_lost(self, peer: StreamPeer) -> None:
        """Call `handleDisconnect` for each job of a lost connection."""
        for job in list(peer.assigned.values()):
            try:
                self.handleDisconnect(job)
            except BaseException:
                self.log.exception("Exception in handleDisconnect of %r", job)

    def on_turn(self) -> None:
        """Wake the waiters whose condition is true, and schedule a report to statsd."""
        for watcher in self._watchers:
            watcher.look()
        if self._report is not None:
            self._report.schedule()

    def on_batch(self, seconds: float) -> None:
        """Record how long it took to store something."""
        if self._statsd is not None:
            self._statsd.timing("queue.commit", seconds * 1000)

    def on_failure(self, error: BaseException) -> None:
        """End the server, since nothing can be stored any more."""
        self.log.critical("The writer of the queue died; ending", exc_info=error)
        self.failure = error
        self.running = False
        self._stop()

    def dropped_lines(self) -> int:
        """Return how many lines of the log could not be written; Python's `logging` counts none."""
        return 0

    # Doing something

    def wakeConnection(self, connection: ServerConnection) -> None:
        """Send a NOOP to a worker, if it sleeps."""
        with self.lock:
            self._engine.scheduler.wake(connection)
        self._flush_soon()

    def wakeConnections(self, job: ServerJob | None = None) -> None:
        """Send a NOOP to every worker that sleeps, or to those that can do a job's function."""
        if not isinstance(job, ServerJob | None):
            raise TypeError(f"wakeConnections takes a gear.ServerJob, not {type(job).__name__}")
        with self.lock:
            for peer in list(self._engine.peers):
                if job is None or job.name in peer.abilities:
                    self._engine.scheduler.wake(peer)
        self._flush_soon()

    def sendError(self, connection: ServerConnection, code: str | bytes, text: str | bytes) -> None:
        """Send an ERROR."""
        with self.lock:
            self._engine.send_error(connection, convert_to_bytes(code), convert_to_bytes(text))
        self._flush_soon()

    def sendNoJob(self, connection: ServerConnection) -> None:
        """Send a NO_JOB."""
        connection.sendPacket(Packet(Magic.RES.value, 10, b""))

    def sendJobAssignUniq(self, connection: ServerConnection, job: ServerJob) -> None:
        """Assign a job to a worker by JOB_ASSIGN_UNIQ."""
        with self.lock:
            if job.holder is not connection:
                self._engine.assign(connection, job, time.monotonic())
            key, head = assign_unique(job)
            self._engine.send_payload(connection, key, head, job.arguments)
        self._flush_soon()

    def waitFor(self, predicate: Callable[[], bool], timeout: float | None = None) -> bool:
        """Wait until a predicate is true; it is called whenever the server has changed.

        Args:
            predicate: Returns whether to stop waiting; called with the lock held.
            timeout: Seconds to wait; None for no limit.

        Returns:
            Whether it is true; what the predicate raises is raised here.
        """
        limit = check_timeout(timeout)
        watcher = _Watcher(predicate)
        with self.lock:
            watcher.look()
            if not watcher.done.is_set():
                self._watchers.append(watcher)
        try:
            return watcher.wait(limit)
        finally:
            with self.lock:
                if watcher in self._watchers:
                    self._watchers.remove(watcher)

    @property
    def undelivered(self) -> int:
        """The number of bytes that peers have not read yet."""
        return 0 if self._server is None else self._server.undelivered()

    def drain(self, timeout: float | None = None, *, queued: bool = False) -> bool:
        """Accept no more connections and jobs; wait until jobs have ended and results arrived.

        Args:
            timeout: Seconds to wait; None for no limit.
            queued: Whether queued and scheduled jobs are still given out and waited for; otherwise
                only running jobs are.

        Returns:
            Whether all of them have ended, and nothing is `undelivered`.
        """
        limit = check_timeout(timeout)
        with self.lock:
            self._engine.drain(queued)
        if self._server is not None:
            self._call(self._server.drain)
        if queued:
            return self.waitFor(lambda: not self._engine.jobs and not self.undelivered, limit)
        return self.waitFor(lambda: not self._engine.running and not self.undelivered, limit)

    def _lostConnection(self, connection: ServerConnection) -> None:
        with self.lock:
            self._engine.close(connection)
        self._flush_soon()
