"""A geard in a process of its own, and what a test wants to know of it."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sysconfig
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

import gear
from gear_wire.codec import encode
from gear_wire.enums import Magic
from gear_wire.framing import HEADER
from gear_wire.packets import BasePacket
from gear_wire.text import FunctionStatus

HOST = "127.0.0.1"
TIMEOUT = 30.0
"""Seconds after which what has not come will not come."""
PROGRAM = str(Path(sysconfig.get_path("scripts")) / "geard")
OF_THE_SYSTEM = ("GEARMAND_", "STATSD_", "NOTIFY_", "LISTEN_")


def clean_environment() -> dict[str, str]:
    """Return this process's environment without what geard reads."""
    return {name: value for name, value in os.environ.items() if not name.startswith(OF_THE_SYSTEM)}


def wait_until(condition: Callable[[], bool], what: str) -> None:
    """Wait for a state of another process."""
    deadline = time.monotonic() + TIMEOUT
    while not condition():
        assert time.monotonic() < deadline, f"after {TIMEOUT} s: {what}"
        time.sleep(0.005)  # a file of another process has no event to wait for


def run_geard(
    *options: str, environ: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a geard that is to end by itself."""
    return subprocess.run(
        [PROGRAM, *options],
        capture_output=True, text=True, timeout=TIMEOUT, check=False,
        env=clean_environment() | dict(environ or {}),
    )  # fmt: skip


def error_of(*options: str, environ: Mapping[str, str] | None = None) -> str:
    """Return the one line with which a geard that cannot start ends."""
    done = run_geard(*options, environ=environ)
    assert done.returncode == 1, done.stderr
    assert done.stdout == ""
    line, end = done.stderr.split("\n")
    assert end == ""
    assert line.startswith("geard: ")
    return line.removeprefix("geard: ")


class Geard:
    """A geard in a process of its own; in a `with` block, it listens, and is killed at the end.

    Args:
        folder: Where its files go.
        options: What it is told beside where its files go.
        environ: Variables of its environment.
        prefix: What starts it, if it is not started directly.
        program: What is started instead of the program itself.
        pass_fds: Descriptors that it inherits.
    """

    def __init__(
        self,
        folder: Path,
        *options: str,
        environ: Mapping[str, str] | None = None,
        prefix: Sequence[str] = (),
        program: Sequence[str] = (PROGRAM,),
        pass_fds: Sequence[int] = (),
    ) -> None:
        self.log = folder / "log"
        self.pid_file = folder / "pid"
        self.port_file = folder / "port"
        self._errors = folder / "stderr"
        self.port_file.unlink(missing_ok=True)  # of one that was killed
        files = ["--pid-file", str(self.pid_file), "--port-file", str(self.port_file)]
        defaults = ["-d", "-p", "0", "-L", HOST, "-l", str(self.log), "--verbose", "INFO"]
        with self._errors.open("w") as errors:
            self.process = subprocess.Popen(
                [*prefix, *program, *files, *defaults, *options],
                stdin=subprocess.DEVNULL, stdout=errors, stderr=errors, pass_fds=pass_fds,
                env=clean_environment() | dict(environ or {}),
            )  # fmt: skip

    def started(self) -> Self:
        """Wait until it listens."""
        wait_until(
            lambda: self.port_file.exists() or self.process.poll() is not None, "it does not start"
        )
        assert self.process.poll() is None, self.errors
        return self

    @property
    def port(self) -> int:
        return int(self.port_file.read_text())

    @property
    def errors(self) -> str:
        """What it wrote to its standard streams."""
        return self._errors.read_text()

    def connect(self) -> socket.socket:
        return socket.create_connection((HOST, self.port), TIMEOUT)

    def ask(self, line: str) -> str:
        """Return the first line of the answer to a text command."""
        with self.connect() as sock, sock.makefile("rw", encoding="utf-8", newline="") as file:
            file.write(f"{line}\n")
            file.flush()
            return file.readline().rstrip("\r\n")

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def logged(self, pattern: str) -> bool:
        """Tell whether a line of the log matches."""
        return self.log.exists() and re.search(pattern, self.log.read_text(), re.M) is not None

    def wait_for_log(self, pattern: str) -> None:
        """Wait for a line of the log."""
        wait_until(lambda: self.logged(pattern), f"no line {pattern!r}")

    def wait_until_refusing(self) -> None:
        """Wait until it accepts no more connections."""

        def refuses() -> bool:
            try:
                socket.create_connection((HOST, self.port), TIMEOUT).close()
            except OSError:
                return True
            return False

        wait_until(refuses, "it still accepts connections")

    def end(self) -> str:
        """Wait for its end, which must be a good one, and return its log."""
        assert self.process.wait(TIMEOUT) == 0, self.errors
        return self.log.read_text() if self.log.exists() else ""

    def stop(self) -> str:
        """Tell it to end at once; see `end`."""
        self.signal(signal.SIGINT)
        return self.end()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def kill_traced(self) -> None:
        """Kill it below the program that traces it, which then ends too."""
        os.kill(int(self.pid_file.read_text()), signal.SIGKILL)
        self.process.wait(TIMEOUT)

    def __enter__(self) -> Self:
        return self.started()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.kill()

    # What it takes of the machine

    def status(self) -> list[FunctionStatus]:
        """Return what it says of its functions."""
        with gear.AdminClient(HOST, self.port) as admin:
            return admin.status()

    def wait_until_idle(self, *functions: str) -> None:
        """Wait until it has no job, or none of some functions."""
        names = {name.encode() for name in functions}

        def idle() -> bool:
            rows = [row for row in self.status() if not names or row.function in names]
            return not any(row.total for row in rows)

        wait_until(idle, "it has jobs")

    def descriptors(self) -> int:
        """Return how many files and sockets it has open."""
        return len(list(Path(f"/proc/{self.process.pid}/fd").iterdir()))

    def wait_until_descriptors(self, number: int) -> None:
        """Wait until it has no more files and sockets open."""
        wait_until(lambda: self.descriptors() <= number, "it holds descriptors")

    def memory(self) -> int:
        """Return its resident memory in KiB."""
        return self._status("VmRSS")

    def peak_memory(self) -> int:
        """Return the most resident memory that it had, in KiB."""
        return self._status("VmHWM")

    def _status(self, key: str) -> int:
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith(f"{key}:"):
                return int(line.split()[1])
        raise RuntimeError("geard ended")

    def threads(self) -> int:
        """Return how many threads it has."""
        return len(list(Path(f"/proc/{self.process.pid}/task").iterdir()))


class Running(NamedTuple):
    """A job that a worker has, as the client and the worker see it."""

    job: gear.Job
    assigned: gear.WorkerJob


@contextlib.contextmanager
def running_job(port: int) -> Iterator[Running]:
    """Give a job that runs."""
    client, worker = gear.Client(), gear.Worker("holder")
    try:
        worker.registerFunction("hold")
        worker.addServer(HOST, port)
        worker.waitForServer(TIMEOUT)
        client.addServer(HOST, port)
        client.waitForServer(TIMEOUT)
        job = gear.Job("hold", b"")
        client.submitJob(job)
        yield Running(job, worker.getJob())
    finally:
        client.shutdown()
        worker.shutdown()


def send(sock: socket.socket, *packets: BasePacket) -> None:
    sock.sendall(b"".join(encode(packet, Magic.REQ) for packet in packets))


def receive(sock: socket.socket) -> tuple[int, bytes]:
    """Return the type and the data of the next packet."""
    with sock.makefile("rb") as file:
        key, size = HEADER.unpack(file.read(HEADER.size))
        return key & 0xFFFFFFFF, file.read(size)
