"""1: how many jobs a second go from clients to workers and back?"""

from benchmarks.question import Case, Figure, Figures, Measure, Question, Stage

WARM = 0.25
"""Part of the measured time that goes before it."""


def pipelined(stage: Stage) -> Figures:
    """8 clients with 16 jobs in flight each, 4 workers."""
    return {"1": _rate(stage, clients=8, inflight=16, workers=4)}


def one_at_a_time(stage: Stage) -> Figures:
    """50 clients with one job in flight each, 50 workers."""
    return {"1-50": _rate(stage, clients=50, inflight=1, workers=50)}


def unique(stage: Stage) -> Figures:
    """As the first, and each job has a unique key of its own, as libgearman's have."""
    return {"1-unique": _rate(stage, clients=8, inflight=16, workers=4, keys=-1)}


def _rate(stage: Stage, **options: object) -> Figure:
    seconds = stage.scale.seconds
    count = stage.load("foreground", warm=WARM * seconds, seconds=seconds, **options)
    return Figure.of(count)


QUESTION = Question(
    1,
    "foreground, end to end",
    (
        Case((Measure("1", "8 clients x 16 in flight, 4 workers"),), pipelined),
        Case((Measure("1-50", "50 clients x 1 in flight, 50 workers"),), one_at_a_time),
        Case((Measure("1-unique", "as the first, each job with a unique key"),), unique),
    ),
)
