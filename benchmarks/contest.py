"""Runs a case turn about: every entrant in every round, and the median of the rounds."""

import statistics
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

from benchmarks.entrants import Entrant, Variant
from benchmarks.generator import LoadError
from benchmarks.library import LibraryError
from benchmarks.postgresql import Cluster
from benchmarks.question import FREE, Case, Figure, Measure, Placement, Question, Scale, Stage
from benchmarks.servers import ServerError, TLSFiles, site


@dataclass
class Series:
    """The figures of one entrant, started one way in one placement, a figure a round.

    Attributes:
        variant: The options it was started with.
        placement: The name of the placement.
        figures: One a round.
        costs: Microseconds of the server's processor time per job, one a round where counted.
        loads: Shares of its core that the load generator used, likewise.
        failures: Why a round has no figure.
    """

    variant: str
    placement: str
    figures: list[float] = field(default_factory=list)
    costs: list[float] = field(default_factory=list)
    loads: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def add(self, figure: Figure) -> None:
        """Add the figure of a round."""
        self.figures.append(figure.value)
        self.costs += [] if figure.cost is None else [figure.cost]
        self.loads += [] if figure.load is None else [figure.load]

    @property
    def median(self) -> float:
        """The median of the rounds."""
        return statistics.median(self.figures)


@dataclass
class Result:
    """What the entrants reached in one measure, by their names; ours is first."""

    question: Question
    measure: Measure
    series: dict[str, list[Series]] = field(default_factory=dict)

    @property
    def ours(self) -> str:
        """The name of the entrant that the others are compared with: the first."""
        return next(iter(self.series))

    @property
    def others(self) -> list[str]:
        """The names of the others."""
        return list(self.series)[1:]

    def failures(self, name: str) -> list[str]:
        """Return why runs of an entrant gave no figure."""
        return [failure for series in self.series[name] for failure in series.failures]

    def best(self, name: str) -> Series | None:
        """Return the series that counts for an entrant; None when all failed."""
        complete = [series for series in self.series.get(name, []) if series.figures]
        if not complete:
            return None
        choose = max if self.measure.higher_is_better else min
        return choose(complete, key=lambda series: series.median)

    def ratio(self, name: str) -> float | None:
        """Return how many times better ours is than an entrant.

        None when either failed, or the figures are not to be compared.
        """
        ours, other = self.best(self.ours), self.best(name)
        if not self.measure.compared or ours is None or other is None:
            return None
        if self.measure.higher_is_better:
            return ours.median / other.median
        return other.median / ours.median


@dataclass(frozen=True)
class Contest:
    """How the cases are run.

    Attributes:
        rounds: How often.
        scale: How long and how large.
        placements: The placements; the better counts.
        program: The load generator.
        tls: The files for the cases that speak TLS; None when there are none.
        cluster: The PostgreSQL of the cases that need one; None when there are none.
        tell: Takes a line about each run.
    """

    rounds: int
    scale: Scale
    placements: tuple[Placement, ...]
    program: Path
    tls: TLSFiles | None
    cluster: Cluster | None
    tell: Callable[[str], None]

    def run(self, question: Question, case: Case, entrants: list[Entrant]) -> list[Result]:
        """Run a case and return a result for each of its measures."""
        results = [Result(question, measure) for measure in case.measures]
        turns = []
        for entrant in entrants:
            for variant, placement in product(entrant.variants, self._placements(case)):
                row = [Series(variant.name, placement.name) for _ in results]
                for result, series in zip(results, row, strict=True):
                    result.series.setdefault(entrant.name, []).append(series)
                turns.append((entrant, variant, placement, row))
        for round_ in range(1 if case.once else self.rounds):
            for entrant, variant, placement, row in turns:
                if entrant.most_rounds is None or round_ < entrant.most_rounds:
                    said = self._turn(case, entrant, variant, placement, row)
                    words = (entrant.name, variant.name, placement.name)
                    name = " ".join(word for word in words if word)
                    self.tell(f"{case.measures[0].key} round {round_ + 1} {name}: {said}")
        return [result for result in results if result.series]

    def _placements(self, case: Case) -> tuple[Placement, ...]:
        if not case.pinned:
            return (FREE,)
        return self.placements[-1:] if case.once else self.placements

    def _turn(
        self, case: Case, entrant: Entrant, variant: Variant, placement: Placement,
        row: list[Series],
    ) -> str:  # fmt: skip
        tls = self.tls if case.tls else None
        try:
            database = self.cluster.database() if self.cluster and case.postgresql else ""
            with site(placement.server_core, tls, database) as place:
                stage = Stage(
                    place, variant.command, place.start(variant.command), placement, self.scale,
                    self.program, tls, entrant.library,
                )  # fmt: skip
                figures = case.run(stage)
        except (LibraryError, LoadError, ServerError) as error:
            for series in row:
                series.failures.append(str(error))
            return f"FAILED: {error}"
        for measure, series in zip(case.measures, row, strict=True):
            series.add(figures[measure.key])
        return ", ".join(f"{figures[m.key].value:,.2f} {m.unit}" for m in case.measures)
