"""8: how many megabytes a second pass in large jobs?"""

from benchmarks.question import Case, Figure, Figures, Measure, Question, Stage

PAYLOAD = 1 << 20


def large(stage: Stage) -> Figures:
    """4 clients with 2 jobs in flight each, 4 workers that send back what they got."""
    seconds = stage.scale.seconds
    count = stage.load(
        "foreground", clients=4, inflight=2, workers=4, payload=PAYLOAD,
        warm=0.25 * seconds, seconds=seconds,
    )  # fmt: skip
    return {"8": Figure.of(count, count.rate * PAYLOAD / 1e6)}


QUESTION = Question(8, "large payloads", (Case((Measure("8", "jobs of 1 MiB", "MB/s"),), large),))
