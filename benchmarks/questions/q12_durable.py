"""12: what does it cost to keep background jobs on disk?"""

import threading

from benchmarks.generator import Count
from benchmarks.question import Case, Figure, Figures, Measure, Question, Stage

DEPTHS = (64, 256, 2000)
JOBS = 20_000
LIMIT = 30.0
"""Seconds after which a run ends with what was done until then."""
APART = 100_000_000
"""Jobs between two runs on one server: each job must have a key that no other has."""
GEARD = ("--queue", "sqlite:{folder}/queue.db")
GEARMAND = ("--queue-type", "libsqlite3", "--libsqlite3-db", "{folder}/queue.db")


def in_flight(stage: Stage) -> Figures:
    """One client with 64, 256 and 2,000 submits in flight."""
    return {
        f"12-{depth}": Figure.of(_submit(stage, place, inflight=depth))
        for place, depth in enumerate(DEPTHS)
    }


def one_at_a_time(stage: Stage) -> Figures:
    """64 clients, and then one alone, with one submit in flight each."""
    many = _submit(stage, 0, clients=64, inflight=1)
    one = _submit(stage, 1, inflight=1)
    return {"12-clients": Figure.of(many), "12-one": Figure.of(one, 1e6 / one.rate)}


def drain(stage: Stage) -> Figures:
    """4 workers empty a queue of 20,000 jobs, or of what was taken in in 30 seconds."""
    jobs = stage.load(
        "background", inflight=256, keys=-1, jobs=stage.scale.count(JOBS), seconds=LIMIT
    ).jobs
    return {"12-drain": Figure.of(stage.load("drain", workers=4, jobs=jobs, seconds=LIMIT))}


def foreground(stage: Stage) -> Figures:
    """8 clients with 16 foreground jobs in flight each, 4 workers, and nothing to be kept."""
    seconds = stage.scale.seconds
    count = stage.load(
        "foreground", clients=8, inflight=16, workers=4, warm=0.25 * seconds, seconds=seconds
    )
    return {"12-foreground": Figure.of(count)}


def beside(stage: Stage) -> Figures:
    """One foreground job at a time, alone and beside 16 submits in flight that are kept."""
    seconds = stage.scale.seconds
    alone = stage.load("foreground", warm=0.25 * seconds, seconds=seconds)
    submits = threading.Thread(
        target=stage.load,
        args=("background",),
        kwargs={"inflight": 16, "begin": 1, "seconds": 1.5 * seconds, "keys": -1},
    )
    submits.start()
    count = stage.load("foreground", warm=0.25 * seconds, seconds=seconds)
    submits.join()
    return {"12-beside": Figure.of(count, count.p50 / alone.p50)}


def _submit(stage: Stage, place: int, **options: object) -> Count:
    return stage.load(
        "background", first=place * APART, keys=-1, seconds=stage.scale.seconds, **options
    )


BOTH = ("gear", "gearmand")
QUESTION = Question(
    12,
    "durable background jobs",
    (
        Case(
            tuple(Measure(f"12-{depth}", f"submits, {depth:,} in flight") for depth in DEPTHS),
            in_flight,
            entrants=BOTH,
            geard=GEARD,
            gearmand=GEARMAND,
        ),
        Case(
            (
                Measure("12-clients", "submits, 64 clients, one at a time"),
                Measure("12-one", "one client, one at a time", "µs", higher_is_better=False),
            ),
            one_at_a_time,
            entrants=BOTH,
            geard=GEARD,
            gearmand=GEARMAND,
        ),
        Case(
            (Measure("12-drain", "4 workers empty a queue of 20,000"),),
            drain,
            entrants=(*BOTH, "memory"),
            geard=GEARD,
            gearmand=GEARMAND,
        ),
        Case(
            (Measure("12-foreground", "foreground, 8 clients x 16 in flight, 4 workers"),),
            foreground,
            entrants=("gear", "memory"),
            geard=GEARD,
        ),
        Case(
            (Measure("12-beside", "foreground p50 beside 16 submits", "x", compared=False),),
            beside,
            entrants=("gear",),
            geard=GEARD,
        ),
    ),
)
