"""The life of `geard`, from binding its port to the last signal."""

import contextlib
import ipaddress
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from gear_server.__about__ import __version__
from gear_server.engine.acl import ACL
from gear_server.engine.state import ServerJob
from gear_server.face.server import Server, new_event_loop
from gear_server.geard.daemon import check_platform
from gear_server.geard.logs import SYSLOG, Logs
from gear_server.geard.memory import Trimmer, keep_heap, relax_collector
from gear_server.geard.options import Options
from gear_server.geard.privileges import SPARE_DESCRIPTORS, allow_descriptors, become, make_room
from gear_server.geard.runfile import RunFile
from gear_server.geard.signals import DONE, Signals
from gear_server.geard.systemd import READY, STOPPING, Notifier
from gear_server.geard.writable import check_writable
from gear_server.http.modules import load_modules as load_http
from gear_server.http.token import open_token
from gear_server.levels import NOTICE
from gear_server.network.descriptors import descriptor_limit
from gear_server.network.listening import begin_listening, bind, read_acl, try_to_bind
from gear_server.network.statsd import open_statsd
from gear_server.queue.store import Store
from gear_server.queue.url import MEMORY, describe_queue, file_of, load_modules
from gear_wire.errors import ConfigurationError, GearmanError
from gear_wire.link.listen import Listen
from gear_wire.link.tls import TLSFiles, check_tls_files

DAEMON_LOG: Final = "/var/log/geard/geard.log"
DAEMON_PID_FILE: Final = "/var/run/geard/geard.pid"
"""Where gear 0.16's geard logged and wrote its process ID as a daemon."""

SWITCH_INTERVAL: Final = 0.0002
"""Seconds that a thread keeps the interpreter from others that wait for it."""
_SIGNALS: Final = tuple(
    getattr(signal, name)
    for name in ("SIGTERM", "SIGINT", "SIGUSR1", "SIGHUP")
    if hasattr(signal, name)  # Windows has only two of them
)
_GRACEFUL: Final = {"SIGTERM", "SIGUSR1"}


def _if_directory_exists(path: str) -> str | None:
    return path if os.path.isdir(os.path.dirname(path)) else None


def make_logs(options: Options) -> Logs:
    """Return the logs that the options ask for."""
    file = options.log_file
    syslog = options.syslog
    if file is None and options.foreground:
        file = "stderr"
    elif file is None:
        file = _if_directory_exists(DAEMON_LOG)
        syslog = syslog or (file is None and os.path.exists(SYSLOG))
    return Logs(
        file or "none",
        options.settings.verbose,
        SYSLOG if syslog else None,
        options.log_config,
        options.log_format,
    )


def _pid_file(options: Options) -> str | None:
    if options.pid_file is not None or options.foreground:
        return options.pid_file
    return _if_directory_exists(DAEMON_PID_FILE)


def _tls_files(options: Options) -> TLSFiles | None:
    if not options.ssl:
        return None
    settings = options.settings
    files = {
        "--ssl-key": settings.ssl_key,
        "--ssl-cert": settings.ssl_cert,
        "--ssl-ca": settings.ssl_ca,
    }
    missing = [name for name, path in files.items() if path is None]
    if missing:
        raise ConfigurationError(f"TLS requires {', '.join(files)}; missing: {', '.join(missing)}")
    return check_tls_files(*files.values())


def _acl(options: Options) -> ACL | None:
    return None if options.acl is None else read_acl(options.acl)


def check(options: Options) -> None:
    """Check that the options fit together, and that the files that they name can be used.

    Raises:
        ConfigurationError: They do not, or one of them cannot.
    """
    files = _tls_files(options)
    if files is not None:
        files.server_context()
    elif options.acl is not None:
        raise ConfigurationError(
            "--acl requires TLS: it applies to the names in client certificates"
        )
    _acl(options)
    if options.settings.serves_http:
        load_http()
    elif options.settings.http_token_file is not None:
        raise ConfigurationError("--http-token-file is of use only with --http")
    open_token(options.settings)


def check_queue(queue: str) -> None:
    """Check that a queue could be opened; that another server has it is fine.

    Raises:
        ConfigurationError: It is something else than a queue.
        OSError: Its file cannot be read and written.
    """
    file = file_of(queue)
    if file is None:
        describe_queue(queue)
    else:
        from gear_server.queue.sqlite import check_file

        check_writable(file)
        check_writable(f"{file}-wal")
        check_file(file)


def rehearse(options: Options) -> None:
    """Check that the server could start, as far as that can be known beforehand.

    A port in use is fine: the server that is to be replaced may have it. The process takes on the
    limits and the user that the server would run with, and must exit afterwards.

    Raises:
        ConfigurationError: It could not, because of one of the options.
        OSError: It could not listen.
    """
    if not options.foreground:
        check_platform()
    if options.file_descriptors is not None:
        allow_descriptors(options.file_descriptors)
    settings = options.settings
    for where in (settings.listen(), settings.listen_http(), settings.listen_gearmand_http()):
        if where is not None:
            try_to_bind(where)
    load_modules(options.settings.queue)
    if options.settings.serves_http:
        load_http()
    if options.user is not None:
        become(options.user)
    check(options)
    make_logs(options).check()
    for file in (_pid_file(options), options.port_file):
        RunFile(file, "").check()
    check_queue(options.settings.queue)
    statsd = open_statsd(options.settings)
    if statsd is not None:
        statsd.close()


class GeardServer(Server):
    """A server that listens once its queue is loaded, and tells the program when it has failed.

    Args:
        options: The options.
        sockets: Bound sockets.
        http_sockets: Those for HTTP; none if it is off.
        gearmand_http_sockets: Those for jobs over HTTP in gearmand's form, likewise.
        failed: Called on the server's thread.
        logs: Where it logs.

    Raises:
        ConfigurationError: A file cannot be used.
        OSError: It cannot listen.
    """

    def __init__(
        self,
        options: Options,
        sockets: Sequence[socket.socket],
        http_sockets: Sequence[socket.socket],
        gearmand_http_sockets: Sequence[socket.socket],
        failed: Callable[[], None],
        logs: Logs,
    ) -> None:
        self._logs = logs
        self._sockets = [*sockets, *http_sockets, *gearmand_http_sockets]
        self._failed = failed
        super().__init__(
            settings=options.settings, acl=_acl(options), sockets=sockets,
            http_sockets=http_sockets or None, gearmand_http_sockets=gearmand_http_sockets or None,
        )  # fmt: skip

    def _load(self, undo: contextlib.ExitStack) -> Store | None:
        store = super()._load(undo)
        # Clients that were let in earlier would wait, instead of turning to another server.
        begin_listening(self._sockets, self._settings.backlog)
        return store

    def dropped_lines(self) -> int:
        """Return how many lines of the log could not be written."""
        return self._logs.dropped

    def on_failure(self, error: BaseException) -> None:
        """End the server and the program."""
        super().on_failure(error)
        self._failed()


def run(
    options: Options,
    notes: Iterable[str],
    inherited: Sequence[socket.socket],
    notifier: Notifier,
    ready: Callable[[], None],
) -> None:
    """Serve until a signal says to stop.

    Args:
        options: The options.
        notes: Lines for the log.
        inherited: Listening sockets; if there are none, new ones are opened.
        notifier: The service manager.
        ready: Called once the server is listening.

    Raises:
        ConfigurationError: It cannot start because of one of the options.
        OSError: It cannot listen.
    """
    if options.file_descriptors is not None:
        allow_descriptors(options.file_descriptors)
    else:
        make_room(options.settings.max_connections)
    sockets = inherited or bind(options.settings.listen())
    http_sockets = _bind_if_wanted(options.settings.listen_http())
    gearmand_http_sockets = _bind_if_wanted(options.settings.listen_gearmand_http())
    if options.user is not None:
        # Load the modules that the user may not be allowed to read.
        new_event_loop().close()
        load_modules(options.settings.queue)
        if options.settings.serves_http:
            load_http()
        become(options.user)
    with (
        make_logs(options) as logs,
        Signals(_SIGNALS) as signals,
        RunFile(_pid_file(options), str(os.getpid())),
        contextlib.ExitStack() as closing,
    ):
        relax_collector()
        keep_heap()
        if options.settings.queue != MEMORY:
            # The thread that writes needs the interpreter for a moment before and after each step.
            sys.setswitchinterval(SWITCH_INTERVAL)
        server = GeardServer(
            options, sockets, http_sockets, gearmand_http_sockets, signals.done, logs
        )
        closing.callback(server.shutdown)
        trimmer = Trimmer(lambda: server.memory_used, lambda: server.counters.submitted)
        trimmer.start()
        closing.callback(trimmer.close)
        closing.enter_context(RunFile(options.port_file, str(server.port)))
        program = Program(options, server, logs, signals, notifier)
        program.announce(sockets, [*http_sockets, *gearmand_http_sockets], notes)
        ready()
        program.serve()
    if logs.stuck:
        # The thread that hangs in a write may hold a lock for which the interpreter would wait.
        os._exit(0)


def _bind_if_wanted(where: Listen | None) -> list[socket.socket]:
    return [] if where is None else bind(where)


def _name(sock: socket.socket) -> str:
    host, port = sock.getsockname()[:2]
    return f"{host} port {port}"


def _is_local(sock: socket.socket) -> bool:
    """Return whether only this machine itself reaches a listening socket."""
    return ipaddress.ip_address(sock.getsockname()[0].partition("%")[0]).is_loopback


class Program:
    """A running server and its reaction to signals.

    Args:
        options: The options.
        server: The server.
        logs: Its logs.
        signals: The signals.
        notifier: The service manager.
    """

    def __init__(
        self, options: Options, server: Server, logs: Logs, signals: Signals, notifier: Notifier
    ) -> None:
        self._options = options
        self._server = server
        self._logs = logs
        self._signals = signals
        self._notifier = notifier
        self._log = logging.getLogger("gear.Server")

    def announce(
        self,
        sockets: Iterable[socket.socket],
        http_sockets: Iterable[socket.socket],
        notes: Iterable[str],
    ) -> None:
        """Tell the log and the service manager that the server is listening."""
        names = ", ".join(map(_name, sockets))
        settings = self._options.settings
        self._log.log(NOTICE, "geard %s listening on %s", __version__, names)
        for sock in http_sockets:
            self._log.log(NOTICE, "Serving HTTP on %s", _name(sock))
            if not (settings.ssl_ca or settings.http_token_file or _is_local(sock)):
                self._log.warning(
                    "Whoever reaches %s may see, submit and cancel jobs over HTTP: "
                    "--http-token-file or --ssl lets in only those who should", _name(sock),
                )  # fmt: skip
        for note in notes:
            self._log.log(NOTICE, "%s", note)
        self._check_descriptors()
        self._notifier.send(READY, f"STATUS=Listening on {names}")

    def _check_descriptors(self) -> None:
        """Warn if fewer files may be open than connections."""
        wanted, limit = self._options.settings.max_connections, descriptor_limit()
        if limit is not None and limit < wanted + SPARE_DESCRIPTORS:
            self._log.warning(
                "Only about %d connections can be open, not %d (max_connections): the limit of "
                "open files is %d; raise it by --file-descriptors or in the system",
                max(0, limit - SPARE_DESCRIPTORS), wanted, limit,
            )  # fmt: skip

    def serve(self) -> None:
        """Handle signals until one of them stops the server."""
        stopping: set[str] = set()
        for number in self._signals:
            name = "DONE" if number == DONE else signal.Signals(number).name
            if number != DONE:
                self._log.log(NOTICE, "Received %s", name)
            if name == "SIGHUP":
                self._reload()
            elif name in _GRACEFUL and name not in stopping:
                stopping |= {name, "SIGUSR1"}  # which adds nothing to SIGTERM
                self._drain(None if name == "SIGUSR1" else self._options.grace)
            elif name != "SIGUSR1":
                break
        self._notifier.send(STOPPING)
        with self._server.lock:
            lost = [job for job in self._server.jobs.values() if not self._stored(job)]
        running = sum(job.running for job in lost)
        self._server.shutdown()
        if self._server.failure is not None:
            raise GearmanError(f"the writer of the queue died: {self._server.failure!r}")
        if lost:
            self._log.warning(
                "Exiting with %d jobs lost (%d running, %d queued)",
                len(lost), running, len(lost) - running,
            )  # fmt: skip
        if self._server.stored_jobs:
            place = describe_queue(self._options.settings.queue)
            self._log.log(NOTICE, "%d jobs stay in %s", self._server.stored_jobs, place)
        self._log.log(NOTICE, "geard stopped")

    def _stored(self, job: ServerJob) -> bool:
        return job.background and self._options.settings.queue != MEMORY

    def _drain(self, limit: float | None) -> None:
        """Wait for running jobs, up to a limit.

        Without a limit, wait for all jobs, as gearmand does after SIGUSR1, unless they are stored.
        """
        queued = limit is None and self._options.settings.queue == MEMORY
        jobs = self._server.total_jobs if queued else self._server.running_jobs
        self._notifier.send(STOPPING, f"STATUS=Waiting for {jobs} jobs")
        if limit is None:
            self._log.log(
                NOTICE,
                "No longer accepting connections and jobs; waiting for %d jobs without a time "
                "limit",
                jobs,
            )
        else:
            self._log.log(
                NOTICE,
                "No longer accepting connections and jobs; waiting for %d jobs for at most %g s",
                jobs, limit,
            )  # fmt: skip

        def wait() -> None:
            if not self._server.drain(limit, queued=queued):
                self._log.warning(
                    "Grace period of %g s is over (%d jobs running, %d bytes undelivered)",
                    limit, self._server.running_jobs, self._server.undelivered,
                )  # fmt: skip
            self._signals.done()

        threading.Thread(target=wait, name="geard drain", daemon=True).start()

    def _reload(self) -> None:
        self._notifier.reloading()
        for step in (self._logs.reopen, self._read_acl, self._read_certificates, self._read_token):
            try:
                step()
            except (GearmanError, OSError) as error:
                self._log.error("Reload failed: %s; keeping the previous state", error)
        self._log.log(NOTICE, "Reloaded")
        self._notifier.send(READY)

    def _read_acl(self) -> None:
        fresh = _acl(self._options)
        acl = self._server.acl
        if fresh is not None and acl is not None:
            with self._server.lock:
                before = {entry.subject: repr(entry) for entry in acl.getEntries()}
                acl.setEntries(fresh.getEntries())
            for entry in acl.getEntries():
                if before.pop(entry.subject, None) != repr(entry):
                    self._log.log(NOTICE, "The access control list has now %r", entry)
            for gone in before.values():
                self._log.log(NOTICE, "The access control list has no longer %s", gone)

    def _read_certificates(self) -> None:
        if self._options.ssl:
            self._server.reload_certificates()

    def _read_token(self) -> None:
        if self._options.settings.http_token_file is not None:
            self._server.reload_http_token()
