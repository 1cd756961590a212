"""``gear-admin top``, but for its terminal: what is known, sorted, filtered and drawn."""

import io

import pytest
from rich.console import Console

from gear_admin.cli.top.board import PATIENCE, WINDOW, Board, Departures, FunctionState
from gear_admin.cli.top.keys import keys_of
from gear_admin.cli.top.screen import Screen
from gear_admin.cli.top.sheet import SHEETS, View
from gear_wire.text import ConnectionStatus, FunctionActivity, FunctionStatus
from gear_wire.types import ClientID, FunctionName

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
    departures = Departures()
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
    departures = Departures()
    departures.look([activity(RESIZE, 10, 1000)], 0.0)
    departures.look([activity(RESIZE, 10, 1500)], 2.0)
    assert departures.per_second(RESIZE) == 250
    departures.look([activity(RESIZE, 10, 3)], 4.0)  # it was forgotten, and came again
    assert departures.per_second(RESIZE) == 125


def test_how_long_jobs_wait_on_any_server() -> None:
    known, view = board(), View()
    known.servers[1].answered([activity(RESIZE, 3, 0, 1500), activity(MAIL, 0, 0)], 11.0)
    assert draw(known, view).splitlines()[2].split()[-1] == "1.5"
    known.servers[0].answered([activity(RESIZE, 3, 0, 61_500)], 11.0)
    press(view, *"<<")
    shown = [line.split() for line in draw(known, view).splitlines()]
    assert shown[1][-2:] == ["oldest", "▼"]
    assert [line[-1] for line in shown[2:4]] == ["61.5", "-"]


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
        ["function", "queued", "▼", "running", "workers", "jobs/s", "oldest"],
        [r"mail.\x1b[2J", "7", "0", "0", "0.0", "-"],
        ["resize", "4", "2", "2", "0.0", "-"],
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
    assert view.column == 5
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


@pytest.mark.parametrize(("width", "columns"), [(80, 6), (60, 5), (40, 3), (25, 1), (10, 1)])
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
