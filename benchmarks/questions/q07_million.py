"""7: what does a waiting job cost, and what do a million that wait cost the next?"""

from benchmarks.generator import Count
from benchmarks.question import Case, Figure, Figures, Measure, Question, Stage

WAITING = 100_000
PROBE = 50_000
TENFOLD = 10
LIMIT = 120.0
"""Seconds after which a run ends with what was done until then."""


class Queue:
    """Background jobs in a server, numbered in the order they were submitted in."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._submitted = 0
        self._taken = 0

    def submit(self, jobs: int) -> Count:
        """Submit jobs."""
        count = self._stage.load(
            "background", inflight=256, jobs=jobs, first=self._submitted, seconds=LIMIT
        )
        self._submitted += jobs
        return count

    def drain(self, jobs: int) -> Count:
        """Take the oldest jobs away."""
        count = self._stage.load("drain", workers=4, jobs=jobs, first=self._taken, seconds=LIMIT)
        self._taken += jobs
        return count


def million(stage: Stage) -> Figures:
    """A queue of 100,000 and one of 1,000,000: submit and drain 50,000 while they wait."""
    waiting, probe = stage.scale.count(WAITING), stage.scale.count(PROBE)
    queue = Queue(stage)
    empty = stage.server.memory()
    queue.submit(waiting)
    submit_before = queue.submit(probe)
    drain_before = queue.drain(probe)
    queue.submit((TENFOLD - 1) * waiting)
    full = stage.server.memory()
    submit_after = queue.submit(probe)
    drain_after = queue.drain(probe)
    return {
        "7-memory": Figure((full - empty) / (TENFOLD * waiting)),
        "7-submit": Figure.of(submit_after),
        "7-submit-growth": Figure(submit_after.cost / submit_before.cost),
        "7-drain": Figure.of(drain_after),
        "7-drain-growth": Figure(drain_after.cost / drain_before.cost),
    }


def _growth(key: str) -> Measure:
    return Measure(key, "cost per job, ten-fold", "x", higher_is_better=False, compared=False)


QUESTION = Question(
    7,
    "a million waiting jobs",
    (
        Case(
            (
                Measure("7-memory", "memory of a waiting job", "bytes", higher_is_better=False),
                Measure("7-submit", "submits while a million wait"),
                _growth("7-submit-growth"),
                Measure("7-drain", "drain while a million wait"),
                _growth("7-drain-growth"),
            ),
            million,
            entrants=("gear", "gearmand", "gearmand-1"),
        ),
    ),
)
