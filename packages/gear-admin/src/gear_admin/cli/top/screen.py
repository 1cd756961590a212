"""Draws a view of the board as lines of a terminal."""

import time
from typing import Final

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from gear_admin.cli.top.board import Board
from gear_admin.cli.top.sheet import HELP, SHEETS, Cell, Column, Row, View
from gear_wire.cli.output import printable

TROUBLES: Final = 3
"""Servers in trouble that are named above the table at most."""
WIDE: Final = 14
"""The least width of the column that has all the room that the others leave."""
GAP: Final = 2
"""Columns of the terminal between two of the table."""
FOOT: Final = "q quit  tab {sheets}  <> sort  / filter  ? help"


def _least(column: Column) -> int:
    """Return how wide a column is at least; there is room for the mark of sorting."""
    return max(WIDE if column.wide else 0, len(column.name) + 2)


def _shown(cell: Cell) -> str:
    if cell is None or isinstance(cell, str):
        return cell or "-"
    return f"{cell:,.1f}" if isinstance(cell, float) else f"{cell:,}"


class Screen:
    """Draws on a console.

    Args:
        console: Where; its size may change.
        board: What is known.
        view: What is looked at.
    """

    def __init__(self, console: Console, board: Board, view: View) -> None:
        self._console = console
        self._board = board
        self._view = view

    def room(self, now: float) -> int:
        """Return how many rows of the table fit."""
        return max(1, self._console.height - len(self._head(now)) - 2)

    def lines(self, now: float) -> list[str]:
        """Return the lines that fill the screen.

        Args:
            now: The time of the monotonic clock.
        """
        head, room = self._head(now), self.room(now)
        rows, count = self._view.rows(self._board, now, room)
        body = self._help() if self._view.help else self._table(rows)
        height = len(head) + 1 + room
        lines = self._drawn(Group(*head, body))[:height]
        lines += [""] * (height - len(lines))
        return (lines + self._drawn(self._foot(len(rows), count)))[: self._console.height]

    def _drawn(self, thing: RenderableType) -> list[str]:
        with self._console.capture() as capture:
            self._console.print(thing, no_wrap=True, overflow="ellipsis", crop=True)
        return capture.get().splitlines()

    def _head(self, now: float) -> list[RenderableType]:
        sums = [server.totals() for server in self._board.servers]
        queued, running = sum(each.queued for each in sums), sum(each.running for each in sums)
        rate = sum(each.per_second for each in sums)
        troubles = [
            (server.name, trouble)
            for server in self._board.servers
            if (trouble := server.trouble(now))
        ]
        count = len(self._board.servers)
        title = Table.grid(expand=True, padding=(0, 2, 0, 0))
        title.add_column(no_wrap=True)
        title.add_column(justify="right", no_wrap=True)
        state = Text(f"{count} server{'s'[: count != 1]}")
        if troubles:
            state.append(f", {len(troubles)} in trouble", "bold red")
        title.add_row(
            Text(time.strftime("%H:%M:%S  "), "bold") + state,
            Text(f"queued {queued:,}  running {running:,}  jobs/s {rate:,.1f}", "bold"),
        )
        lines: list[RenderableType] = [title]
        for name, trouble in troubles[:TROUBLES]:
            lines.append(Text(f"{name}  {trouble}", "bold red"))
        return lines

    def _table(self, rows: list[Row]) -> Table:
        view = self._view
        table = Table(box=None, expand=True, pad_edge=False, header_style="reverse")
        shown = self._columns()
        for place in shown:
            column = view.sheet.columns[place]
            down = view.reverse is column.text
            mark = "" if place != view.column else " ▼" if down else " ▲"
            table.add_column(
                Text(column.name + mark),
                justify="left" if column.text else "right",
                no_wrap=True,
                overflow="ellipsis",
                ratio=1 if column.wide else None,
                min_width=_least(column),
            )
        for row in rows:
            cells = (Text(_shown(row.cells[place])) for place in shown)
            table.add_row(*cells, style=row.style)
        return table

    def _columns(self) -> list[int]:
        """Return the places of the columns that fit; the last ones go first."""
        columns = self._view.sheet.columns
        shown = list(range(len(columns)))
        while (
            len(shown) > 1
            and sum(_least(columns[place]) + GAP for place in shown) > self._console.width
        ):
            shown.remove(next(place for place in reversed(shown) if not columns[place].wide))
        return shown

    def _help(self) -> Table:
        table = Table.grid(padding=(0, 2, 0, 0))
        table.add_row()
        for key, meaning in HELP:
            table.add_row(Text(key, "bold"), Text(meaning))
        return table

    def _foot(self, shown: int, count: int) -> Text:
        view = self._view
        if view.typing:
            return Text(f"filter: {printable(view.filter)}", "bold") + Text(" ", "reverse")
        names = " ".join(
            f"[{sheet.name}]" if sheet is view.sheet else sheet.name for sheet in SHEETS
        )
        foot = Text(FOOT.format(sheets=names), "dim")
        if shown < count:
            foot = Text(f"{view.top + 1}-{view.top + shown} of {count}  ") + foot
        if view.filter:
            foot = Text(f"only {printable(view.filter)}  ", "bold") + foot
        return foot
