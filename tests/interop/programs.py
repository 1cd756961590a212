"""The clients and workers of `programs/`: how each is started, asked and read."""

import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from support.daemon import LISTEN, Daemon, Server
from support.fix_peers import require_program

from .environment import Environment

SOURCES = Path(__file__).parent / "programs"
PROGRAMS = ("libgearman", "perl", "php", "gear016")
SERVERS = ("geard", "gearmand")
# libgearman takes seconds for 8 MiB from any server, and gear 0.16's time grows with the square.
LARGE = {"libgearman": 8 << 20, "perl": 8 << 20, "php": 1 << 20, "gear016": 2 << 20}
Event = tuple[str, bytes]


class Toolbox:
    """Knows the command line of each program, and compiles what has to be compiled.

    Args:
        directory: Where compiled programs go.
        cache: Where gear 0.16 is installed, for longer than one run.
    """

    def __init__(self, directory: Path, cache: Path) -> None:
        self._directory = directory
        self._cache = cache
        self._environment: Environment | None = None

    def command(self, program: str, role: str) -> list[str]:
        """Return the command line of a client or worker; the test is skipped without it."""
        commands: dict[str, Callable[[str], list[str]]] = {
            "libgearman": self._libgearman,
            "perl": self._perl,
            "php": self._php,
            "gear016": lambda role: self.gear016(str(SOURCES / f"{role}_gear016.py")),
        }
        return commands[program](role)

    def gear016(self, *arguments: str) -> list[str]:
        """Return the command line of a Python that imports gear 0.16 and no other."""
        if self._environment is None:
            self._environment = Environment(self._cache)
        return [self._environment.require(), "-I", *arguments]

    def _libgearman(self, role: str) -> list[str]:
        program = self._directory / role
        if not program.exists():
            compiler = require_program("gcc", "gcc")
            _require_file("usr/include/libgearman/gearman.h", "libgearman-dev")
            options = ["-std=gnu11", "-O1", "-Wall", "-Wextra", "-Werror"]
            source = SOURCES / f"{role}.c"
            subprocess.run([compiler, *options, "-o", program, source, "-lgearman"], check=True)
        return [str(program)]

    def _perl(self, role: str) -> list[str]:
        _require_file("usr/share/perl5/Gearman/Client.pm", "libgearman-client-perl")
        return [require_program("perl", "perl"), str(SOURCES / f"{role}.pl")]

    def _php(self, role: str) -> list[str]:
        _require_file("usr/lib/php/*/gearman.so", "php-gearman")
        return [require_program("php", "php-cli"), str(SOURCES / f"{role}.php")]


def _require_file(pattern: str, package: str) -> None:
    if not any(Path("/").glob(pattern)):
        require_program(f"/{pattern}", package)


def start_gear016(toolbox: Toolbox, directory: Path, *options: str) -> Daemon:
    """Start the server of gear 0.16."""
    command = toolbox.gear016("-c", "from gear.cmd.geard import main; main()", *LISTEN, *options)
    return Daemon(command, directory / "geard.log")


class Processes:
    """Starts programs, and ends those that still run."""

    def __init__(self) -> None:
        self._processes: list[subprocess.Popen[bytes]] = []

    def start(
        self, command: list[str], workload: bytes = b"", stdout: int = subprocess.DEVNULL
    ) -> subprocess.Popen[bytes]:
        """Start a program that reads the workload from its standard input."""
        with tempfile.TemporaryFile() as file:
            file.write(workload)
            file.seek(0)
            process = subprocess.Popen(command, stdin=file, stdout=stdout)
        self._processes.append(process)
        return process

    def stop(self) -> None:
        """End all."""
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            process.wait()
            if process.stdout is not None:
                process.stdout.close()


class Conversation:
    """What a client prints while it runs."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        self._process = process
        self._lines = process.stdout

    def __iter__(self) -> Iterator[Event]:
        """Give the events that are left, as they come."""
        for line in self._lines:
            kind, _, data = line.decode().rstrip("\n").partition(" ")
            yield kind, bytes.fromhex(data)

    def wait_for(self, kind: str) -> bytes:
        """Wait for an event of this kind, and return its data."""
        for event in self:
            if event[0] == kind:
                return event[1]
        raise AssertionError(f"the client ended without {kind!r}")

    def events(self) -> list[Event]:
        """Wait until the client has ended, and return the events that are left."""
        events = list(self)
        assert self._process.wait() == 0
        return events


class ClientProgram:
    """A client of `programs/`, and the server that it asks."""

    def __init__(self, name: str, command: list[str], server: Server, processes: Processes) -> None:
        self.name = name
        self.server = server
        self._command = command
        self._processes = processes

    def start(self, command: str, workload: bytes = b"", **options: str | bytes) -> Conversation:
        """Ask it for something, and listen while it is at it."""
        words = [
            f"{name}={value.decode() if isinstance(value, bytes) else value}"
            for name, value in options.items()
        ]
        line = [*self._command, self.server.host, str(self.server.port), command, *words]
        return Conversation(self._processes.start(line, workload, subprocess.PIPE))

    def ask(self, command: str, workload: bytes = b"", **options: str | bytes) -> list[Event]:
        """Ask it for something, and return all that it heard."""
        return self.start(command, workload, **options).events()


class WorkerProgram:
    """A worker of `programs/` at work; its functions begin with the prefix."""

    def __init__(
        self,
        name: str,
        command: list[str],
        server: Server,
        prefix: str,
        processes: Processes,
        *files: str,
    ) -> None:
        self.name = name
        self.server = server
        self.prefix = prefix
        line = [*command, server.host, str(server.port), prefix, *files]
        self.process = processes.start(line)


StartWorker = Callable[[str, Server], WorkerProgram]


def on_servers(
    argument: str, programs: Iterable[str], servers: Iterable[str] = SERVERS
) -> pytest.MarkDecorator:
    """Run a test with each of these programs on each of these servers."""
    return pytest.mark.parametrize(
        argument,
        [
            pytest.param((program, server), id=f"{program}-{server}")
            for program in programs
            for server in servers
        ],
        indirect=True,
    )
