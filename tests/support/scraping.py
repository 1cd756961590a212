"""Scrapes a server as Prometheus does, and reads what it says with the official parsers."""

from collections.abc import Iterator

from prometheus_client.core import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_plain

from support.http_asking import Answer, ask

OPENMETRICS = "application/openmetrics-text; version=1.0.0"
Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def scrape(port: int, accept: str = OPENMETRICS) -> Answer:
    """Return the answer to a scrape."""
    answer = ask(port, "/metrics", headers={"Accept": accept} if accept else {})
    assert answer.status == 200, answer.body
    return answer


def families(answer: Answer) -> Iterator[Metric]:
    """Return what the answer to a scrape says, read by the official parser of its format."""
    text = answer.body.decode()
    is_openmetrics = answer.headers["content-type"].startswith("application/openmetrics-text")
    read = read_openmetrics if is_openmetrics else read_plain
    yield from read(text)


def samples(answer: Answer) -> Samples:
    """Return all samples of a scrape, each of which must be there once."""
    found: Samples = {}
    for family in families(answer):
        for sample in family.samples:
            key = sample.name, tuple(sorted(sample.labels.items()))
            assert key not in found, key
            found[key] = sample.value
    return found


def value(found: Samples, name: str, **labels: str) -> float:
    """Return the value of a sample."""
    return found[name, tuple(sorted(labels.items()))]
