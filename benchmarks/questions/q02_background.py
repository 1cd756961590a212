"""2: how many background jobs a second does the server take in?"""

from benchmarks.question import Case, Figure, Figures, Measure, Question, Stage

JOBS = 200_000


def one_client(stage: Stage) -> Figures:
    """One client with 256 submits in flight."""
    return {"2": _rate(stage, 1)}


def eight_clients(stage: Stage) -> Figures:
    """8 clients with 256 submits in flight each."""
    return {"2-8": _rate(stage, 8)}


def _rate(stage: Stage, clients: int) -> Figure:
    jobs = stage.scale.count(JOBS)
    seconds = stage.scale.seconds
    return Figure.of(
        stage.load("background", clients=clients, inflight=256, jobs=jobs, seconds=seconds)
    )


QUESTION = Question(
    2,
    "background submits",
    (
        Case((Measure("2", "1 client, 256 in flight"),), one_client),
        Case((Measure("2-8", "8 clients x 256 in flight"),), eight_clients),
    ),
)
