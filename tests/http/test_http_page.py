"""The live page in a real browser: what it shows, how it is used, and by whom it can be."""

import contextlib
import itertools
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import gear
from gear_server.http.history import SAMPLES, History
from gear_server.settings import ServerSettings
from support.http_asking import ask
from support.page_reader import Reader

pytest.importorskip("playwright", reason="playwright is not here: the page needs a browser")

from playwright.sync_api import Locator, Page, expect

pytest_plugins = ["support.fix_browser", "support.fix_http"]
pytestmark = [pytest.mark.peer, pytest.mark.timeout(240)]

MakeReader = Callable[..., Reader]
STRANGE = "<img/src=x/onerror=alert(1)>a/b?c#d%41&e\N{SNOWMAN}"
VIEWS = ["", f"#/functions/{'x' * 200}", "#/workers", "#/connections", "#/server"]


def submit(client: gear.Client, name: str, count: int = 1) -> None:
    for _ in range(count):
        client.submitJob(gear.Job(name, b"data"), background=True)


def row(page: Page, name: str) -> Locator:
    return page.locator("tbody tr").filter(has=page.get_by_role("rowheader", name=name, exact=True))


def cell(page: Page, name: str, column: str) -> Locator:
    labels = page.get_by_role("columnheader").all_text_contents()
    return row(page, name).get_by_role("cell").nth(labels.index(column) - 1)


def names(page: Page) -> list[str]:
    return page.get_by_role("rowheader").all_text_contents()


@pytest.fixture
def busy(
    http_server: gear.Server, http_client: gear.Client, http_worker: gear.Worker
) -> Iterator[gear.Server]:
    """A server with something in each view."""
    for name, count in (("resize", 3), ("mail", 7), ("x" * 200, 2), (STRANGE, 1)):
        submit(http_client, name, count)
    http_worker.registerFunction("resize")
    http_worker.registerFunction("x" * 200)
    job = http_worker.getJob()
    job.sendWorkStatus(30, 120)
    assert http_server.waitFor(lambda: http_server.running_jobs == 1, 10)
    yield http_server
    job.sendWorkComplete()


# What it shows


def test_jobs_appear_and_end_by_events(
    reader: Reader, http_server: gear.Server, http_client: gear.Client, http_worker: gear.Worker
) -> None:
    page = reader.open(http_server.http_port)
    expect(page.get_by_text("No functions yet.")).to_be_visible()
    expect(page.get_by_role("status")).to_have_text("Live")
    submit(http_client, "resize", 3)
    expect(cell(page, "resize", "Queued")).to_have_text("3")
    expect(cell(page, "resize", "Workers")).to_have_text("0")
    row(page, "resize").evaluate("row => { row.dataset.mark = 'the same' }")
    http_worker.registerFunction("resize")
    job = http_worker.getJob()
    expect(cell(page, "resize", "Queued")).to_have_text("2")
    expect(cell(page, "resize", "Running")).to_have_text("1")
    job.sendWorkFail()
    expect(cell(page, "resize", "Failed")).to_have_text("1")
    expect(page.get_by_text("1 in a minute")).to_be_visible()
    expect(row(page, "resize")).to_have_attribute("data-mark", "the same")


def test_names_are_text_and_nothing_else(reader: Reader, busy: gear.Server) -> None:
    page = reader.open(busy.http_port)
    page.get_by_role("link", name=STRANGE, exact=True).click()
    expect(page.get_by_role("heading", level=2)).to_have_text(STRANGE)
    expect(page.get_by_role("row").filter(has_text="queued")).to_have_count(1)
    assert page.locator("main img").count() == 0
    page.go_back()
    expect(page.get_by_role("heading", name="Functions")).to_be_visible()


def test_a_function_shows_its_jobs_and_their_progress(reader: Reader, busy: gear.Server) -> None:
    page = reader.open(busy.http_port, "#/functions/resize")
    expect(page.get_by_role("progressbar", name=re.compile("of H:")).first).to_have_attribute(
        "max", "120"
    )
    running = page.get_by_role("row").filter(has_text="running")
    expect(running).to_contain_text("25 %")
    expect(running).to_contain_text("a worker")
    page.get_by_role("button", name="Queued").click()
    expect(running).to_have_count(0)
    expect(page.get_by_role("row").filter(has_text="queued")).to_have_count(2)
    expect(page).to_have_url(re.compile("state=queued"))
    page.get_by_role("button", name="Scheduled").click()
    expect(page.get_by_text("No job is scheduled.")).to_be_visible()
    page.get_by_role("link", name="Its workers").click()
    expect(page.get_by_role("row").filter(has_text="busy")).to_contain_text("resize")
    page.get_by_role("link", name="All workers").click()
    expect(page).to_have_url(re.compile("#/workers$"))


def test_workers_connections_and_the_server_are_shown(reader: Reader, busy: gear.Server) -> None:
    page = reader.open(busy.http_port, "#/workers")
    worker = page.get_by_role("row").filter(has_text="a worker")
    expect(worker).to_contain_text("busy")
    expect(worker.get_by_role("link", name="resize")).to_be_visible()
    page.get_by_role("link", name="Connections").click()
    expect(page.get_by_role("row").filter(has_text="127.0.0.1")).to_have_count(2)
    page.get_by_role("link", name="Server").click()
    expect(page.get_by_role("row", name=re.compile("^max jobs"))).to_be_visible()
    expect(page.get_by_role("row", name=re.compile("^SUBMIT_JOB_BG"))).to_contain_text("13")
    expect(page.get_by_text(gear.__version__).first).to_be_visible()


def test_a_function_that_is_not_there_is_said_to_be_missing(
    reader: Reader, http_server: gear.Server
) -> None:
    page = reader.open(http_server.http_port, "#/functions/nothing")
    expect(page.get_by_text("there is no function 'nothing'")).to_be_visible()
    reader.forgive("404")


def test_times_are_in_the_readers_zone(make_reader: MakeReader, busy: gear.Server) -> None:
    page = make_reader(timezone_id="Asia/Kolkata").open(busy.http_port)
    expect(cell(page, "mail", "Oldest").locator("time")).to_have_attribute(
        "title", re.compile(r"^since .*\d\d?:\d\d:\d\d.* \(Asia/(Kolkata|Calcutta)\)$")
    )


# How it is used


def test_functions_are_sorted_and_the_way_back_leads_back(
    reader: Reader, busy: gear.Server
) -> None:
    page = reader.open(busy.http_port)
    expect(page.get_by_role("columnheader", name="Last 5 minutes")).to_have_attribute(
        "aria-sort", "descending"
    )
    page.get_by_role("button", name="Queued").click()
    queued = page.get_by_role("columnheader", name="Queued")
    expect(queued).to_have_attribute("aria-sort", "descending")
    expect(page.get_by_role("rowheader").first).to_have_text("mail")
    page.get_by_role("button", name="Function").click()
    expect(page.get_by_role("columnheader", name="Function")).to_have_attribute(
        "aria-sort", "ascending"
    )
    expect(page.get_by_role("rowheader").last).to_have_text("x" * 200)
    assert names(page) == sorted(names(page))
    page.get_by_role("button", name="Function").click()
    expect(page.get_by_role("rowheader").first).to_have_text("x" * 200)
    page.go_back()
    page.go_back()
    expect(queued).to_have_attribute("aria-sort", "descending")


def test_a_search_keeps_the_focus_and_can_be_linked(
    make_reader: MakeReader, busy: gear.Server
) -> None:
    page = make_reader().open(busy.http_port)
    page.get_by_role("searchbox", name="Search functions").press_sequentially("RES")
    expect(page.get_by_role("rowheader")).to_have_text(["resize"])
    expect(page.get_by_role("searchbox")).to_be_focused()
    page.get_by_role("searchbox").press_sequentially("zz")
    expect(page.get_by_text("No function has “RESzz” in its name.")).to_be_visible()
    other = make_reader().open(busy.http_port, "#/functions?search=mail")
    expect(other.get_by_role("rowheader")).to_have_text(["mail"])
    expect(other.get_by_role("searchbox")).to_have_value("mail")


def test_rows_stay_where_a_pointer_is(
    reader: Reader, http_server: gear.Server, http_client: gear.Client
) -> None:
    submit(http_client, "first", 2)
    submit(http_client, "second", 1)
    page = reader.open(http_server.http_port)
    expect(page.get_by_role("rowheader")).to_have_text(["first", "second"])
    row(page, "second").get_by_role("link").focus()
    submit(http_client, "second", 5)
    expect(cell(page, "second", "Queued")).to_have_text("6")
    assert names(page) == ["first", "second"]
    expect(row(page, "second").get_by_role("link")).to_be_focused()
    page.get_by_role("searchbox").focus()
    expect(page.get_by_role("rowheader")).to_have_text(["second", "first"])


def test_all_can_be_done_by_keyboard(
    reader: Reader, http_server: gear.Server, http_client: gear.Client
) -> None:
    submit(http_client, "resize", 2)
    page = reader.open(http_server.http_port)
    expect(row(page, "resize")).to_be_visible()
    walk = []
    for _ in range(20):
        page.keyboard.press("Tab")
        walk.append(page.locator(":focus").evaluate("each => each.textContent || each.id"))
        assert page.locator(":focus").evaluate(
            "each => each.matches(':focus-visible') && getComputedStyle(each).outlineWidth"
        ) == "2px"  # fmt: skip
        if walk[-1] == "resize":
            break
    assert walk[:6] == [
        "Skip to content", "Functions", "Workers", "Connections", "Server", "search",
    ]  # fmt: skip
    assert walk[6:8] == ["Function", "Last 5 minutes"] and walk[-1] == "resize"
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="resize")).to_be_focused()
    button = page.get_by_role("button", name=re.compile("^Cancel ")).first
    expect(button).to_be_visible()
    while not button.evaluate("each => each === document.activeElement"):
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_contain_text("of resize is queued")
    expect(page.get_by_role("button", name="Keep it")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(button).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Cancel the job")).to_be_focused()
    page.keyboard.press("Enter")
    # What was said aloud may have been followed by news of the connection.
    expect(page.get_by_text(re.compile("was cancelled")).first).to_be_visible()
    assert http_server.waitFor(lambda: len(http_server.jobs) == 1, 20)


def test_the_way_to_the_content_is_short(reader: Reader, busy: gear.Server) -> None:
    page = reader.open(busy.http_port, "#/workers")
    expect(page.get_by_role("row").filter(has_text="a worker")).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.get_by_role("main")).to_be_focused()
    expect(page).to_have_url(re.compile("#/workers$"))
    page.keyboard.press("Tab")
    expect(page.get_by_role("main").get_by_role("link").first).to_be_focused()


def test_a_job_that_has_ended_meanwhile_is_not_cancelled(
    reader: Reader, busy: gear.Server, http_client: gear.Client
) -> None:
    page = reader.open(busy.http_port, "#/functions/mail")
    page.get_by_role("button", name=re.compile("^Cancel ")).first.click()
    dialog = page.get_by_role("dialog")
    handle = re.match(r"\S+", dialog.locator("p").first.inner_text())
    assert handle is not None
    with gear.AdminClient("127.0.0.1", busy.port) as admin:
        admin.cancelJob(handle[0])
    page.get_by_role("button", name="Cancel the job").click()
    expect(page.get_by_role("status")).to_have_text(
        re.compile("was not cancelled: there is no job")
    )
    expect(page.get_by_text("was not cancelled").first).to_be_in_viewport()
    reader.forgive("404")


# How the connection is


def test_the_page_asks_for_a_token_and_keeps_it(reader: Reader, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("sesame-42\n")
    token.chmod(0o600)
    settings = ServerSettings(http="0", http_token_file=str(token))
    with gear.Server(0, host="127.0.0.1", settings=settings) as server:
        page = reader.open(server.http_port)
        field = page.get_by_role("textbox", name="Token")
        expect(field).to_be_focused()
        page.keyboard.press("Escape")
        expect(page.get_by_text("This server shows itself to those")).to_be_visible()
        page.get_by_role("button", name="Try now").click()
        field.fill("sesame-41")
        page.keyboard.press("Enter")
        expect(page.get_by_text("That is not its token.")).to_be_visible()
        expect(field).to_have_value("")
        field.fill("sesame-42")
        page.get_by_role("button", name="Continue").click()
        expect(page.get_by_text("No functions yet.")).to_be_visible()
        page.reload()
        expect(page.get_by_text("No functions yet.")).to_be_visible()
        reader.forgive("401")
    assert not [request for request in reader.requests if "sesame" in request]


def test_who_has_no_right_is_told_so(reader: Reader) -> None:
    acl = gear.ACL()
    acl.add(gear.ACLEntry("CN=somebody"))
    server = gear.Server(0, host="127.0.0.1", settings=ServerSettings(http="0"), acl=acl)
    with server:
        page = reader.open(server.http_port)
        expect(page.get_by_text("This server does not let you look at it")).to_be_visible()
        expect(page.get_by_role("main")).to_be_hidden()
        page.get_by_role("button", name="Try now").click()
        expect(page.get_by_text("This server does not let you look at it")).to_be_visible()
        reader.forgive("403")


@contextlib.contextmanager
def serving(http: str) -> Iterator[gear.Server]:
    with gear.Server(0, host="127.0.0.1", settings=ServerSettings(http=http)) as server:
        yield server


def test_a_lost_server_is_said_to_be_lost_and_found_again(reader: Reader) -> None:
    with serving("0") as server:
        port = server.http_port
        page = reader.open(port)
        with gear.Client() as client:
            client.addServer("127.0.0.1", server.port)
            client.waitForServer()
            submit(client, "resize", 2)
            expect(cell(page, "resize", "Queued")).to_have_text("2")
    expect(page.get_by_role("status")).to_have_text("Disconnected")
    expect(page).to_have_title(re.compile("^▲ Functions"))
    banner = page.locator("#banner")
    expect(banner).to_contain_text(re.compile(r"No news for \d+ s: these numbers are old"))
    expect(banner).to_contain_text(re.compile(r"Next try in \d+ s|Trying"))
    expect(cell(page, "resize", "Queued")).to_have_text("2")
    with serving(f"127.0.0.1:{port}"):
        page.get_by_role("button", name="Try now").click()
        expect(page.get_by_role("status")).to_have_text("Live")
        expect(banner).to_be_hidden()
        expect(page).to_have_title(re.compile("^Functions"))
        expect(page.get_by_text("No functions yet.")).to_be_visible()
    expect(page.get_by_role("status")).to_have_text("Disconnected")
    with serving(f"127.0.0.1:{port}"):
        expect(page.get_by_role("status")).to_have_text("Live")  # without being asked to
        page.goto("about:blank")
    assert all("ERR_" in each for each in reader.complaints)
    reader.complaints.clear()


# How much it takes


def test_ten_thousand_functions_are_as_many_pages(
    reader: Reader, http_server: gear.Server, http_worker: gear.Worker, http_client: gear.Client
) -> None:
    for number in range(10_000):
        http_worker.registerFunction(f"function-{number:05}")
    assert http_server.waitFor(lambda: len(http_server.functions) == 10_000, 60)
    page = reader.open(http_server.http_port)
    expect(page.locator(".total")).to_have_text("10,000")
    expect(page.get_by_role("rowheader")).to_have_count(25)
    submit(http_client, "function-07777", 3)
    expect(page.get_by_role("rowheader").first).to_have_text("function-07777")
    page.get_by_role("button", name="Function").click()
    page.get_by_role("button", name="Next").click()
    expect(page.get_by_role("rowheader").first).to_have_text("function-00025")
    expect(page.get_by_text("26\N{EN DASH}50 of 10,000")).to_be_visible()
    page.get_by_role("searchbox").fill("-0999")
    expect(page.get_by_role("rowheader")).to_have_text([f"function-0999{n}" for n in range(10)])


def test_a_fresh_load_is_small(
    reader: Reader,
    busy: gear.Server,
    http_client: gear.Client,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(History, "listed", lambda self, function: [123] * SAMPLES)
    for number in range(30):
        submit(http_client, f"a-function-of-the-shop-{number}")
    devtools = reader.page.context.new_cdp_session(reader.page)
    sizes: dict[str, int] = {}
    devtools.on(
        "Network.loadingFinished",
        lambda event: sizes.update({event["requestId"]: event["encodedDataLength"]}),
    )
    devtools.send("Network.enable")
    page = reader.open(busy.http_port)
    expect(page.get_by_role("rowheader")).to_have_count(25)
    page.wait_for_load_state("load")
    files = sum(sizes.values())
    # The stream brings these two each second: here is what the first time takes.
    asked = ("functions?sort=-activity&size=25", "server")
    events = sum(len(ask(busy.http_port, f"/api/v1/{path}").body) for path in asked)
    assert len(sizes) >= 18 and files > 20_000 and files + events < 60_000, (files, events)


# By whom it can be used


@pytest.mark.parametrize("width", [360, 768, 1280, 2560])
def test_no_view_is_wider_than_the_window(
    make_reader: MakeReader, busy: gear.Server, width: int
) -> None:
    page = make_reader(viewport={"width": width, "height": 800}).open(busy.http_port)
    for view in VIEWS:
        page.goto(f"http://127.0.0.1:{busy.http_port}/{view}")
        expect(page.locator("main :is(tbody tr, .facts)").first).to_be_visible()
        outside = page.evaluate(
            """() => [...document.querySelectorAll("main *")]
              .filter((each) => each.getClientRects().length)
              .filter((each) => each.getBoundingClientRect().right > innerWidth + 1)
              .filter((each) => !each.closest(".name, .abilities, .worker, .work"))
              .map((each) => each.outerHTML.slice(0, 80))"""
        )
        assert not outside, f"{view[:20]}: {outside}"
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), view[:20]


CONTRAST = """() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data].map((part) => part / 255);
  };
  const over = (top, bottom) => bottom.map((part, i) => top[3] * top[i] + (1 - top[3]) * part);
  const linear = (part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
  const light = (colour) => {
    const [red, green, blue] = colour.map(linear);
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const behind = (element) => {
    const layers = [];
    for (let each = element; each; each = each.parentElement) {
      layers.push(rgba(getComputedStyle(each).backgroundColor));
    }
    return layers.reverse().reduce((bottom, top) => over(top, bottom), [1, 1, 1]);
  };
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const poor = [];
  let seen = 0;
  while (texts.nextNode()) {
    const element = texts.currentNode.parentElement;
    const text = texts.currentNode.textContent.trim();
    if (!text || !element.checkVisibility() || element.closest(".unseen, .skip, :disabled")) {
      continue;
    }
    seen += 1;
    const ground = behind(element);
    const ink = over(rgba(getComputedStyle(element).color), ground);
    const [more, less] = [light(ink), light(ground)].sort((one, other) => other - one);
    const contrast = (more + 0.05) / (less + 0.05);
    if (contrast < 4.5) poor.push(`${text.slice(0, 30)}: ${contrast.toFixed(2)}`);
  }
  return { seen, poor };
}"""


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_stands_out_in_both_themes(
    make_reader: MakeReader, busy: gear.Server, theme: str
) -> None:
    reader = make_reader(viewport={"width": 1280, "height": 800}, color_scheme=theme)
    grounds = set()
    for view in VIEWS:
        page = reader.open(busy.http_port, view)
        expect(page.locator("main :is(tbody tr, .facts)").first).to_be_visible()
        found = page.evaluate(CONTRAST)
        assert found["seen"] > 30 and not found["poor"], found
        grounds.add(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    (ground,) = grounds
    assert (max(map(int, re.findall(r"\d+", ground))) > 128) == (theme == "light")


NAMED = {
    "button", "link", "textbox", "searchbox", "meter", "progressbar", "image", "table",
    "columnheader", "rowheader", "dialog", "navigation", "region",
}  # fmt: skip


@pytest.mark.parametrize("view", VIEWS)
def test_everything_has_a_name_and_a_place(reader: Reader, busy: gear.Server, view: str) -> None:
    page = reader.open(busy.http_port, view)
    expect(page.locator("main :is(tbody tr, .facts)").first).to_be_visible()
    devtools = page.context.new_cdp_session(page)
    nodes: list[dict[str, Any]] = devtools.send("Accessibility.getFullAXTree")["nodes"]
    told = [node for node in nodes if not node["ignored"]]
    roles = {node["role"]["value"] for node in told}
    assert {"banner", "navigation", "main", "region", "status", "heading", "table"} <= roles
    nameless = [
        node["role"]["value"]
        for node in told
        if node["role"]["value"] in NAMED and not node.get("name", {}).get("value", "").strip()
    ]
    assert not nameless
    levels = [
        each["value"]["value"]
        for node in told
        if node["role"]["value"] == "heading"
        for each in node["properties"]
        if each["name"] == "level"
    ]
    assert levels[:2] == [1, 2] and all(b <= a + 1 for a, b in itertools.pairwise(levels))
    assert page.locator("html").get_attribute("lang") == "en"
    for table in page.get_by_role("table").all():
        columns = table.get_by_role("columnheader").count()
        first = table.locator("tbody tr").first
        assert first.get_by_role("rowheader").count() == 1
        assert first.get_by_role("cell").count() == columns - 1


def test_only_changes_of_state_are_said_aloud(reader: Reader, busy: gear.Server) -> None:
    page = reader.open(busy.http_port)
    expect(page.get_by_role("status")).to_have_text("Live")
    assert page.locator("[aria-live], [role=status], [role=alert]").count() == 1


def test_what_is_there_does_not_move_when_numbers_come(reader: Reader, busy: gear.Server) -> None:
    page = reader.page
    page.add_init_script(
        """new PerformanceObserver((list) => {
          for (const shift of list.getEntries()) {
            window.shifted = (window.shifted ?? 0) + shift.value;
          }
        }).observe({ type: "layout-shift", buffered: true });"""
    )
    reader.open(busy.http_port)
    expect(row(page, "resize")).to_be_visible()
    expect(cell(page, "mail", "Oldest")).to_have_text(re.compile(r"[3-9] s|\d\d s"))
    assert page.evaluate("window.shifted ?? 0") < 0.02
