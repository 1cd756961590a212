"""One server under measurement: started on a free port, pinned to its cores, stopped."""

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

HOST = "127.0.0.1"
START_TIMEOUT = 60.0
STOP_TIMEOUT = 5.0


class ServerError(Exception):
    """A server does not start."""


@dataclass(frozen=True)
class TLSFiles:
    """The three files of TLS."""

    ca: Path
    cert: Path
    key: Path


@dataclass(frozen=True)
class Address:
    """What a server is told of where to be.

    Attributes:
        port: On the loopback interface.
        folder: For its log and what else it writes.
        tls: The files to serve TLS with, or None.
        database: The URL of an empty database, or an empty string.
    """

    port: int
    folder: Path
    tls: TLSFiles | None
    database: str = ""


Command = Callable[[Address], list[str]]


@dataclass
class Server:
    """A running server."""

    port: int
    process: subprocess.Popen[bytes]

    def memory(self) -> int:
        """Return the bytes of memory that it has resident."""
        return self._status("VmRSS")

    def jobs(self) -> int:
        """Return how many jobs it has, as it answers ``status``."""
        with socket.create_connection((HOST, self.port), STOP_TIMEOUT) as sock:
            sock.sendall(b"status\n")
            lines = sock.makefile("rb")
            return sum(int(line.split(b"\t")[1]) for line in iter(lines.readline, b".\n"))

    def kill(self) -> None:
        """End it at once."""
        self.process.kill()
        self.process.wait(STOP_TIMEOUT)

    def peak_memory(self) -> int:
        """Return the most bytes of memory that it had resident."""
        return self._status("VmHWM")

    def _status(self, key: str) -> int:
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith(f"{key}:"):
                return int(line.split()[1]) * 1024
        raise ServerError("the server is gone")


class Site:
    """Where the servers of a run are: their files, their database, and their cores.

    Args:
        address: What they are told, beside a port of their own.
        core: The one core that they may use; None for all.
    """

    def __init__(self, address: Address, core: int | None) -> None:
        self._address = address
        self._pinned = [] if core is None else ["taskset", "--cpu-list", str(core)]
        self._processes: list[subprocess.Popen[bytes]] = []

    def start(self, command: Command) -> Server:
        """Start a server, and wait until it listens.

        Raises:
            ServerError: It does not in time.
        """
        address = replace(self._address, port=free_port())
        words = self._pinned + command(address)
        path = address.folder / f"output-{len(self._processes)}"
        with path.open("wb") as output:
            process = subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            )  # fmt: skip
        self._processes.append(process)
        if not _listens(process, address.port):
            said = path.read_text(errors="replace")
            raise ServerError(f"{' '.join(words)} does not start: {said}")
        return Server(address.port, process)

    def stop(self) -> None:
        """Stop all servers; what still waits in their queues is of no use."""
        for process in self._processes:
            process.kill()
            process.wait(STOP_TIMEOUT)


@contextmanager
def site(core: int | None, tls: TLSFiles | None, database: str = "") -> Iterator[Site]:
    """Return where servers can be started, which are stopped at the end.

    Args:
        core: The one core that they may use; None for all.
        tls: The files to serve TLS with, or None.
        database: The URL of an empty database, or an empty string.
    """
    with tempfile.TemporaryDirectory() as name:
        place = Site(Address(0, Path(name), tls, database), core)
        try:
            yield place
        finally:
            place.stop()


@contextmanager
def running(command: Command, core: int | None, tls: TLSFiles | None) -> Iterator[Server]:
    """Start a server and stop it at the end.

    Raises:
        ServerError: It does not listen in time.
    """
    with site(core, tls) as place:
        yield place.start(command)


def free_port() -> int:
    """Return a port on which nobody listens."""
    with socket.create_server((HOST, 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


def _listens(process: subprocess.Popen[bytes], port: int) -> bool:
    deadline = time.monotonic() + START_TIMEOUT
    while process.poll() is None and time.monotonic() < deadline:
        try:
            socket.create_connection((HOST, port), 1).close()
        except OSError:
            time.sleep(0.01)  # another program's start has no event to wait for
        else:
            return True
    return False


def geard(python: Path, *options: str) -> Command:
    """Return the command of our server, of the environment of an interpreter.

    Args:
        python: The interpreter.
        options: Its options, with ``{folder}`` for the folder of its files, and ``{database}`` for
            the URL of its database.
    """
    program = python.parent / "geard"

    def command(address: Address) -> list[str]:
        words = [str(program), "-d", "--listen-address", HOST, "-p", str(address.port)]
        return [*words, *_placed(options, address), *_tls_options(address)]

    return command


def gear016(python: Path) -> Command:
    """Return the command of gear 0.16's server; it logs as its daemon does, to a file."""
    program = python.parent / "geard"

    def command(address: Address) -> list[str]:
        config = address.folder / "logging.ini"
        config.write_text(LOGGING.format(path=address.folder / "geard.log"))
        words = [str(program), "-d", "--listen-address", HOST, "-p", str(address.port)]
        return [*words, "--log-config", str(config), *_tls_options(address)]

    return command


def find_gearmand() -> str | None:
    """Return the path of gearmand, which may lie where only the superuser looks."""
    return shutil.which("gearmand") or shutil.which("gearmand", path="/usr/sbin:/usr/local/sbin")


def gearmand(*options: str) -> Command:
    """Return the command of gearmand with these options.

    Raises:
        ServerError: It is not here.
    """
    program = find_gearmand()
    if program is None:
        raise ServerError("gearmand is not here: Debian's package gearman-job-server brings it")

    def command(address: Address) -> list[str]:
        return [
            program, "--listen", HOST, "--port", str(address.port),
            "--log-file", str(address.folder / "gearmand.log"),
            "--pid-file", str(address.folder / "gearmand.pid"), *_placed(options, address),
        ]  # fmt: skip

    return command


def find_redis() -> str | None:
    """Return the path of Redis."""
    return shutil.which("redis-server")


def redis() -> Command:
    """Return the command of Redis, which writes nothing to disk.

    Raises:
        ServerError: It is not here.
    """
    program = find_redis()
    if program is None:
        raise ServerError("Redis is not here: Debian's package redis-server brings it")

    def command(address: Address) -> list[str]:
        return [
            program, "--bind", HOST, "--port", str(address.port), "--dir", str(address.folder),
            "--save", "", "--appendonly", "no",
        ]  # fmt: skip

    return command


def _placed(options: Sequence[str], address: Address) -> list[str]:
    return [option.format(folder=address.folder, database=address.database) for option in options]


def _tls_options(address: Address) -> list[str]:
    if address.tls is None:
        return []
    files = address.tls
    return ["--ssl-ca", str(files.ca), "--ssl-cert", str(files.cert), "--ssl-key", str(files.key)]


LOGGING = """\
[loggers]
keys = root
[handlers]
keys = file
[formatters]
keys =
[logger_root]
level = INFO
handlers = file
[handler_file]
class = FileHandler
args = ("{path}",)
"""
