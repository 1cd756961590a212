"""A Prometheus scrapes geard, and evaluates what comes with it: alerts, and a dashboard."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

import gear
from support.geard_program import HOST, Geard, wait_until
from support.prometheus import FILES, PACKAGE, Prometheus, configure, promtool
from support.scraping import samples, scrape
from support.workspace import ROOT

pytestmark = pytest.mark.peer

DASHBOARD = PACKAGE / "grafana" / "geard.json"
PROVISIONING = PACKAGE / "grafana" / "provisioning"
VARIABLES = {"$instance": ".*", "$function": ".*", "$__rate_interval": "30s"}
OF_PROMETHEUS = {"up"}


class Watched(NamedTuple):
    """A geard at work, and the Prometheus that scrapes it."""

    http_port: int
    prometheus: Prometheus


def http_port(geard: Geard) -> int:
    geard.wait_for_log("Serving HTTP")
    found = re.search(r"Serving HTTP on \S+ port (\d+)", geard.log.read_text())
    assert found is not None
    return int(found[1])


def work(port: int) -> None:
    """Have jobs done, one of which fails, and leave one that nobody does."""
    with gear.Client() as client, gear.Worker("w") as worker:
        for end in (client, worker):
            end.addServer(HOST, port)
            end.waitForServer(30)
        worker.registerFunction("resize")
        for number in range(3):
            client.submitJob(gear.Job("resize", b"%d" % number, unique=b""), background=True)
            job = worker.getJob()
            job.sendWorkFail() if not number else job.sendWorkComplete()
        client.submitJob(gear.Job("lonely", b""), background=True)


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    folder = tmp_path_factory.mktemp("watched")
    options = "--http", "0", "--queue", f"sqlite:{folder / 'jobs.db'}"
    with Geard(folder, *options) as geard:
        port = http_port(geard)
        prometheus = Prometheus(folder, configure(folder, f"{HOST}:{port}"))
        try:
            prometheus.wait_for('up{job="geard"} == 1')
            work(geard.port)
            prometheus.wait_for('geard_jobs_completed_total{function="resize"} == 2')
            prometheus.wait_for("rate(geard_loop_lag_seconds_count[30s]) > 0")
            yield Watched(port, prometheus)
        finally:
            prometheus.stop()


def expressions() -> Iterator[str]:
    """Return what the dashboard asks for, with its variables filled in."""
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        for target in panel.get("targets", ()):
            expression: str = target["expr"]
            for variable, value in VARIABLES.items():
                expression = expression.replace(variable, value)
            assert "$" not in expression
            yield expression


def metrics_in(expression: str) -> set[str]:
    """Return the names of the metrics in an expression."""
    names = set(re.findall(r"\b(?:geard|process)_\w+", expression))
    return names | (OF_PROMETHEUS & {*re.findall(r"\w+", expression)})


def test_promtool_likes_the_metrics(watched: Watched) -> None:
    promtool("check", "metrics", stdin=scrape(watched.http_port, "text/plain").body)


def test_promtool_likes_the_rules_and_the_configuration() -> None:
    promtool("check", "rules", str(FILES / "alerts.yml"))
    promtool("check", "config", str(FILES / "prometheus.yml"))


def test_alerts_fire_when_they_should() -> None:
    promtool("test", "rules", str(FILES / "alerts_test.yml"))


def test_each_alert_is_tested() -> None:
    alerts = re.findall(r"- alert: (\w+)", (FILES / "alerts.yml").read_text())
    assert len(alerts) == len({*alerts}) > 10
    text = (FILES / "alerts_test.yml").read_text()
    for alert in alerts:
        fires = rf"- alertname: {alert}\n +eval_time: \w+\n +exp_alerts:"
        assert re.search(fires, text) and f"{{alertname: {alert}, eval_time" in text, alert


def test_each_alert_is_documented() -> None:
    alerts = re.findall(r"- alert: (\w+)", (FILES / "alerts.yml").read_text())
    page = (ROOT / "docs" / "how-to" / "watch.md").read_text()
    table = page.partition("<!-- alerts: begin -->")[2].partition("<!-- alerts: end -->")[0]
    assert re.findall(r"^\| `(\w+)` \|", table, re.M) == alerts


def test_every_rule_names_metrics_that_are_there(watched: Watched) -> None:
    there = {name for name, _ in samples(scrape(watched.http_port))} | OF_PROMETHEUS
    wait_until(
        lambda: all(rule["health"] != "unknown" for rule in watched.prometheus.rules()),
        "not every rule is evaluated",
    )
    for rule in watched.prometheus.rules():
        assert rule["health"] == "ok", rule
        names = metrics_in(rule["query"])
        assert names and names <= there, (rule["name"], names - there)


def test_every_query_of_the_dashboard_finds_something(watched: Watched) -> None:
    there = {name for name, _ in samples(scrape(watched.http_port))}
    for expression in expressions():
        names = metrics_in(expression)
        assert names and names <= there, (expression, names - there)
        assert watched.prometheus.query(expression), expression


def test_an_alert_fires(watched: Watched) -> None:
    wait_until(lambda: "GeardNoWorkers" in watched.prometheus.firing(), "no alert fires")
    labels = watched.prometheus.firing()["GeardNoWorkers"]
    assert labels["function"] == "lonely" and labels["severity"] == "critical"
    assert "GeardDown" not in watched.prometheus.firing()


def test_the_variables_of_the_dashboard_are_there(watched: Watched) -> None:
    for variable in json.loads(DASHBOARD.read_text())["templating"]["list"]:
        if variable["type"] != "query":
            continue
        found = re.fullmatch(r"label_values\((\w+).*, (\w+)\)", variable["query"]["query"])
        assert found is not None
        assert watched.prometheus.query(f'{found[1]}{{{found[2]}!=""}}'), variable["name"]


# Grafana itself is not among Debian's packages: its files are looked at, not run.


class Target(msgspec.Struct):
    expr: str
    refId: str
    legendFormat: str
    datasource: dict[str, str]


class Place(msgspec.Struct, forbid_unknown_fields=True):
    h: int
    w: int
    x: int
    y: int


class Panel(msgspec.Struct):
    id: int
    type: str
    title: str
    gridPos: Place
    targets: list[Target] = []
    description: str = ""


class Dashboard(msgspec.Struct):
    title: str
    uid: str
    schemaVersion: int
    panels: list[Panel]
    templating: dict[str, list[dict[str, Any]]]


def test_the_dashboard_is_laid_out() -> None:
    dashboard = msgspec.json.decode(DASHBOARD.read_bytes(), type=Dashboard)
    assert len({panel.id for panel in dashboard.panels}) == len(dashboard.panels)
    taken: set[tuple[int, int]] = set()
    for panel in dashboard.panels:
        place = panel.gridPos
        cells = {
            (x, y)
            for x in range(place.x, place.x + place.w)
            for y in range(place.y, place.y + place.h)
        }
        assert not cells & taken and place.x + place.w <= 24, panel.title
        taken |= cells
        assert panel.type == "row" or (panel.targets and panel.description), panel.title
        assert len({target.refId for target in panel.targets}) == len(panel.targets)


class DataSource(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    type: str
    access: str
    url: str
    isDefault: bool


class DataSources(msgspec.Struct, forbid_unknown_fields=True):
    apiVersion: int
    datasources: list[DataSource]


class Provider(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    folder: str
    type: str
    options: dict[str, str]


class Providers(msgspec.Struct, forbid_unknown_fields=True):
    apiVersion: int
    providers: list[Provider]


def read(file: Path, kind: type[msgspec.Struct]) -> Any:
    return msgspec.yaml.decode(file.read_bytes(), type=kind)


def test_the_files_for_grafana_are_as_it_wants_them() -> None:
    (source,) = read(PROVISIONING / "datasources" / "prometheus.yml", DataSources).datasources
    assert (source.type, source.access) == ("prometheus", "proxy")
    (provider,) = read(PROVISIONING / "dashboards" / "geard.yml", Providers).providers
    assert provider.type == "file" and provider.options.keys() == {"path"}
