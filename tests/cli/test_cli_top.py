"""``gear-admin top``, but for its terminal: what is known, sorted, filtered and drawn."""

import asyncio
import contextlib
import io

import msgspec
import pytest
from rich.console import Console

from gear_admin.cli.top.board import (
    PATIENCE,
    WINDOW,
    Board,
    Departures,
    FunctionState,
    ServerState,
)
from gear_admin.cli.top.keys import keys_of
from gear_admin.cli.top.live import Watch
from gear_admin.cli.top.screen import Screen
from gear_admin.cli.top.sheet import SHEETS, View
from gear_wire.link.address import ServerAddress
from gear_wire.text import ConnectionStatus, FunctionActivity, FunctionCounters, FunctionStatus
from gear_wire.types import ClientID, FunctionName
from support.scripted_server import Peer, scripted_server

REPLIES = {
    b"version": b"OK 1.0\n",
    b"status": b"resize\t3\t1\t2\n.\n",
    b"show functions": b"resize\t3\t1\t2\t98\t1500\n.\n",
    b"show counters": b"resize\tqueued_low=2\trunning=1\tworkers=2\toldest_ms=1500"
    b"\tcompleted=95\tfailed=3\texhausted=1\n.\n",
}
RESIZE, MAIL = FunctionName(b"resize"), FunctionName(b"mail.\x1b[2J")


def status(name: FunctionName, total: int, running: int = 0, workers: int = 1) -> FunctionState:
    """A function of a gearmand."""
    return FunctionState.of(FunctionStatus(name, total, running, workers))


def activity(name: FunctionName, total: int, ended: int, waiting: int = 0) -> FunctionState:
    """A function of a geard."""
    return FunctionState.of(FunctionActivity(name, total, 0, 1, ended, waiting))


def board() -> Board:
    board = Board(["one:4730", "two:4730"])
    for server, mails in zip(board.servers, (0, 7), strict=True):
        server.connected("1.0.0")
        server.asked = 9.99
        server.answered([status(RESIZE, 3, 1), status(MAIL, mails, 0, 0)], 10.0)
        server.workers = [
            ConnectionStatus(7, "10.0.0.1", ClientID(b"\xffme"), (RESIZE,)),
        ]
    return board


def draw(board: Board, view: View, width: int = 80, height: int = 24, now: float = 10.0) -> str:
    console = Console(
        file=io.StringIO(), width=width, height=height, force_terminal=True, color_system=None
    )
    lines = Screen(console, board, view).lines(now)
    assert len(lines) == height
    return "\n".join(line.rstrip() for line in lines)


def press(view: View, *keys: str) -> None:
    for key in keys:
        view.press(key, 10)


def test_jobs_that_were_seen_to_leave() -> None:
    departures = Departures(FunctionState.ended_since)
    assert departures.per_second(RESIZE) == 0
    departures.look([status(RESIZE, 10)], 0.0)
    assert departures.per_second(RESIZE) == 0
    departures.look([status(RESIZE, 4)], 1.0)
    assert departures.per_second(RESIZE) == 6
    departures.look([status(RESIZE, 9)], 2.0)
    assert departures.per_second(RESIZE) == 3
    departures.look([], 4.0)  # forgotten by the server
    assert departures.per_second(RESIZE) == 15 / 4
    departures.look([], 4.0 + WINDOW)
    assert departures.per_second(RESIZE) == 0


def test_jobs_that_a_server_counts() -> None:
    departures = Departures(FunctionState.ended_since)
    departures.look([activity(RESIZE, 10, 1000)], 0.0)
    departures.look([activity(RESIZE, 10, 1500)], 2.0)
    assert departures.per_second(RESIZE) == 250
    departures.look([activity(RESIZE, 10, 3)], 4.0)  # it was forgotten, and came again
    assert departures.per_second(RESIZE) == 125


def test_how_long_jobs_wait_on_any_server() -> None:
    known, view = board(), View()
    known.servers[1].answered([activity(RESIZE, 3, 0, 1500), activity(MAIL, 0, 0)], 11.0)
    assert draw(known, view).splitlines()[2].split()[-2] == "1.5"
    known.servers[0].answered([activity(RESIZE, 3, 0, 61_500)], 11.0)
    press(view, *"<<<")
    shown = [line.split() for line in draw(known, view).splitlines()]
    assert shown[1][-3:-1] == ["oldest", "▼"]
    assert [line[-2] for line in shown[2:4]] == ["61.5", "-"]


def test_failures_where_a_server_counts_them() -> None:
    known, view = board(), View()
    server = known.servers[0]
    counted = FunctionCounters(
        RESIZE, queued_high=1, queued_low=2, scheduled=3, aside=4, running=5, workers=6,
        oldest_ms=2500, completed=10, failed=20, exhausted=30, cancelled=40, abandoned=50, moved=60,
    )  # fmt: skip
    state = FunctionState.of(counted)
    assert state == FunctionState(RESIZE, 15, 5, 6, 210, 2.5, 50)
    server.answered([state], 20.0)
    later = msgspec.structs.replace(counted, failed=24, exhausted=31, completed=15)
    server.answered([FunctionState.of(later)], 22.0)
    row = next(line for line in draw(known, view).splitlines() if line.startswith("resize"))
    assert row.split()[-3:] == ["2.0", "2.5", "1.0"]
    assert FunctionState.of(FunctionCounters(RESIZE, scheduled=1)).waiting is None
    server.lost("Connection refused")
    assert server.failures(RESIZE) == 0


@pytest.mark.parametrize(
    ("known", "state"),
    [
        ([b"show counters", b"show functions"], FunctionState(RESIZE, 3, 1, 2, 99, 1.5, 4)),
        ([b"show functions"], FunctionState(RESIZE, 3, 1, 2, 98, 1.5)),
        ([], FunctionState(RESIZE, 3, 1, 2)),
    ],
    ids=["counters", "functions", "status"],
)
def test_a_server_tells_what_it_can(known: list[bytes], state: FunctionState) -> None:
    def answer(peer: Peer, message: object) -> None:
        assert isinstance(message, bytes)
        line = message.rstrip(b"\n")
        refusal = b"ERR UNKNOWN_SHOW_ARGUMENTS\r\n"
        peer.sock.sendall(refusal if line not in (b"version", b"status", *known) else REPLIES[line])

    seen = ServerState("one")

    async def look(port: int) -> None:
        address = ServerAddress("127.0.0.1", port)
        watch = Watch(address, seen, 20.0, 1.0, lambda: False, lambda: None)
        async with asyncio.timeout(20):
            task = asyncio.create_task(watch.run())
            while not seen.functions:
                await asyncio.sleep(0.01)
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    with scripted_server(answer) as server:
        asyncio.run(look(server.port))
    assert list(seen.functions) == [state]


def test_a_server_that_is_silent_and_one_that_goes() -> None:
    server, _ = board().servers
    assert server.trouble(10.0) == ""
    assert server.seconds == pytest.approx(0.01)
    server.asked = 10.0
    assert server.trouble(10.0 + PATIENCE) == ""
    assert server.trouble(14.0) == "no answer for 4 s"
    server.lost("Connection refused")
    assert server.trouble(14.0) == "gone: Connection refused"
    assert not server.functions
    assert not server.workers
    server.connected("1.0.1")
    assert (server.trouble(14.0), server.version) == ("", "1.0.1")


@pytest.mark.parametrize("width", [80, 140])
def test_functions_of_all_servers_together(width: int) -> None:
    shown = [line.split() for line in draw(board(), View(), width).splitlines()]
    assert shown[0][1:] == ["2", "servers", "queued", "11", "running", "2", "jobs/s", "0.0"]
    assert shown[1:4] == [
        ["function", "queued", "▼", "running", "workers", "jobs/s", "oldest", "failed/s"],
        [r"mail.\x1b[2J", "7", "0", "0", "0.0", "-", "-"],
        ["resize", "4", "2", "2", "0.0", "-", "-"],
    ]
    assert shown[-1][:2] == ["q", "quit"]


def test_workers_and_servers() -> None:
    known, view = board(), View()
    press(view, "w")
    assert draw(known, view).splitlines()[2].split() == [
        "one:4730",
        "10.0.0.1",
        r"\xffme",
        "resize",
    ]
    press(view, "tab")
    known.servers[1].lost("Connection refused")
    lines = draw(known, view, 140).splitlines()
    assert "2 servers, 1 in trouble" in lines[0]
    assert lines[1] == "two:4730  gone: Connection refused"
    assert lines[3].split() == ["one:4730", "ok", "1.0.0", "2", "1", "0.0", "10.0"]
    assert lines[4].startswith("two:4730  gone: Connection refused")
    press(view, "tab")
    assert view.sheet is SHEETS[0]
    press(view, "s", "f")
    assert view.sheet is SHEETS[0]


def test_sorting() -> None:
    known, view = board(), View()

    def first() -> object:
        return view.rows(known, 10.0, 1)[0][0].cells[0]

    assert first() == r"mail.\x1b[2J"
    press(view, "r")
    assert first() == "resize"
    press(view, "right")
    assert (view.column, view.reverse, first()) == (2, False, "resize")
    press(view, "left", "<")
    assert (view.column, first()) == (0, r"mail.\x1b[2J")
    assert "function ▲" in draw(known, view)
    press(view, "r")
    assert first() == "resize"
    press(view, "<")
    assert view.column == 6
    press(view, ">")
    assert view.column == 0


def test_filtering() -> None:
    known, view = board(), View()
    press(view, "/", "R", "e", "x", "backspace", "q")
    assert "filter: Req" in draw(known, view)
    assert view.rows(known, 10.0, 9) == ([], 0)
    press(view, "backspace", "page down", "enter")
    assert [row.cells[0] for row in view.rows(known, 10.0, 9)[0]] == ["resize"]
    assert draw(known, view).splitlines()[-1].startswith("only Re  q quit")
    press(view, "/", "x", "escape")
    assert view.rows(known, 10.0, 9)[1] == 2
    press(view, "/", "x", "enter", "escape")
    assert view.rows(known, 10.0, 9)[1] == 2


def test_scrolling() -> None:
    known, view = board(), View()
    names = [FunctionName(b"f%03d" % number) for number in range(100)]
    known.servers[0].answered([status(name, 1) for name in names], 11.0)
    known.servers[1].lost("gone")
    shown = draw(known, view, now=11.0).splitlines()
    assert shown[3].startswith("f000")
    assert shown[-2].startswith("f019")
    assert shown[-1].startswith("1-20 of 100")

    def first(*keys: str) -> str:
        for key in keys:
            view.press(key, 20)
        return draw(known, view, now=11.0).splitlines()[3].split()[0]

    assert first("down", "j") == "f002"
    assert first("up") == "f001"
    assert first(" ") == "f021"
    assert first("end") == "f080"
    assert first("page up") == "f060"
    assert first("home", "k") == "f000"


@pytest.mark.parametrize(
    ("width", "columns"), [(80, 7), (79, 6), (60, 5), (40, 3), (25, 1), (10, 1)]
)
def test_a_narrow_terminal_leaves_out_columns(width: int, columns: int) -> None:
    lines = draw(board(), View(), width).splitlines()
    assert len(lines[1].replace("▼", "").split()) == columns
    assert lines[3].split()[0] == "resize"


def test_help_and_the_end() -> None:
    known, view = board(), View()
    press(view, "?")
    shown = draw(known, view)
    assert "sort the other way round" in shown
    assert "resize" not in shown
    press(view, "escape")
    assert "resize" in draw(known, view)
    press(view, "x")
    assert not view.ended
    press(view, "q")
    assert view.ended


@pytest.mark.parametrize("size", [(20, 3), (1, 1), (40, 10), (300, 100)])
def test_any_size_is_filled(size: tuple[int, int]) -> None:
    known = board()
    for server in known.servers:
        server.lost("Connection refused")
    for key in "fws?":
        view = View()
        press(view, key)
        draw(known, view, *size)


def test_keys() -> None:
    data = b"q\t\r\n\x7f\x1b[A\x1bOB\x1b[5~\x1b[1;5C\xc3\xa9\x01\xff/"
    keys = ["q", "tab", "enter", "enter", "backspace", "up", "down", "page up", "é", "/"]
    assert list(keys_of(data)) == keys
    assert list(keys_of(b"\x1b")) == ["escape"]
