"""The tables that can be shown, and how one of them is sorted, filtered and scrolled; pure."""

from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from gear_admin.cli.top.board import Board, Totals
from gear_wire.cli.output import printable

Cell = str | int | float | None


class Column(msgspec.Struct, frozen=True):
    """A column of a table.

    Attributes:
        name: What its head says.
        text: Whether it holds text, which is sorted upwards first; numbers are sorted downwards.
        wide: Whether it has all the room that the others leave.
    """

    name: str
    text: bool = False
    wide: bool = False


class Row(msgspec.Struct, frozen=True):
    """A row of a table.

    Attributes:
        cells: A cell for each column.
        style: How rich is to show it.
    """

    cells: tuple[Cell, ...]
    style: str = ""


class Sheet(msgspec.Struct, frozen=True):
    """A table.

    Attributes:
        name: What it is about.
        columns: Its columns.
        rows: Makes its rows; the time is that of the monotonic clock.
        first: The column by which it is sorted at first.
    """

    name: str
    columns: tuple[Column, ...]
    rows: Callable[[Board, float], list[Row]]
    first: int


_NEGLECTED: Final = "bold red"
_IDLE: Final = "dim"


def _functions(board: Board, now: float) -> list[Row]:
    return [
        Row(
            (
                printable(name),
                row.queued,
                row.running,
                row.workers,
                row.per_second,
                row.waiting,
                row.failures,
            ),
            _style(row),
        )
        for name, row in board.functions().items()
    ]


def _style(row: Totals) -> str:
    if row.queued and not row.workers:
        return _NEGLECTED
    return "" if row.queued or row.running or row.per_second else _IDLE


def _workers(board: Board, now: float) -> list[Row]:
    return [
        Row((server.name, row.address, printable(row.client_id), printable(row.functions)))
        for server in board.servers
        for row in server.workers
    ]


def _servers(board: Board, now: float) -> list[Row]:
    rows = []
    for server in board.servers:
        sums = server.totals()
        trouble = server.trouble(now)
        cells = (
            server.name, trouble or "ok", server.version, sums.queued,
            sums.running, sums.per_second, server.seconds * 1000,
        )  # fmt: skip
        rows.append(Row(cells, _NEGLECTED if trouble else ""))
    return rows


SHEETS: Final = (
    Sheet(
        "functions",
        (
            Column("function", text=True, wide=True), Column("queued"), Column("running"),
            Column("workers"), Column("jobs/s"), Column("oldest"), Column("failed/s"),
        ),
        _functions,
        1,
    ),
    Sheet(
        "workers",
        (
            Column("server", text=True), Column("address", text=True),
            Column("client id", text=True), Column("functions", text=True, wide=True),
        ),
        _workers,
        2,
    ),
    Sheet(
        "servers",
        (
            Column("server", text=True), Column("state", text=True, wide=True),
            Column("version", text=True), Column("queued"),
            Column("running"), Column("jobs/s"), Column("ms"),
        ),
        _servers,
        0,
    ),
)  # fmt: skip


class View:
    """What a person looks at, and what the keys change.

    Attributes:
        sheet: The table that is shown.
        column: The column by which it is sorted.
        reverse: Whether it is sorted the other way round.
        filter: Text that a row must contain.
        typing: Whether that text is being typed.
        help: Whether the keys are explained.
        ended: Whether it is over.
        top: How many rows are scrolled away.
    """

    def __init__(self) -> None:
        self.filter: str = ""
        self.typing: bool = False
        self.help: bool = False
        self.ended: bool = False
        self._show(SHEETS[0])

    def _show(self, sheet: Sheet) -> None:
        self.sheet: Sheet = sheet
        self.column: int = sheet.first
        self.reverse: bool = False
        self.top: int = 0

    def rows(self, board: Board, now: float, room: int) -> tuple[list[Row], int]:
        """Return the rows that fit on the screen, and how many there are.

        Args:
            board: What is known.
            now: The time.
            room: How many rows fit.
        """
        wanted = self.filter.casefold()
        found = [
            row
            for row in self.sheet.rows(board, now)
            if any(wanted in cell.casefold() for cell in row.cells if isinstance(cell, str))
        ]
        # Equal ones are in the order of their names.
        found.sort(key=lambda row: str(row.cells[0]))
        downwards = self.reverse is self.sheet.columns[self.column].text
        found.sort(key=self._rank, reverse=downwards)
        self.top = max(0, min(self.top, len(found) - room))
        return found[self.top : self.top + room], len(found)

    def _rank(self, row: Row) -> tuple[bool, Cell]:
        cell = row.cells[self.column]
        return cell is not None, cell

    def press(self, key: str, room: int) -> None:
        """Do what a key does.

        Args:
            key: A character, or the name of a key.
            room: How many rows fit on the screen.
        """
        if self.typing:
            self._type(key)
        elif key in _SCROLLS:
            self.top = max(0, self.top + _SCROLLS[key](room))
        elif key in _KEYS:
            _KEYS[key](self)

    def _type(self, key: str) -> None:
        if key in ("enter", "escape"):
            self.typing = False
            self.filter = self.filter if key == "enter" else ""
        elif key == "backspace":
            self.filter = self.filter[:-1]
        elif len(key) == 1:
            self.filter += key
        self.top = 0

    def _sort_by(self, step: int) -> None:
        self.column = (self.column + step) % len(self.sheet.columns)
        self.reverse = False

    def _next_sheet(self) -> None:
        self._show(SHEETS[(SHEETS.index(self.sheet) + 1) % len(SHEETS)])

    def _turn_round(self) -> None:
        self.reverse = not self.reverse

    def _begin_typing(self) -> None:
        self.typing = True

    def _leave(self) -> None:
        if self.help:
            self.help = False
        else:
            self.filter = ""

    def _explain(self) -> None:
        self.help = not self.help

    def _quit(self) -> None:
        self.ended = True


_SCROLLS: Final[dict[str, Callable[[int], int]]] = {
    "up": lambda room: -1,
    "k": lambda room: -1,
    "down": lambda room: 1,
    "j": lambda room: 1,
    "page up": lambda room: -room,
    "page down": lambda room: room,
    " ": lambda room: room,
    "home": lambda room: -(10**9),
    "end": lambda room: 10**9,
}
_KEYS: Final[dict[str, Callable[[View], None]]] = {
    "q": View._quit,
    "tab": View._next_sheet,
    "f": lambda view: view._show(SHEETS[0]),
    "w": lambda view: view._show(SHEETS[1]),
    "s": lambda view: view._show(SHEETS[2]),
    "right": lambda view: view._sort_by(1),
    ">": lambda view: view._sort_by(1),
    "left": lambda view: view._sort_by(-1),
    "<": lambda view: view._sort_by(-1),
    "r": View._turn_round,
    "/": View._begin_typing,
    "escape": View._leave,
    "?": View._explain,
    "h": View._explain,
}
HELP: Final[Sequence[tuple[str, str]]] = (
    ("f w s, tab", "functions, workers, servers"),
    ("< >, arrows", "sort by the column to the left or right"),
    ("r", "sort the other way round"),
    ("/", "show only rows with a text; escape shows all again"),
    ("up down, space", "scroll by rows and pages; home and end"),
    ("?", "these keys"),
    ("q", "quit"),
    ("", ""),
    ("jobs/s", "jobs that ended; of gearmand, those that were seen to"),
    ("oldest", "seconds that the first queued job has waited; - of gearmand"),
    ("failed/s", "jobs that failed; - of gearmand"),
    ("red", "jobs wait and no worker can do them, or a server is gone"),
)
"""What the keys and the columns mean, for `View.help`."""
