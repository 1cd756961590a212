"""The worker's metrics for Prometheus, beside those that an app registers itself."""

from collections.abc import Iterator
from itertools import accumulate
from typing import Final

from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from gear_worker.cli.health import Watched
from gear_worker.cli.http import Page, Pages
from gear_worker.runner.status import BOUNDS, FunctionCounts

OUTCOMES: Final = ("completed", "failed", "retried", "lost")


class RunnerCollector(Collector):
    """Gives Prometheus what a runner tells of itself.

    Args:
        runner: The runner.
    """

    def __init__(self, runner: Watched) -> None:
        self._runner = runner

    def collect(self) -> Iterator[Metric]:
        """Return all metrics as they are at the moment."""
        status = self._runner.status()
        jobs = CounterMetricFamily(
            "gear_worker_jobs", "What became of jobs.", labels=["function", "outcome"]
        )
        seconds = HistogramMetricFamily(
            "gear_worker_job_seconds", "How long jobs took.", labels=["function"]
        )
        for name, counts in status.functions.items():
            for outcome in OUTCOMES:
                jobs.add_metric([name, outcome], getattr(counts, outcome))
            seconds.add_metric([name], _buckets(counts), counts.seconds)
        yield jobs
        yield seconds
        yield GaugeMetricFamily("gear_worker_running_jobs", "Jobs that run.", status.running)
        yield GaugeMetricFamily(
            "gear_worker_free_places", "Jobs that could start now.", status.free
        )
        connected = GaugeMetricFamily(
            "gear_worker_connected", "Whether a server is connected.", labels=["server"]
        )
        for server, is_connected in status.servers.items():
            connected.add_metric([server], is_connected)
        yield connected


def _buckets(counts: FunctionCounts) -> list[tuple[str, float]]:
    """Return how many jobs took up to how long."""
    return [
        (str(bound), float(total))
        for bound, total in zip((*BOUNDS, "+Inf"), accumulate(counts.durations), strict=True)
    ]


def metrics_pages(runner: Watched) -> Pages:
    """Return the page of metrics; what is registered elsewhere in the process is on it too."""
    REGISTRY.register(RunnerCollector(runner))
    return {"/metrics": lambda: Page(200, generate_latest(REGISTRY), CONTENT_TYPE_LATEST)}
