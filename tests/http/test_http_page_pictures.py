"""Pictures of the live page, for the documents: `hatch run pictures` takes them anew.

Jobs and workers in them are real; how many jobs ended in the last minutes is invented, since nobody
wants to wait for that.
"""

import math
import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import gear
from gear_server.engine.state import Function
from gear_server.http.history import PERIOD, SAMPLES, History
from gear_server.settings import ServerSettings
from support.page_reader import Reader

pytest.importorskip("playwright", reason="playwright is not here: the page needs a browser")

from playwright.sync_api import Page, expect

pytest_plugins = ["support.fix_browser"]
pytestmark = [pytest.mark.peer, pytest.mark.timeout(240)]

DOCUMENTS = Path(__file__).parents[2] / "docs" / "_static"
LARGEST = 150_000
# Of each function: jobs a second, workers, jobs that run, jobs that wait, of them failed so far.
FUNCTIONS = {
    "resize_image": (41, 6, 4, 12, 0),
    "send_mail": (18, 4, 2, 0, 31),
    "index_document": (63, 4, 4, 148, 0),
    "charge_card": (2.4, 3, 1, 0, 2),
    "transcode_video": (0.3, 3, 3, 27, 0),
    "push_notification": (96, 5, 1, 0, 0),
    "render_pdf": (5.5, 2, 2, 9, 0),
    "import_products": (0, 0, 0, 310, 0),
    "geo_lookup": (12, 2, 0, 0, 0),
    "export_csv": (0.8, 1, 0, 0, 1),
    "fraud_score": (7.2, 2, 1, 0, 0),
    "daily_report": (0.1, 1, 0, 0, 0),
}


def invented(function: Function | None) -> list[int]:
    """Return how many jobs of a function ended in each sample."""
    if function is None:
        return [sum(each) for each in zip(*map(_invented, FUNCTIONS), strict=True)]
    return _invented(function.name.decode())


def _invented(name: str) -> list[int]:
    chance = random.Random(name)
    rate, *_ = FUNCTIONS[name]
    phase = chance.uniform(0, 6)
    waves = (1 + 0.45 * math.sin(place / 9 + phase) for place in range(SAMPLES))
    return [max(0, round(PERIOD * rate * wave * chance.uniform(0.8, 1.2))) for wave in waves]


@pytest.fixture
def at_work(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[gear.Server]:
    """A server in the middle of its day."""
    monkeypatch.setattr(History, "listed", lambda self, function: invented(function))
    monkeypatch.setattr(History, "rate", lambda self, function: invented(function)[-1] / PERIOD)
    settings = ServerSettings(http="0", queue=f"sqlite:{tmp_path / 'jobs.db'}", cancel_running=True)
    with gear.Server(0, host="127.0.0.1", settings=settings) as server:
        with gear.Client() as client:
            client.addServer("127.0.0.1", server.port)
            client.waitForServer()
            workers = list(_staff(server, client))
            _pretend_to_be_old(server)
            yield server
            for worker in workers:
                worker.shutdown()


def _staff(server: gear.Server, client: gear.Client) -> Iterator[gear.Worker]:
    for name, (_, workers, running, queued, failed) in FUNCTIONS.items():
        for number in range(workers):
            worker = gear.Worker(f"{name.split('_')[-1]}-{number + 1}")
            worker.addServer("127.0.0.1", server.port)
            worker.waitForServer()
            worker.registerFunction(name)
            for _ in range(failed if number == 0 else 0):
                client.submitJob(gear.Job(name, b"", unique=b""), background=True)
                worker.getJob().sendWorkFail()
            if number < running:
                client.submitJob(gear.Job(name, b"x" * 900, unique=b""), background=True)
                job = worker.getJob()
                job.sendWorkStatus(17 + 23 * number, 100)
            yield worker
        for number in range(queued):
            precedence = [gear.PRECEDENCE_NORMAL, gear.PRECEDENCE_HIGH][number % 5 == 0]
            client.submitJob(
                gear.Job(name, b"x" * (number * 97 % 4000), unique=b""),
                background=True, precedence=precedence,
            )  # fmt: skip


def _pretend_to_be_old(server: gear.Server) -> None:
    """Let jobs have waited and run for a while, and others have ended before them."""
    chance = random.Random("ages")
    with server.lock:
        for place, job in enumerate(server.jobs.values()):
            job.queued_at -= chance.uniform(0, 240 - 240 * place / len(server.jobs))
            job.started_at -= chance.uniform(1, 20)
        for function in {job.function for job in server.jobs.values()}:
            rate, *_ = FUNCTIONS[function.name.decode()]
            tally, ended = function.tally, round(rate * 3600 * 7.3)
            tally.ended += ended
            tally.waited[0] += ended
            tally.waiting_time += ended * chance.uniform(0.005, 3)
            tally.ran[0] += ended
            tally.running_time += ended * chance.uniform(0.01, 0.9)


def take(page: Page, name: str) -> None:
    picture = page.screenshot(animations="disabled")
    assert 10_000 < len(picture) < LARGEST, f"{name} has {len(picture)} bytes"
    if "GEAR_PICTURES" in os.environ:
        (DOCUMENTS / f"page-{name}.png").write_bytes(picture)


def test_pictures_are_taken(make_reader: Callable[..., Reader], at_work: gear.Server) -> None:
    port = at_work.http_port
    desk = {"width": 1120, "height": 640}
    for theme in ("light", "dark"):
        reader = make_reader(viewport=desk, color_scheme=theme, timezone_id="Europe/Berlin")
        page = reader.open(port)
        expect(page.get_by_role("rowheader")).to_have_count(len(FUNCTIONS))
        take(page, f"functions-{theme}")
        page.get_by_role("link", name="render_pdf").click()
        page.set_viewport_size({"width": 1120, "height": 900})
        expect(page.get_by_role("rowheader")).to_have_count(11)
        take(page, f"function-{theme}")
    page.set_viewport_size({"width": 1120, "height": 640})
    page.get_by_role("link", name="Workers", exact=True).click()
    expect(page.get_by_role("rowheader").first).to_be_visible()
    take(page, "workers-dark")
    page = make_reader(viewport=desk).open(port, "#/server")
    expect(page.get_by_role("rowheader").first).to_be_visible()
    take(page, "server-light")
    for theme in ("light", "dark"):
        reader = make_reader(viewport={"width": 360, "height": 720}, color_scheme=theme)
        page = reader.open(port)
        expect(page.get_by_role("rowheader")).to_have_count(len(FUNCTIONS))
        take(page, f"narrow-{theme}")


def test_pictures_of_what_goes_wrong_are_taken(
    make_reader: Callable[..., Reader], at_work: gear.Server, tmp_path: Path
) -> None:
    low = {"width": 1120, "height": 420}
    reader = make_reader(viewport=low)
    page = reader.open(at_work.http_port)
    expect(page.get_by_role("rowheader")).to_have_count(len(FUNCTIONS))
    at_work.shutdown()
    expect(page.locator("#banner")).to_contain_text("No news for 4 s")
    take(page, "lost-light")
    page.goto("about:blank")
    assert all("ERR_" in each for each in reader.complaints)
    reader.complaints.clear()
    token = tmp_path / "token"
    token.write_text("sesame-42\n")
    token.chmod(0o600)
    settings = ServerSettings(http="0", http_token_file=str(token))
    with gear.Server(0, host="127.0.0.1", settings=settings) as server:
        reader = make_reader(viewport=low, color_scheme="dark")
        page = reader.open(server.http_port)
        expect(page.get_by_role("textbox", name="Token")).to_be_focused()
        take(page, "token-dark")
        reader.forgive("401")
