"""``GET /metrics`` tells Prometheus what the server counts, in both of its formats."""

import asyncio
import re
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import TypeVar

import pytest
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector

import gear
from gear_server.engine.state import Function
from gear_server.engine.tally import Tally
from gear_server.http import metrics
from gear_server.http.families import ENDS, FAMILIES, numbers
from gear_server.http.history import History
from gear_server.http.labels import Labels
from gear_server.http.metrics import NAMED, UNNAMED, Metrics
from gear_server.http.others import COUNTS
from gear_server.http.snapshot import Snapshot
from gear_server.settings import ServerSettings
from gear_wire.errors import GearmanError
from support.scraping import OPENMETRICS, families, samples, scrape, value
from support.workspace import ROOT

pytest_plugins = ["support.fix_http"]

Result = TypeVar("Result")
REFERENCE = (ROOT / "docs" / "reference" / "metrics.md").read_text()
PLAIN = "text/plain; version=0.0.4; charset=utf-8"
FUNCTION_SAMPLES = 3 + 6 + 12 + 2 * (len(ENDS) + 2)
"""Samples that each function has: gauges and counters by themselves, and two histograms."""


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """Show each scrape what there is now."""
    monkeypatch.setattr(metrics, "SHARED", 0.0)
    monkeypatch.setattr(metrics, "KEPT", 0.0)


@pytest.fixture
def crowded() -> Iterator[gear.Server]:
    """A server that shows two functions by name."""
    settings = ServerSettings(http="0", metrics_functions=2)
    with gear.Server(0, host="127.0.0.1", settings=settings) as server:
        yield server


def submit(server: gear.Server, *names: str | bytes) -> None:
    with gear.Client() as client:
        client.addServer("127.0.0.1", server.port)
        client.waitForServer()
        for name in names:
            client.submitJob(gear.Job(name, b"", unique=b""), background=True)


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("", PLAIN),
        ("*/*", PLAIN),
        ("text/html,*/*;q=0.5", PLAIN),
        ("application/openmetrics-text; version=x", PLAIN),
        ("application/openmetrics-text", "application/openmetrics-text; version=1.0.0"),
        # Prometheus 2.42's, and 3's
        (
            "application/openmetrics-text;version=1.0.0,application/openmetrics-text;"
            "version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
        ),
        ("text/plain;version=0.0.4;q=0.5,*/*;q=0.1", PLAIN),
    ],
)
def test_the_format_is_what_was_asked_for(
    http_server: gear.Server, accept: str, content_type: str
) -> None:
    answer = scrape(http_server.http_port, accept)
    assert answer.headers["content-type"].startswith(content_type)
    assert answer.headers["vary"] == "Accept"
    is_openmetrics = content_type.startswith("application/openmetrics-text")
    assert answer.body.endswith(b"# EOF\n") == is_openmetrics
    assert any(family.name == "geard_jobs_submitted" for family in families(answer))


def test_both_formats_say_the_same(http_server: gear.Server) -> None:
    submit(http_server, "f", "g")
    openmetrics, plain = (scrape(http_server.http_port, each) for each in (OPENMETRICS, ""))
    found = samples(openmetrics)
    assert found.keys() == samples(plain).keys()
    mine = [key for key in found if ("function", "f") in key[1]]
    assert len(mine) == FUNCTION_SAMPLES


def test_the_jobs_of_a_function_are_counted(
    http_server: gear.Server, http_client: gear.Client, http_worker: gear.Worker
) -> None:
    http_worker.registerFunction("f")
    jobs = [gear.Job("f", b"", unique=b"") for _ in range(4)]
    for job in jobs[:2]:
        http_client.submitJob(job)
    http_client.submitJob(jobs[2], precedence=gear.PRECEDENCE_LOW)
    http_client.submitJob(jobs[3], precedence=gear.PRECEDENCE_HIGH)
    http_worker.getJob().sendWorkComplete()
    http_worker.getJob().sendWorkFail()
    running = http_worker.getJob()
    assert jobs[3].wait(10) and http_server.waitFor(lambda: http_server.running_jobs == 1, 10)
    found = samples(scrape(http_server.http_port))

    def of(name: str, **labels: str) -> float:
        return value(found, name, function="f", **labels)

    queued = [of("geard_jobs_queued", precedence=each) for each in ("high", "normal", "low")]
    assert queued == [0, 0, 1]
    assert of("geard_jobs_running") == 1 and of("geard_workers") == 1
    assert of("geard_jobs_oldest_seconds") > 0
    assert of("geard_jobs_submitted_total") == 4
    assert of("geard_jobs_completed_total") == of("geard_jobs_failed_total") == 1
    assert of("geard_job_waited_seconds_count") == 3 and of("geard_job_ran_seconds_count") == 2
    assert of("geard_job_waited_seconds_bucket", le="+Inf") == 3
    assert of("geard_job_waited_seconds_sum") > 0
    running.sendWorkComplete()


def test_the_server_is_described(http_server: gear.Server, http_client: gear.Client) -> None:
    http_client.submitJob(gear.Job("f", b"12345"))
    found = samples(scrape(http_server.http_port))
    assert value(found, "geard_connections", kind="client") == 1
    assert value(found, "geard_packets_received_total", type="SUBMIT_JOB") == 1
    assert value(found, "geard_received_bytes_total") > 5 < value(found, "geard_sent_bytes_total")
    assert value(found, "geard_turn_seconds_count") > 0 < value(found, "geard_turn_seconds_sum")
    assert value(found, "geard_memory_used_bytes") > 5
    assert value(found, "process_resident_memory_bytes") > 1 << 20
    assert value(found, "geard_limit_used", limit="max_jobs") == 1
    assert value(found, "geard_limit", limit="max_connections") == 16384
    (build,) = (labels for name, labels in found if name == "geard_build_info")
    assert dict(build).keys() == {"version", "python"}


def test_what_a_limit_refuses_is_counted() -> None:
    settings = ServerSettings(http="0", max_jobs=1)
    with gear.Server(0, host="127.0.0.1", settings=settings) as server:
        with pytest.raises(GearmanError):
            submit(server, "f", "f")
        found = samples(scrape(server.http_port))
    assert value(found, "geard_limit_refusals_total", limit="max_jobs") == 1
    assert value(found, "geard_jobs_refused_total", function="f") == 1


def test_how_late_the_loop_is_is_counted(http_server: gear.Server) -> None:
    held = threading.Event()

    def hold() -> None:
        time.sleep(0.6)  # as something that takes too long would
        held.set()

    http_server._loop.call_soon_threadsafe(hold)
    assert held.wait(30)
    name, end = "geard_loop_lag_seconds_bucket", time.monotonic() + 30
    while time.monotonic() < end:
        found = samples(scrape(http_server.http_port))
        if value(found, name, le="+Inf") > value(found, name, le="0.1"):
            break
    assert value(found, name, le="+Inf") > value(found, name, le="0.1")
    assert value(found, "geard_loop_lag_seconds_sum") > 0.1


# Functions by name, and the others


def submitted(server: gear.Server) -> dict[str, float]:
    found = samples(scrape(server.http_port))
    name = "geard_jobs_submitted_total"
    return {dict(key)["function"]: value for (each, key), value in found.items() if each == name}


def test_functions_beyond_the_bound_are_other(crowded: gear.Server) -> None:
    submit(crowded, "a")
    assert submitted(crowded) == {"a": 1, "other": 0}
    submit(crowded, "b", "c", "d", "d", "a")
    assert submitted(crowded) == {"a": 2, "b": 1, "other": 3}
    found = samples(scrape(crowded.http_port))
    assert value(found, "geard_jobs_queued", function="other", precedence="normal") == 3
    assert value(found, "geard_jobs_oldest_seconds", function="other") > 0


def test_a_function_that_is_forgotten_makes_room_for_a_new_one_only(crowded: gear.Server) -> None:
    with gear.AdminClient("127.0.0.1", crowded.port) as admin:
        for name in "abc":
            admin.createFunction(name)
        assert submitted(crowded) == {"a": 0, "b": 0, "other": 0}
        submit(crowded, "c")
        assert submitted(crowded) == {"a": 0, "b": 0, "other": 1}
        admin.dropFunction("a")
        # It was counted among the others, which must not become less.
        assert submitted(crowded) == {"b": 0, "other": 1}
        submit(crowded, "d", "e")
        assert submitted(crowded) == {"b": 0, "d": 1, "other": 2}


def test_what_a_forgotten_function_had_is_not_counted_again(
    crowded: gear.Server,
) -> None:
    with gear.Worker("w") as worker:
        worker.addServer("127.0.0.1", crowded.port)
        worker.waitForServer()
        for name in "abc":
            worker.registerFunction(name)
            submit(crowded, name)
            worker.getJob().sendWorkComplete()
        assert crowded.waitFor(lambda: not crowded.jobs, 10)
        assert submitted(crowded) == {"a": 1, "b": 1, "other": 1}
    assert crowded.waitFor(lambda: not crowded.active_connections, 10)
    with gear.AdminClient("127.0.0.1", crowded.port) as admin:
        admin.dropFunction("a")
        assert submitted(crowded) == {"b": 1, "other": 1}
        admin.dropFunction("c")
        assert submitted(crowded) == {"b": 1, "other": 1}
    found = samples(scrape(crowded.http_port))
    assert value(found, "geard_job_ran_seconds_count", function="other") == 1


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (b"gr\xc3\xbcn", "grün"),
        (b"\xff", "\\xff"),
        (b'a"b\\c', 'a"b\\c'),
        (b"100%s", "100%s"),
        (b"a{b}", "a{b}"),
    ],
)
def test_any_name_is_shown(http_server: gear.Server, name: bytes, shown: str) -> None:
    submit(http_server, name)
    assert submitted(http_server) == {shown: 1, "other": 0}
    answer = scrape(http_server.http_port, "")
    assert value(samples(answer), "geard_jobs_submitted_total", function=shown) == 1


def test_two_functions_never_have_one_name(http_server: gear.Server) -> None:
    submit(http_server, b"\xff", b"\\xff", b"other")
    assert submitted(http_server) == {"\\xff": 1, "other": 2}


def test_everything_in_a_tally_is_added_up() -> None:
    tally = Tally()
    names = [name for name in dir(tally) if name[0] != "_"]
    numbers = {name for name in names if isinstance(getattr(tally, name), int | float)}
    assert numbers == {*COUNTS, "completed"}  # which follows from the others


def test_labels_are_stable() -> None:
    functions = {name: Function(name) for name in (b"a", b"b", b"c")}
    labels = Labels(2)
    labels.update(functions)
    assert [*labels.names.values()] == ["a", "b"]
    again = functions[b"b"] = Function(b"b")  # forgotten, and come again
    labels.update(functions)
    assert labels.names[again] == "b" and {each.name for each in labels.others} == {b"c"}
    labels.update({})
    assert not labels.names and not labels.others


def test_every_metric_is_in_the_reference(http_server: gear.Server) -> None:
    suffixes = {"counter": "_total", "info": "_info"}
    tables: dict[str, list[str]] = {"functions": [], "server": []}
    for family in families(scrape(http_server.http_port)):
        own = {"histogram": {"le"}}.get(family.type, set())
        labels = {label for sample in family.samples for label in sample.labels} - own
        names = ", ".join(f"`{label}`" for label in sorted(labels))
        kind = "gauge" if family.type == "info" else family.type
        name = family.name + suffixes.get(family.type, "")
        row = f"| `{name}` | {kind} | {names} | {family.documentation} |".replace("|  |", "| |")
        tables["functions" if "function" in labels else "server"].append(row)
    for name, rows in tables.items():
        table = re.search(rf"<!-- {name}: begin -->\n(.*)<!-- {name}: end -->", REFERENCE, re.S)
        assert table is not None and table[1].splitlines()[2:] == rows
    assert f"has {FUNCTION_SAMPLES} series" in REFERENCE


# How it is made


class One(Collector):
    def __init__(self, metric: HistogramMetricFamily) -> None:
        self._metric = metric

    def collect(self) -> Iterator[HistogramMetricFamily]:
        yield self._metric


def test_a_template_writes_what_the_official_exposition_does() -> None:
    function = Function(b"f")
    function.tally.waited[2] = 7
    function.tally.waiting_time = 0.125
    family = next(each for each in FAMILIES if each.metric.name == "geard_job_waited_seconds")
    official = HistogramMetricFamily("geard_job_waited_seconds", "", labels=["function"])
    counts = [0] * 2 + [7] * (len(ENDS) - 2)
    official.add_metric(["f"], [*zip(ENDS, counts, strict=True)], 0.125)
    lines = generate_latest(One(official)).decode().splitlines()[2:]
    mine = family.write([("f", *numbers(function, 0.0))]).decode().splitlines()
    assert [line.replace(" 7.0", " 7").replace(" 0.0", " 0") for line in lines] == mine


def test_whoever_asks_within_a_second_is_shown_the_same(
    http_server: gear.Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metrics, "SHARED", 3600.0)
    first = scrape(http_server.http_port)
    submit(http_server, "f")
    assert scrape(http_server.http_port).body == first.body
    assert samples(scrape(http_server.http_port, "")) == samples(first)


def on_loop(server: gear.Server, run: Callable[[Metrics], Awaitable[Result]]) -> Result:
    """Run something with metrics of its own on the loop of a server."""

    async def begin() -> Result:
        network = server._server
        assert network is not None
        history = History(network)
        try:
            return await run(Metrics(network, Snapshot(network, history, 0.0), history, 1000))
        finally:
            await history.close()

    return asyncio.run_coroutine_threadsafe(begin(), server._loop).result(30)


def test_a_client_that_leaves_spoils_it_for_nobody(http_server: gear.Server) -> None:
    async def two(page: Metrics) -> bytes:
        leaving = asyncio.create_task(page.write(as_openmetrics=True))
        staying = asyncio.create_task(page.write(as_openmetrics=True))
        await asyncio.sleep(0)
        leaving.cancel()
        return await staying

    assert on_loop(http_server, two).endswith(b"# EOF\n")


@pytest.mark.parametrize(("most", "size"), [(1000, NAMED), (0, UNNAMED)])
def test_jobs_go_on_while_many_functions_are_read(
    http_server: gear.Server, most: int, size: int
) -> None:
    names = [f"function{number}" for number in range(4 * size)]
    submit(http_server, *names)

    async def turns(page: Metrics) -> int:
        page._labels = Labels(most)
        writing = asyncio.create_task(page.write(as_openmetrics=True))
        turns = 0
        while not writing.done():
            await asyncio.sleep(0)
            turns += 1
        return turns

    assert on_loop(http_server, turns) > 4


def test_nothing_is_written_after_the_end(http_server: gear.Server) -> None:
    async def close(page: Metrics) -> bool:
        writing = asyncio.create_task(page.write(as_openmetrics=True))
        await asyncio.sleep(0)
        await page.close()
        await asyncio.gather(writing, return_exceptions=True)
        return writing.cancelled()

    assert on_loop(http_server, close)
