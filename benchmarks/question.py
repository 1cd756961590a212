"""What a question is made of: cases that run on a fresh server and give figures."""

import enum
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from benchmarks.generator import Count, run_load
from benchmarks.library import Library, LibraryError
from benchmarks.servers import Command, Server, Site, TLSFiles


@dataclass(frozen=True)
class Measure:
    """A figure that is compared.

    Attributes:
        key: Names it in the JSON and among the floors: its question's number and a word.
        title: What it says.
        unit: Of the figure.
        higher_is_better: False for times and sizes.
        compared: False where the figure says something of one server alone.
    """

    key: str
    title: str
    unit: str = "jobs/s"
    higher_is_better: bool = True
    compared: bool = True


@dataclass(frozen=True)
class Placement:
    """Which cores the two sides use; None for any."""

    name: str
    server_core: int | None
    load_core: int | None


@dataclass(frozen=True)
class Scale:
    """How long and how large the runs are.

    Attributes:
        seconds: Of measured time, where time ends a run.
        divisor: Of all counts; 1 for the questions as they are asked.
    """

    seconds: float
    divisor: int = 1

    def count(self, full: int) -> int:
        """Return how many of something there are in this run."""
        return max(1, full // self.divisor)


@dataclass(frozen=True)
class Stage:
    """Where a case runs: one server, just started, and what loads it.

    Attributes:
        site: Where more servers can be started.
        command: What has started the server.
        server: The server.
        placement: The cores.
        scale: How long and how large.
        program: The load generator.
        tls: The files to speak TLS with, or None.
        library: The library that is measured instead of the server, or None.
    """

    site: Site
    command: Command
    server: Server
    placement: Placement
    scale: Scale
    program: Path
    tls: TLSFiles | None
    library: Library | None

    def another(self, *options: str) -> Server:
        """Start one more server, with options after those of the first.

        Raises:
            ServerError: It does not listen in time.
        """
        return self.site.start(lambda address: [*self.command(address), *options])

    def at(self, server: Server) -> Self:
        """Return the stage with another server on it."""
        return replace(self, server=server)

    def load(self, role: str, **options: object) -> Count:
        """Run the load generator; see ``load/options.h`` for the options.

        Raises:
            LoadError: It counted wrong, a payload changed, or the server broke off.
        """
        chosen: dict[str, object] = {"port": self.server.port, "pid": self.server.process.pid}
        if self.placement.load_core is not None:
            chosen["core"] = self.placement.load_core
        if self.tls is not None:
            chosen |= {"ca": self.tls.ca, "cert": self.tls.cert, "key": self.tls.key}
        return run_load(self.program, role, chosen | options)

    def call(self, role: str, jobs: int) -> float:
        """Let the library work and return jobs per second; see `Library.rate`.

        Raises:
            LibraryError: It failed or did less than it was asked to.
        """
        return self._library().rate(
            role, self.server.port, jobs, self.scale.seconds, self.placement.load_core
        )

    def drive(self, role: str, jobs: int) -> dict[str, float]:
        """Let the library work and return what was found; see `Library.run`.

        Raises:
            LibraryError: It failed.
        """
        return self._library().run(
            role, self.server.port, jobs, self.scale.seconds, self.placement.load_core
        )

    def _library(self) -> Library:
        if self.library is None:
            raise LibraryError("no library takes part")
        return self.library


@dataclass(frozen=True)
class Figure:
    """What one run gave for one measure.

    Attributes:
        value: In the unit of the measure.
        cost: Microseconds of the server's processor time per job, or None.
        load: Share of its core that the load generator used, or None.
    """

    value: float
    cost: float | None = None
    load: float | None = None

    @classmethod
    def of(cls, count: Count, value: float | None = None) -> Self:
        """Return the figure of a count: its rate, unless it is another value of it."""
        return cls(
            count.rate if value is None else value, count.cost * 1e6, count.own_cpu / count.seconds
        )


Figures = dict[str, Figure]
"""Figures by the key of their measure."""


class Subject(enum.Enum):
    """What is compared."""

    SERVER = enum.auto()
    """Servers, under the same load."""
    LIBRARY = enum.auto()
    """Libraries, all over a gearmand."""
    FRAMEWORK = enum.auto()
    """Libraries with the servers that they need."""


@dataclass(frozen=True)
class Case:
    """One run on a fresh server, which gives one or more figures.

    Attributes:
        measures: Its figures.
        run: What is done.
        entrants: Names of those that take part.
        gearmand: Options of gearmand, beside its own defaults.
        geard: Options of ours, likewise; the entrant ``memory`` is ours without them.
        tls: True when all connections speak TLS.
        postgresql: True when each run has an empty database of PostgreSQL.
        once: True when one run says enough, with the servers on all cores: it takes long.
        subject: What the entrants are.
        pinned: False when nothing is held to a core: more processes work than there are cores.
    """

    measures: tuple[Measure, ...]
    run: Callable[[Stage], Figures]
    entrants: tuple[str, ...] = ("gear", "gearmand", "gearmand-1", "gear016")
    gearmand: tuple[str, ...] = ()
    geard: tuple[str, ...] = ()
    tls: bool = False
    postgresql: bool = False
    once: bool = False
    subject: Subject = Subject.SERVER
    pinned: bool = True


@dataclass(frozen=True)
class Question:
    """A question: its number, its name and its cases."""

    number: int
    title: str
    cases: tuple[Case, ...]


FREE = Placement("free", None, None)


def placements() -> tuple[Placement, ...]:
    """Return the placements that this machine allows: apart on two cores, and free on all."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        return (FREE,)
    return (Placement("alone", cores[0], cores[1]), FREE)
