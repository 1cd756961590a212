"""Runs a case turn about: every entrant in every round, and the median of the rounds."""

import statistics
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

from benchmarks.entrants import Entrant, Variant
from benchmarks.generator import LoadError
from benchmarks.question import Case, Measure, Placement, Scale, Stage
from benchmarks.servers import ServerError, TLSFiles, running


@dataclass
class Series:
    """The figures of one entrant, started one way in one placement, a figure a round.

    Attributes:
        variant: The options it was started with.
        placement: The name of the placement.
        figures: One a round.
        costs: Microseconds of the server's processor time per job, one a round.
        failures: Why a round has no figure.
    """

    variant: str
    placement: str
    figures: list[float] = field(default_factory=list)
    costs: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    @property
    def median(self) -> float:
        """The median of the rounds."""
        return statistics.median(self.figures)


@dataclass
class Result:
    """What the entrants reached in one measure, by their names; ours is first."""

    question: int
    measure: Measure
    series: dict[str, list[Series]] = field(default_factory=dict)

    def best(self, name: str) -> Series | None:
        """Return the series that counts for an entrant; None when all failed."""
        complete = [series for series in self.series.get(name, []) if series.figures]
        if not complete:
            return None
        choose = max if self.measure.higher_is_better else min
        return choose(complete, key=lambda series: series.median)

    def ratio(self, name: str) -> float | None:
        """Return how many times better ours is than an entrant; None when either failed."""
        ours, other = self.best(next(iter(self.series))), self.best(name)
        if ours is None or other is None or not ours.median or not other.median:
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
        tell: Takes a line about each run.
    """

    rounds: int
    scale: Scale
    placements: tuple[Placement, ...]
    program: Path
    tls: TLSFiles | None
    tell: Callable[[str], None]

    def run(self, question: int, case: Case, entrants: list[Entrant]) -> list[Result]:
        """Run a case and return a result for each of its measures."""
        results = [Result(question, measure) for measure in case.measures]
        turns = []
        for entrant in entrants:
            for variant, placement in product(entrant.variants, self.placements):
                row = [Series(variant.name, placement.name) for _ in results]
                for result, series in zip(results, row, strict=True):
                    result.series.setdefault(entrant.name, []).append(series)
                turns.append((entrant, variant, placement, row))
        for round_ in range(self.rounds):
            for entrant, variant, placement, row in turns:
                if entrant.most_rounds is None or round_ < entrant.most_rounds:
                    said = self._turn(case, entrant, variant, placement, row)
                    words = (entrant.name, variant.name, placement.name)
                    name = " ".join(word for word in words if word)
                    self.tell(f"{case.measures[0].key} round {round_ + 1} {name}: {said}")
        return results

    def _turn(
        self, case: Case, entrant: Entrant, variant: Variant, placement: Placement,
        row: list[Series],
    ) -> str:  # fmt: skip
        tls = self.tls if case.tls else None
        try:
            with running(variant.command, placement.server_core, tls) as server:
                stage = Stage(server, placement, self.scale, self.program, tls, entrant.python)
                figures = case.run(stage)
        except (LoadError, ServerError) as error:
            for series in row:
                series.failures.append(str(error))
            return f"FAILED: {error}"
        for measure, series in zip(case.measures, row, strict=True):
            series.figures.append(figures[measure.key])
            series.costs += [count.cost * 1e6 for count in stage.counts[-1:]]
        said = ", ".join(f"{figures[m.key]:,.1f} {m.unit}" for m in case.measures)
        return said + "".join(f" ({count.cost * 1e6:.1f} µs/job)" for count in stage.counts[-1:])
