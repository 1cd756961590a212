"""11: the first and the fourth question over TLS; Debian's gearmand is built without it."""

from benchmarks.question import Case, Figures, Measure, Question, Stage
from benchmarks.questions import q01_foreground, q04_latency

ENTRANTS = ("gear", "gear016")


def foreground(stage: Stage) -> Figures:
    """8 clients with 16 jobs in flight each, 4 workers."""
    return {"11": q01_foreground.pipelined(stage)["1"]}


def ping_pong(stage: Stage) -> Figures:
    """One client, one worker, one job at a time."""
    found = q04_latency.ping_pong(stage)
    return {"11-p50": found["4-p50"], "11-p99": found["4-p99"]}


QUESTION = Question(
    11,
    "over TLS",
    (
        Case(
            (Measure("11", "8 clients x 16 in flight, 4 workers"),),
            foreground, ENTRANTS, tls=True,
        ),
        Case(
            (
                Measure("11-p50", "one job at a time, p50", "µs", higher_is_better=False),
                Measure("11-p99", "one job at a time, p99", "µs", higher_is_better=False),
            ),
            ping_pong, ENTRANTS, tls=True,
        ),
    ),
)  # fmt: skip
