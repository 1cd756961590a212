"""9: what do jobs cost that share unique keys?"""

from benchmarks.question import Case, Figure, Figures, Measure, Question, Stage

JOBS = 100_000
KEYS = 100
LIMIT = 10.0
"""Seconds after which a run ends with what was done until then."""


def foreground(stage: Stage) -> Figures:
    """8 clients with 16 jobs in flight each, 4 workers."""
    return {"9": _rate(stage, "foreground", clients=8, inflight=16, workers=4)}


def background(stage: Stage) -> Figures:
    """One client with 256 submits in flight, and nobody works."""
    return {"9-background": _rate(stage, "background", inflight=256)}


def _rate(stage: Stage, role: str, **options: object) -> Figure:
    jobs = stage.scale.count(JOBS)
    return Figure.of(stage.load(role, keys=KEYS, jobs=jobs, seconds=LIMIT, **options))


QUESTION = Question(
    9,
    "unique keys",
    (
        Case((Measure("9", "100,000 foreground jobs over 100 keys"),), foreground),
        Case((Measure("9-background", "100,000 background jobs over 100 keys"),), background),
    ),
)
