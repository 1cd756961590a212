"""3: how fast do workers empty a full queue?"""

from benchmarks.question import Case, Figure, Figures, Measure, Question, Stage

JOBS = 100_000
LIMIT = 30.0
"""Seconds after which a run ends with what was done until then."""


def drain(stage: Stage) -> Figures:
    """4 workers empty a queue of 100,000 jobs."""
    jobs = stage.load("background", inflight=256, jobs=stage.scale.count(JOBS), seconds=LIMIT).jobs
    return {"3": Figure.of(stage.load("drain", workers=4, jobs=jobs, seconds=LIMIT))}


QUESTION = Question(
    3, "drain", (Case((Measure("3", "4 workers empty a queue of 100,000"),), drain),)
)
