"""The pairs and the attackers as who measures has them: processes that take orders."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Self

from benchmarks.environments import ROOT
from benchmarks.servers import TLSFiles

STOP_TIMEOUT = 30.0
"""Seconds until a program that was told to end is killed."""


class Program:
    """A program of this package in a process of its own, in a `with` block.

    Args:
        module: Its name.
        words: Its arguments.
    """

    def __init__(self, module: str, *words: object) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", f"benchmarks.attacks.{module}", *map(str, words)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            cwd=ROOT,
        )  # fmt: skip

    def order(self, word: str) -> None:
        """Give it an order; one that has ended is past orders."""
        assert self.process.stdin is not None
        with suppress(BrokenPipeError):
            self.process.stdin.write(word + "\n")
            self.process.stdin.flush()

    def line(self) -> str:
        """Return the next line that it prints; empty at its end."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().rstrip("\n")

    def end(self) -> tuple[str, str]:
        """Close its standard input, and return what else it printed, and its errors."""
        try:
            return self.process.communicate(timeout=STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.communicate()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.process.kill()
        self.process.communicate()


@dataclass(frozen=True)
class Service:
    """How a pair was served for a while.

    Attributes:
        jobs: That came back.
        seconds: The time.
        worst: The most seconds that a job took, or one that is still out has taken.
    """

    jobs: int
    seconds: float
    worst: float

    @property
    def rate(self) -> float:
        """Jobs per second."""
        return self.jobs / self.seconds


@dataclass(frozen=True)
class Fate:
    """What became of all jobs of a pair.

    Attributes:
        total: Jobs that were answered.
        lost: Jobs without an answer, or that failed.
        wrong: Answers that are wrong, or of no job.
        refused: Submissions that the server refused; they were tried again.
        broken: Why the pair ended early; empty if it did not.
    """

    total: int = 0
    lost: int = 0
    wrong: int = 0
    refused: int = 0
    broken: str = ""


class Pair(Program):
    """An innocent client and its worker; see `benchmarks.attacks.pair`.

    Args:
        port: The port of the server.
        function: The function that they use.
        in_flight: The number of jobs in flight.
        tls: The files to speak TLS with, or None.
    """

    def __init__(self, port: int, function: str, in_flight: int, tls: TLSFiles | None) -> None:
        files = (tls.ca, tls.cert, tls.key) if tls is not None else ()
        super().__init__("pair", port, function, in_flight, *files)
        self._report = ""

    def begin(self) -> None:
        """Start to count."""
        self.order("begin")

    def counted(self) -> Service:
        """Return how it was served since it started to count; a broken one was not."""
        self.order("end")
        said = json.loads(self.line() or "{}")
        if "seconds" in said:
            return Service(**said)
        self._report = json.dumps(said)
        return Service(0, 1.0, float("inf"))

    def fate(self) -> Fate:
        """Let it end, and return what became of its jobs."""
        said, errors = self.end()
        figures = json.loads(said or self._report or "{}")
        broken = errors.strip().rpartition("\n")[2]
        return Fate(**figures, broken=broken if figures else broken or "the pair ended")


@contextmanager
def neighbours(port: int, number: int, in_flight: int, tls: TLSFiles | None) -> Iterator[None]:
    """Have well-behaved neighbours at work, each as busy as a process can be."""
    pairs = [Pair(port, f"neighbour-{n}", in_flight, tls) for n in range(number)]
    try:
        for pair in pairs:
            pair.begin()
            pair.counted()  # it answers once it is at work
        yield
    finally:
        for pair in pairs:
            pair.process.kill()
            pair.process.communicate()
