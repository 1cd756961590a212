"""Workers' programs, and calls of their functions."""

import contextlib
import os
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

from gear_wire.errors import JobFailedError
from support.daemon import Server

if TYPE_CHECKING:
    import gear

TESTS = Path(__file__).parents[1]
WAIT = 60.0


class WorkerProgram:
    """A worker's program that runs.

    Args:
        pool: Where its functions run.
        servers: What it works for.
        log: The file for what it writes.
        options: More settings, as ``NAME=VALUE``.
    """

    def __init__(self, pool: str, servers: list[Server], log: Path, *options: str) -> None:
        named = ",".join(f"{server.host}:{server.port}" for server in servers)
        command = [sys.executable, "-m", "support.runner_program", pool, named, *options]
        self.log = log
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                env={**os.environ, "PYTHONPATH": str(TESTS)}, start_new_session=True,
            )  # fmt: skip

    def signal(self, number: int) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def wait(self, timeout: float = WAIT) -> int:
        """Wait for its end, and return its exit code."""
        return self.process.wait(timeout)

    def stop(self) -> None:
        """Kill it, and all that it has started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, 9)
        self.process.wait()


StartWorker = Callable[..., WorkerProgram]


@pytest.fixture
def start_worker(tmp_path: Path) -> Iterator[StartWorker]:
    """Start a worker's program; it is killed after the test if it still runs."""
    with contextlib.ExitStack() as stack:

        def start(pool: str, *servers: Server, options: tuple[str, ...] = ()) -> WorkerProgram:
            program = WorkerProgram(pool, [*servers], tmp_path / "worker.log", *options)
            stack.callback(program.stop)
            return program

        yield start


class Caller:
    """A client that calls functions by their names, as one in another language would.

    Args:
        servers: The servers to call.

    Attributes:
        client: The client itself.
    """

    def __init__(self, *servers: Server) -> None:
        # Not above: the tests of a distribution alone have no `gear`.
        import gear

        self.client = gear.Client("caller")
        for server in servers:
            self.client.addServer(server.host, server.port)
        self.client.waitForServer(WAIT)

    def start(self, name: str, **arguments: object) -> "gear.Job":
        """Submit a job."""
        import gear

        job = gear.Job(name, msgspec.json.encode(arguments), f"{name}-{uuid.uuid4()}")
        self.client.submitJob(job, timeout=WAIT)
        return job

    def call(self, name: str, **arguments: object) -> object:
        """Submit a job, and return its result."""
        data = self.start(name, **arguments).result(WAIT)
        result: object = msgspec.json.decode(data) if data else None
        return result

    def failure(self, name: str, **arguments: object) -> dict[str, object]:
        """Submit a job, and return the exception with which it fails."""
        with pytest.raises(JobFailedError) as caught:
            self.call(name, **arguments)
        return msgspec.json.decode(caught.value.exception or b"{}", type=dict[str, object])
