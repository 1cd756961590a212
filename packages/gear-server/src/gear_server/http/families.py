"""The metrics of functions: their names, what they say, and which numbers they show."""

import operator
from collections.abc import Callable, Iterable, Mapping
from itertools import accumulate, chain
from typing import Final

import msgspec
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.utils import floatToGoString

from gear_server.engine.numbers import FUNCTION_KEYS, FunctionNumbers
from gear_server.engine.state import Function
from gear_server.engine.tally import BOUNDS
from gear_server.http.exposition import MARK, template

ENDS: Final = (*map(floatToGoString, BOUNDS), "+Inf")
"""Where the ranges of histograms end, as labels."""
Row = tuple[float | str, ...]
"""A function's name as it is written, and its numbers; see `KEYS`."""


def _keys(histogram: str) -> list[str]:
    return [*(f"{histogram} {end}" for end in ENDS), f"{histogram} in all"]


KEYS: Final = ("name", *FUNCTION_KEYS, "oldest", *_keys("waited"), *_keys("ran"))
"""What is in a row."""


def numbers(function: Function, now: float) -> tuple[float, ...]:
    """Return the numbers of a function, from the second of `KEYS`; histograms are cumulative."""
    tally, plain = function.tally, FunctionNumbers.of(function, now)
    return (
        *msgspec.structs.astuple(plain), plain.oldest_ms / 1000,
        *accumulate(tally.waited), tally.waiting_time, *accumulate(tally.ran), tally.running_time,
    )  # fmt: skip


class Family:
    """A metric of functions.

    Args:
        metric: The metric, with the samples of one function, whose name is `MARK`.
        keys: The keys of their values.

    Attributes:
        metric: As given.
    """

    def __init__(self, metric: Metric, keys: Iterable[str]) -> None:
        self.metric: Metric = metric
        self._template = template(metric)
        places = chain.from_iterable((0, KEYS.index(key)) for key in keys)
        self._values: Callable[[Row], tuple[float | str, ...]] = operator.itemgetter(*places)

    def write(self, rows: list[Row]) -> bytes:
        """Return the lines of some functions."""
        values = tuple(chain.from_iterable(map(self._values, rows)))
        return (self._template * len(rows) % values).encode()


def _gauge(name: str, text: str, key: str) -> Family:
    metric = GaugeMetricFamily(name, text, labels=["function"])
    metric.add_metric([MARK], 0)
    return Family(metric, [key])


def _gauge_by(label: str, name: str, text: str, keys: Mapping[str, str]) -> Family:
    metric = GaugeMetricFamily(name, text, labels=["function", label])
    for value in keys:
        metric.add_metric([MARK, value], 0)
    return Family(metric, keys.values())


def _counter(name: str, text: str, key: str) -> Family:
    metric = CounterMetricFamily(name, text, labels=["function"])
    metric.add_metric([MARK], 0)
    return Family(metric, [key])


def _histogram(name: str, text: str, key: str) -> Family:
    metric = HistogramMetricFamily(name, text, labels=["function"])
    metric.add_metric([MARK], [(end, 0) for end in ENDS], 0)
    *ranges, in_all = _keys(key)
    return Family(metric, [*ranges, ranges[-1], in_all])


FAMILIES: Final = (
    _gauge_by("precedence", "geard_jobs_queued", "Jobs that wait for a worker.", {
        "high": "queued_high", "normal": "queued_normal", "low": "queued_low",
    }),
    _gauge("geard_jobs_scheduled", "Jobs for later.", "scheduled"),
    _gauge("geard_jobs_aside",
        "Stored jobs that are held back, since other servers may have taken them over.", "aside"),
    _gauge("geard_jobs_running", "Jobs that workers have.", "running"),
    _gauge("geard_jobs_oldest_seconds",
        "For how long the oldest queued job has waited; 0 if none is queued.", "oldest"),
    _gauge("geard_workers", "Workers that have registered the function.", "workers"),
    _gauge("geard_workers_asleep", "Workers of the function that sleep.", "asleep"),
    _counter("geard_jobs_submitted",
        "Jobs accepted, not counting submissions that joined one.", "submitted"),
    _counter("geard_jobs_joined",
        "Submissions that joined a job with the same unique.", "joined"),
    _counter("geard_jobs_completed", "Jobs that ended with a result.", "completed"),
    _counter("geard_jobs_failed",
        "Jobs that failed: their workers said so, or the server stopped while they ran.",
        "failed"),
    _counter("geard_jobs_exhausted",
        "Jobs that failed because no attempts were left.", "exhausted"),
    _counter("geard_jobs_cancelled", "Jobs that were cancelled.", "cancelled"),
    _counter("geard_jobs_abandoned",
        "Jobs discarded because no client waited for them any more.", "abandoned"),
    _counter("geard_jobs_requeued",
        "How often a job was taken from a worker and queued again.", "requeued"),
    _counter("geard_jobs_timed_out",
        "How often a worker had a job for too long.", "timed_out"),
    _counter("geard_jobs_refused",
        "Submissions refused because of a limit, or since their job could not be stored.",
        "refused"),
    _counter("geard_jobs_restored",
        "Jobs that came from the store, after a start or from other servers.", "restored"),
    _counter("geard_jobs_moved",
        "Stored jobs that other servers have taken over from this one.", "moved"),
    _histogram("geard_job_waited_seconds",
        "How long jobs waited until they were given to a worker.", "waited"),
    _histogram("geard_job_ran_seconds",
        "How long jobs ran until they left their worker.", "ran"),
)  # fmt: skip
"""All metrics of functions."""
