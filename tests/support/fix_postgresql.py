"""A PostgreSQL of Debian's, run by the tests as an unprivileged user; and what may go wrong."""

import contextlib
import itertools
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.fix_peers import SEARCH, START_TIMEOUT, free_port, require_program

HOST = "127.0.0.1"
UNPRIVILEGED = "nobody"
_numbers = itertools.count()


def answers(url: str) -> bool:
    """Tell whether a database takes connections."""
    import psycopg

    try:
        psycopg.connect(url).close()
    except psycopg.OperationalError:
        return False
    return True


def wait_for(url: str, process: "subprocess.Popen[bytes]") -> None:
    """Wait until a database takes connections."""
    deadline = time.monotonic() + START_TIMEOUT
    while not answers(url):
        assert process.poll() is None, "it does not start"
        assert time.monotonic() < deadline, "it does not answer"
        time.sleep(0.02)  # another program's start has no event to wait for


def unprivileged() -> str | None:
    """Return whom a program runs as that refuses to be run by root; None for ourselves."""
    return UNPRIVILEGED if os.geteuid() == 0 else None


def give_away(folder: Path) -> None:
    """Give a folder to the user whom such programs run as."""
    user = unprivileged()
    if user is not None:
        entry = pwd.getpwnam(user)
        os.chown(folder, entry.pw_uid, entry.pw_gid)


def _program(name: str) -> str:
    folders = [str(path) for path in sorted(Path("/usr/lib/postgresql").glob("*/bin"))]
    found = shutil.which(name, path=os.pathsep.join((SEARCH, *folders)))
    return found or require_program(name, "postgresql")


class PostgreSQL:
    """A cluster in a folder of its own, which anybody on this machine may use.

    Args:
        folder: The folder.
        network: An address of this machine beside the usual one, with the length of its network's
            prefix, from which anybody may use it too.
    """

    def __init__(self, folder: Path, network: str | None = None) -> None:
        self._folder = folder
        self._addresses = HOST
        self._data = folder / "data"
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None
        give_away(folder)
        subprocess.run(
            [_program("initdb"), "-D", str(self._data), "-U", "postgres", "-A", "trust", "-N"],
            check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, user=unprivileged(),
            cwd="/",
        )  # fmt: skip
        if network is not None:
            self._addresses += f",{network.partition('/')[0]}"
            with (self._data / "pg_hba.conf").open("a") as file:
                file.write(f"host all all {network} trust\n")

    def start(self) -> None:
        """Start it, and wait until it answers."""
        log = (self._folder / "log").open("ab")
        self.process = subprocess.Popen(
            [_program("postgres"), "-D", str(self._data), "-p", str(self.port), "-h",
             self._addresses, "-k", "", "-c", "max_connections=200"],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, user=unprivileged(), cwd="/",
        )  # fmt: skip
        log.close()
        wait_for(self.url("postgres"), self.process)

    def stop(self, number: int = signal.SIGQUIT) -> None:
        """Stop it at once, as if it had crashed, or by another signal."""
        if self.process is not None:
            self.process.send_signal(number)
            self.process.wait(START_TIMEOUT)
            self.process = None

    def url(
        self, database: str, user: str = "postgres", port: int | None = None, host: str = HOST
    ) -> str:
        return f"postgresql://{user}@{host}:{port or self.port}/{database}"


class Database:
    """An empty database of a cluster."""

    def __init__(self, cluster: PostgreSQL) -> None:
        self.cluster = cluster
        self.name = f"test_{os.getpid()}_{next(_numbers)}"
        self.url = cluster.url(self.name)
        self.ask(f"CREATE DATABASE {self.name}", "postgres")

    def ask(self, query: str, database: str | None = None) -> list[tuple[object, ...]]:
        """Run a statement, and return its rows."""
        import psycopg

        with psycopg.connect(self.cluster.url(database or self.name), autocommit=True) as session:
            cursor = session.execute(query.encode())
            return cursor.fetchall() if cursor.description else []

    def one(self, query: str) -> object:
        """Return the only value of a query."""
        ((value,),) = self.ask(query)
        return value

    def handles(self) -> set[bytes]:
        """Return the handles of all jobs."""
        return {handle for (handle,) in self.ask("SELECT handle FROM gear_job")}  # type: ignore[misc]  # a column of bytea

    def sessions(self) -> int:
        """Return how many geards have a session."""
        ((count,),) = self.ask(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'geard' "
            "AND datname = current_database()"
        )
        assert isinstance(count, int)
        return count


class Proxy:
    """Passes bytes to a server and back, until the connections are cut.

    Attributes:
        swallowed: Set when an answer was swallowed, after `swallow`.
    """

    def __init__(self, port: int) -> None:
        self._target = port
        self._listener = socket.create_server((HOST, 0))
        self.port: int = self._listener.getsockname()[1]
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._swallow = False
        self._refuse = False
        self.swallowed = threading.Event()
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                if self._refuse:
                    client.close()
                    continue
                server = socket.create_connection((HOST, self._target))
                self._pairs.append((client, server))
                for pair in ((client, server, False), (server, client, True)):
                    thread = threading.Thread(target=self._pass, args=pair, daemon=True)
                    self._threads.append(thread)
                    thread.start()

    def _pass(self, source: socket.socket, target: socket.socket, answers: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if answers and self._swallow:
                    self._swallow = False
                    self.swallowed.set()
                    break
                target.sendall(data)
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def swallow(self) -> None:
        """Cut the connection on which the next answer comes, without passing it on."""
        self.swallowed.clear()
        self._swallow = True

    def cut(self, *, refuse: bool = False) -> None:
        """Cut all connections, and perhaps refuse new ones from now on."""
        self._refuse = refuse
        for pair in self._pairs:
            for end in pair:
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

    def accept(self) -> None:
        """Take connections again."""
        self._refuse = False

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()
        for thread in self._threads:
            thread.join(START_TIMEOUT)
        for pair in self._pairs:
            for end in pair:
                end.close()


@contextlib.contextmanager
def running_cluster(network: str | None = None) -> Iterator[PostgreSQL]:
    """Run a PostgreSQL, perhaps for a network too; see `PostgreSQL`."""
    folder = Path(tempfile.mkdtemp(prefix="gear-postgresql-"))
    try:
        server = PostgreSQL(folder, network)
        server.start()
        yield server
        server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def cluster() -> Iterator[PostgreSQL]:
    """A running PostgreSQL."""
    with running_cluster() as server:
        yield server


@pytest.fixture
def database(cluster: PostgreSQL) -> Iterator[Database]:
    """An empty database."""
    base = Database(cluster)
    yield base
    base.ask(f"DROP DATABASE {base.name} WITH (FORCE)", "postgres")


@pytest.fixture
def proxy(cluster: PostgreSQL) -> Iterator[Proxy]:
    """A proxy before the running PostgreSQL."""
    proxy = Proxy(cluster.port)
    yield proxy
    proxy.close()


class PgBouncer:
    """A PgBouncer before a database, with a pool of each kind."""

    def __init__(self, database: Database, folder: Path) -> None:
        self._port = free_port()
        give_away(folder)
        target = f"host={HOST} port={database.cluster.port} dbname={database.name} user=postgres"
        users, config = folder / "users", folder / "ini"
        users.write_text('"postgres" ""\n')
        modes = ("transaction", "statement", "session")
        config.write_text(
            "[databases]\n"
            + "".join(f"{mode} = {target} pool_mode={mode}\n" for mode in modes)
            + f"[pgbouncer]\nlisten_addr = {HOST}\nlisten_port = {self._port}\nunix_socket_dir =\n"
            f"auth_type = any\nauth_file = {users}\n"
        )
        self._process = subprocess.Popen(
            [require_program("pgbouncer", "pgbouncer"), str(config)], user=unprivileged(), cwd="/",
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        wait_for(self.url("session"), self._process)

    def url(self, mode: str) -> str:
        return f"postgresql://postgres@{HOST}:{self._port}/{mode}"

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()


@pytest.fixture
def pgbouncer(database: Database) -> Iterator[PgBouncer]:
    """A running PgBouncer before the database."""
    folder = Path(tempfile.mkdtemp(prefix="gear-pgbouncer-"))
    folder.chmod(0o755)
    try:
        bouncer = PgBouncer(database, folder)
        yield bouncer
        bouncer.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
