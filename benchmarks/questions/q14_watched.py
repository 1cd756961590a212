"""14: what does it cost to be watched, by three pages and Prometheus, with 10,000 functions?"""

from benchmarks.generator import Count, LoadError
from benchmarks.question import Case, Figure, Figures, Measure, Question, Stage
from benchmarks.servers import free_port
from benchmarks.watchers import WatchError, watching

FUNCTIONS = 10_000
TURNS = 2
"""Runs on each of the two servers, turn about: the machine may change meanwhile."""
LONGEST = 5.0
"""Seconds at least: the watchers ask once a second."""


def busy(stage: Stage) -> Figures:
    """8 clients with 16 jobs in flight go through all functions, of which 4 workers each do all."""
    plain, watched, scrape = _both(stage, clients=8, inflight=16, workers=4)
    rates = [sum(count.rate for count in counts) for counts in (watched, plain)]
    return {"14": Figure(rates[0] / rates[1]), "14-scrape": Figure(scrape)}


def one_at_a_time(stage: Stage) -> Figures:
    """One client goes through all functions, one job at a time, of which a worker does all."""
    plain, watched, _ = _both(stage, clients=1, inflight=1, workers=1)
    times = [sum(count.p99 for count in counts) for counts in (watched, plain)]
    return {"14-p99": Figure(times[0] / times[1])}


def _both(stage: Stage, **load: int) -> tuple[list[Count], list[Count], float]:
    """Load the server, and one that is watched; return the counts, and what a scrape took."""
    port = free_port()
    other = stage.at(stage.another("--http", str(port)))
    seconds = max(stage.scale.seconds, LONGEST if stage.scale.divisor == 1 else 1.0)
    options = {**load, "functions": stage.scale.count(FUNCTIONS), "seconds": seconds}
    plain, watched = [], []
    try:
        with watching(port) as seen:
            for _ in range(TURNS):
                plain.append(stage.load("foreground", warm=1.0, **options))
                watched.append(other.load("foreground", warm=1.0, **options))
    except WatchError as error:
        raise LoadError(str(error)) from error
    return plain, watched, seen.scrape


def _ratio(key: str, title: str, higher_is_better: bool) -> Measure:
    return Measure(key, title, "x", higher_is_better=higher_is_better, compared=False)


QUESTION = Question(
    14,
    "watched by three pages and Prometheus, 10,000 functions",
    (
        Case(
            (
                _ratio("14", "jobs/s, against an unwatched server", higher_is_better=True),
                Measure(
                    "14-scrape", "a scrape meanwhile", "ms", higher_is_better=False, compared=False
                ),
            ),
            busy,
            entrants=("gear",),
        ),
        Case(
            (_ratio("14-p99", "one job at a time, p99", higher_is_better=False),),
            one_at_a_time,
            entrants=("gear",),
        ),
    ),
)
