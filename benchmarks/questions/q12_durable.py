"""12: what does it cost to keep background jobs on disk, or in PostgreSQL?"""

import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from benchmarks.generator import Count, LoadError
from benchmarks.question import Case, Figure, Figures, Measure, Question, Stage
from benchmarks.servers import Server

DEPTHS = (64, 256, 2000)
SHARED_DEPTHS = DEPTHS[:2]
JOBS = 20_000
TAKEN_OVER = 10_000
MILLION = 1_000_000
LIMIT = 5.0
"""Seconds after which a drain, and what comes before it, ends with what was done until then."""
PATIENCE = 60.0
"""Seconds after which what has not happened will not."""
LOOK = 0.01
APART = 100_000_000
"""Jobs between two runs on one server: each job must have a key that no other has."""
GEARD = ("--queue", "sqlite:{folder}/queue.db")
GEARMAND = ("--queue-type", "libsqlite3", "--libsqlite3-db", "{folder}/queue.db")
SHARED_GEARD = ("--queue", "{database}")
SHARED_GEARMAND = ("--queue-type", "Postgres", "--libpq-conninfo", "{database}")


def in_flight(stage: Stage) -> Figures:
    """One client with 64, 256 and 2,000 submits in flight."""
    return _in_flight(stage, "12", DEPTHS)


def shared_in_flight(stage: Stage) -> Figures:
    """One client with 64 and 256 submits in flight, kept in PostgreSQL."""
    return _in_flight(stage, "12-shared", SHARED_DEPTHS)


def _in_flight(stage: Stage, key: str, depths: tuple[int, ...]) -> Figures:
    return {
        f"{key}-{depth}": Figure.of(_submit(stage, place, inflight=depth))
        for place, depth in enumerate(depths)
    }


def one_at_a_time(stage: Stage) -> Figures:
    """64 clients, and then one alone, with one submit in flight each."""
    many = _submit(stage, 0, clients=64, inflight=1)
    one = _submit(stage, 1, inflight=1)
    return {"12-clients": Figure.of(many), "12-one": Figure.of(one, 1e6 * one.p50)}


def drain(stage: Stage) -> Figures:
    """4 workers empty a queue of 20,000 jobs, or of what was taken in in 5 seconds."""
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


def million(stage: Stage) -> Figures:
    """A million jobs: memory beside a server without a queue on disk, and a start with them."""
    jobs = stage.scale.count(MILLION)

    def fill(server: Server) -> None:
        stage.at(server).load("background", inflight=2000, keys=-1, jobs=jobs, seconds=PATIENCE)

    forgetful = stage.another("--queue", "memory")
    fill(forgetful)
    memory = forgetful.memory()
    forgetful.kill()
    fill(stage.server)
    kept = stage.server.memory()
    stage.server.kill()
    began = time.monotonic()
    again = stage.another()
    seconds = time.monotonic() - began
    if again.jobs() != jobs:
        raise LoadError(f"{again.jobs()} of {jobs} jobs came back")
    return {
        "12-million-start": Figure(seconds),
        "12-million-memory": Figure(max(kept, again.memory()) / memory),
    }


def two(stage: Stage) -> Figures:
    """Two servers on one database, with 64 and 256 submits in flight each, against one of them."""
    stages = (stage, stage.at(stage.another()))
    for at in stages:
        _submit(at, 2 * len(SHARED_DEPTHS), inflight=256)  # tables and log grow at first
    figures = {}
    for place, depth in enumerate(SHARED_DEPTHS):
        alone = _submit(stage, 2 * place, inflight=depth)
        with ThreadPoolExecutor() as pool:
            submits = [pool.submit(_submit, at, 2 * place + 1, inflight=depth) for at in stages]
        both = sum(submit.result().rate for submit in submits)
        figures[f"12-two-{depth}"] = Figure(both / alone.rate)
    return figures


def killed(stage: Stage) -> Figures:
    """A server with 10,000 jobs is killed: seconds until another one on its database has them."""
    return {"12-killed": Figure(_take_over(stage, signal.SIGKILL))}


def frozen(stage: Stage) -> Figures:
    """The same with a server that is stopped as if its host hung."""
    return {"12-frozen": Figure(_take_over(stage, signal.SIGSTOP))}


def _take_over(stage: Stage, number: int) -> float:
    jobs = stage.scale.count(TAKEN_OVER)
    other = stage.another()
    stage.load("background", inflight=256, keys=-1, jobs=jobs, seconds=PATIENCE)
    stage.server.process.send_signal(number)
    began = time.monotonic()
    while other.jobs() < jobs:
        if time.monotonic() > began + PATIENCE:
            raise LoadError(f"{other.jobs()} of {jobs} jobs were taken over")
        time.sleep(LOOK)
    return time.monotonic() - began


def _submit(stage: Stage, place: int, **options: object) -> Count:
    return stage.load(
        "background", first=place * APART, keys=-1, seconds=stage.scale.seconds, **options
    )


def _seconds(key: str, title: str) -> Measure:
    return Measure(key, title, "s", higher_is_better=False, compared=False)


def _of_gear(run: Callable[[Stage], Figures], *measures: Measure, once: bool = False) -> Case:
    """Return a case of servers that share a database, in which ours takes part alone."""
    return Case(measures, run, entrants=("gear",), geard=SHARED_GEARD, postgresql=True, once=once)


BOTH = ("gear", "gearmand")
QUESTION = Question(
    12,
    "durable background jobs",
    (
        Case(
            tuple(Measure(f"12-{depth}", f"SQLite, {depth:,} in flight") for depth in DEPTHS),
            in_flight,
            entrants=BOTH,
            geard=GEARD,
            gearmand=GEARMAND,
        ),
        Case(
            (
                Measure("12-clients", "SQLite, 64 clients, one at a time"),
                Measure("12-one", "one client, one at a time, p50", "µs", higher_is_better=False),
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
        Case(
            (
                _seconds("12-million-start", "listening again with a million jobs"),
                Measure(
                    "12-million-memory", "its memory, against one without a store", "x",
                    higher_is_better=False, compared=False,
                ),
            ),
            million,
            entrants=("gear",),
            geard=GEARD,
            once=True,
        ),
        Case(
            tuple(
                Measure(f"12-shared-{depth}", f"PostgreSQL, {depth} in flight")
                for depth in SHARED_DEPTHS
            ),
            shared_in_flight,
            entrants=BOTH,
            geard=SHARED_GEARD,
            gearmand=SHARED_GEARMAND,
            postgresql=True,
        ),
        _of_gear(
            two,
            *(
                Measure(f"12-two-{depth}", f"two servers, {depth} in flight each", "x",
                        compared=False)
                for depth in SHARED_DEPTHS
            ),
        ),
        _of_gear(killed, _seconds("12-killed", "takeover of 10,000 jobs after kill -9")),
        _of_gear(frozen, _seconds("12-frozen", "takeover after SIGSTOP"), once=True),
    ),
)  # fmt: skip
