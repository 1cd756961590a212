"""Measures one library: fills its queue and has a worker drain it, or calls one job at a time.

Run by the interpreter that has the library, as ``-m benchmarks.frameworks.drive LIBRARY ROLE PORT
JOBS SECONDS``; prints a line of JSON.
"""

import contextlib
import importlib
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol, cast

from benchmarks.frameworks import tally

ROOT = Path(__file__).parents[2]
PORT = "MEASURED_PORT"
START = 30.0
"""Seconds in which a worker has begun to work."""
WARM = 20
"""Calls before time is taken."""
PAUSE = 0.005
"""Seconds between two looks at how far a worker is."""


class Library(Protocol):
    """What a module of this folder has.

    Attributes:
        WORKERS: The command lines of the worker by role, without the folder of the interpreter;
            ``NAME=VALUE`` at the beginning are variables of its environment.
        MOST: Jobs that it surely does not do in a second.
    """

    WORKERS: dict[str, list[str]]
    MOST: int

    def fill(self, role: str, jobs: int) -> None:
        """Queue jobs for a worker of that role; nobody wants their results."""

    def calls(self) -> contextlib.AbstractContextManager[Callable[[int], int]]:
        """Enter what a client needs; gives a function that runs one job and returns its result."""


@contextlib.contextmanager
def running(command: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    """Run a worker; at the end it is killed, with all that it started: it has nothing to finish."""
    words = [*command]
    environment = dict(os.environ)
    while "=" in words[0]:
        name, _, value = words.pop(0).partition("=")
        environment[name] = value
    program = str(Path(sys.executable).with_name(words[0]))
    process = subprocess.Popen(
        ["setpriv", "--pdeathsig", "KILL", program, *words[1:]],
        env=environment, stdin=subprocess.DEVNULL, stdout=sys.stderr, start_new_session=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def drain(library: Library, role: str, folder: Path, seconds: float) -> dict[str, float]:
    """Return how many jobs a worker did in how much time, once it has begun."""
    jobs = int(library.MOST * seconds)
    library.fill(role, jobs)
    with running(library.WORKERS[role]) as worker:
        begun = wait_for(worker, folder, jobs // 20, START)
        start = time.monotonic()
        done = wait_for(worker, folder, jobs, seconds)
        taken = time.monotonic() - start
    if begun < jobs // 20:
        raise SystemExit(f"the worker did {begun} jobs in {START} s")
    return {"jobs": done - begun, "seconds": taken}


def wait_for(worker: subprocess.Popen[bytes], folder: Path, jobs: int, seconds: float) -> int:
    """Wait until a worker did so many jobs, or time is up; returns how many they are."""
    end = time.monotonic() + seconds
    while (done := tally.total(folder)) < jobs and time.monotonic() < end:
        if worker.poll() is not None:
            raise SystemExit(f"the worker ended with {worker.returncode}")
        time.sleep(PAUSE)  # no library tells of it without a cost of its own
    return done


def latency(library: Library, folder: Path, jobs: int, seconds: float) -> dict[str, float]:
    """Return how many calls were made, one after the other, and their median time in seconds."""
    taken: list[float] = []
    with running(library.WORKERS["latency"]), library.calls() as call:
        for number in range(WARM):  # the first waits until the worker is there
            call(number)
        end = time.monotonic() + seconds
        while len(taken) < jobs and time.monotonic() < end:
            start = time.perf_counter()
            if call(len(taken)) != len(taken):
                raise SystemExit("another result came back")
            taken.append(time.perf_counter() - start)
    if tally.total(folder) < len(taken):
        raise SystemExit("short count")
    return {"jobs": len(taken), "seconds": seconds, "p50": statistics.median(taken)}


def main(name: str, role: str, port: str, jobs: int, seconds: float) -> None:
    """Measure one and print what was found."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {PORT: port, tally.FOLDER: folder, "PYTHONPATH": str(ROOT)}
        library = cast(Library, importlib.import_module(f"benchmarks.frameworks.{name}_calls"))
        if role == "latency":
            found = latency(library, Path(folder), jobs, seconds)
        else:
            found = drain(library, role, Path(folder), seconds)
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), float(sys.argv[5]))
