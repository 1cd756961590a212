"""6: does a job cost more when there are more functions, or more connections?"""

from benchmarks.question import Case, Figure, Figures, Measure, Question, Stage

FUNCTIONS = 1_000
CONNECTIONS = 200
TENFOLD = 10


def functions(stage: Stage) -> Figures:
    """8 clients with 16 jobs in flight go through all functions, of which 4 workers each do all."""
    busy = {"clients": 8, "inflight": 16, "workers": 4}
    return _growth(stage, "6-functions", *(
        busy | {"functions": stage.scale.count(n * FUNCTIONS)} for n in (1, TENFOLD)
    ))  # fmt: skip


def connections(stage: Stage) -> Figures:
    """Half of the connections submit a job at a time, half work."""
    halves = [stage.scale.count(n * CONNECTIONS) // 2 for n in (1, TENFOLD)]
    return _growth(stage, "6-connections", *({"clients": n, "workers": n} for n in halves))


def idle(stage: Stage) -> Figures:
    """8 clients with 16 jobs in flight and 4 workers, beside connections that do nothing."""
    busy = {"clients": 8, "inflight": 16, "workers": 4}
    return _growth(stage, "6-idle", *(
        busy | {"idle": stage.scale.count(n * CONNECTIONS)} for n in (1, TENFOLD)
    ))  # fmt: skip


def _growth(stage: Stage, key: str, small: dict[str, int], large: dict[str, int]) -> Figures:
    seconds = stage.scale.seconds
    before, after = (
        stage.load("foreground", warm=0.25 * seconds, seconds=seconds, **options)
        for options in (small, large)
    )
    return {key: Figure.of(after), f"{key}-growth": Figure(after.cost / before.cost)}


def _measures(key: str, title: str) -> tuple[Measure, Measure]:
    return (
        Measure(key, title),
        Measure(
            f"{key}-growth", "cost per job, ten-fold", "x", higher_is_better=False, compared=False
        ),
    )


QUESTION = Question(
    6,
    "many functions, many connections",
    (
        Case(_measures("6-functions", "10,000 functions"), functions),
        Case(_measures("6-connections", "2,000 connections, all at work"), connections),
        Case(_measures("6-idle", "2,000 idle connections"), idle),
    ),
)
