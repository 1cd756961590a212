"""5: what does one job cost when a thousand workers sleep?"""

from benchmarks.question import Case, Figure, Figures, Measure, Question, Stage

WORKERS = 1_000


def all_woken(stage: Stage) -> Figures:
    """One job at a time, each server as it wakes workers by default."""
    return {"5": _rate(stage)}


def one_woken(stage: Stage) -> Figures:
    """The same, and gearmand wakes one worker a job."""
    return {"5-wakeup": _rate(stage)}


def _rate(stage: Stage) -> Figure:
    seconds = stage.scale.seconds
    workers = stage.scale.count(WORKERS)
    count = stage.load("foreground", workers=workers, warm=0.25 * seconds, seconds=seconds)
    return Figure.of(count)


QUESTION = Question(
    5,
    "sleeping workers",
    (
        Case((Measure("5", "1,000 asleep, one job at a time"),), all_woken),
        Case(
            (Measure("5-wakeup", "the same, gearmand --worker-wakeup 1"),),
            one_woken,
            entrants=("gear", "gearmand", "gearmand-1"),
            gearmand=("--worker-wakeup", "1"),
        ),
    ),
)
