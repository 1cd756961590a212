"""4: how long does a client wait for one job?"""

from benchmarks.question import Case, Figure, Figures, Measure, Question, Stage


def ping_pong(stage: Stage) -> Figures:
    """One client, one worker, one job at a time."""
    seconds = stage.scale.seconds
    count = stage.load("foreground", warm=0.25 * seconds, seconds=seconds)
    return {"4-p50": Figure.of(count, count.p50 * 1e6), "4-p99": Figure.of(count, count.p99 * 1e6)}


QUESTION = Question(
    4,
    "latency",
    (
        Case(
            (
                Measure("4-p50", "one job at a time, p50", "µs", higher_is_better=False),
                Measure("4-p99", "one job at a time, p99", "µs", higher_is_better=False),
            ),
            ping_pong,
        ),
    ),
)
