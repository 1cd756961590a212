"""13: how fast is a worker command with typed functions, beside job libraries over Redis?"""

from benchmarks.question import Case, Figure, Figures, Measure, Question, Stage, Subject

CALLS = 2_000


def drain(stage: Stage) -> Figures:
    """One worker, ten at a time, empties a queue of calls whose results nobody wants."""
    return {"13": _rate(stage, "drain")}


def latency(stage: Stage) -> Figures:
    """One client calls and waits for the result, one call at a time."""
    found = stage.drive("latency", stage.scale.count(CALLS))
    return {"13-p50": Figure(found["p50"] * 1e6)}


def threads(stage: Stage) -> Figures:
    """Ten threads, beside ten threads that take jobs from a `Worker` in a loop."""
    return {"13-threads": _rate(stage, "threads")}


def tasks(stage: Stage) -> Figures:
    """Ten coroutines, beside ten that take jobs from an `AsyncWorker` in a loop."""
    return {"13-tasks": _rate(stage, "tasks")}


def _rate(stage: Stage, role: str) -> Figure:
    found = stage.drive(role, 0)
    return Figure(found["jobs"] / found["seconds"])


FRAMEWORKS = ("gear", "celery", "rq", "dramatiq", "taskiq")
BARE = ("gear", "bare")
QUESTION = Question(
    13,
    "a worker command, one process, ten jobs at a time",
    (
        Case(
            (Measure("13", "empty functions of one int, no results"),),
            drain, FRAMEWORKS, subject=Subject.FRAMEWORK, pinned=False,
        ),
        Case(
            (Measure("13-p50", "a call and its result, p50", "µs", higher_is_better=False),),
            latency, FRAMEWORKS, subject=Subject.FRAMEWORK, pinned=False,
        ),
        Case(
            (Measure("13-threads", "in threads, beside a bare loop"),),
            threads, BARE, subject=Subject.FRAMEWORK, pinned=False,
        ),
        Case(
            (Measure("13-tasks", "on asyncio, beside a bare loop"),),
            tasks, BARE, subject=Subject.FRAMEWORK, pinned=False,
        ),
    ),
)  # fmt: skip
