"""10: how fast are the libraries, all over the same gearmand?"""

from collections.abc import Callable

from benchmarks.question import Case, Figure, Figures, Measure, Question, Stage, Subject

JOBS = 20_000


def submit(stage: Stage) -> Figures:
    """One thread submits background jobs one by one."""
    return {"10-submit": _rate(stage, "submit")}


def threads(stage: Stage) -> Figures:
    """16 threads do the same on one client."""
    return {"10-threads": _rate(stage, "threads")}


def worker(stage: Stage) -> Figures:
    """A worker takes waiting jobs and sends each back."""
    return {"10-worker": _rate(stage, "worker")}


def _rate(stage: Stage, role: str) -> Figure:
    return Figure(stage.call(role, stage.scale.count(JOBS)))


LIBRARIES = ("gear", "gear016", "python3-gearman")


def _case(key: str, title: str, run: Callable[[Stage], Figures]) -> Case:
    return Case((Measure(key, title),), run, LIBRARIES, subject=Subject.LIBRARY)


QUESTION = Question(
    10,
    "the libraries, over gearmand",
    (
        _case("10-submit", "submitJob, one by one", submit),
        _case("10-threads", "submitJob from 16 threads", threads),
        _case("10-worker", "a Worker that echoes", worker),
    ),
)
