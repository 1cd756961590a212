"""Rows for people and for programs: tables that align, and JSON lines."""

import sys
from collections.abc import Iterable, Sequence

import msgspec


def printable(value: object) -> str:
    """Return a value as it may go to a terminal: control characters escaped."""
    text = value.decode(errors="backslashreplace") if isinstance(value, bytes) else str(value)
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode()
        for letter in text
    )


def print_json(rows: Iterable[dict[str, object]]) -> None:
    """Write rows as lines of JSON."""
    for row in rows:
        plain = {
            name: value.decode(errors="backslashreplace") if isinstance(value, bytes) else value
            for name, value in row.items()
        }
        sys.stdout.buffer.write(msgspec.json.encode(plain) + b"\n")
    sys.stdout.flush()


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write rows as a table: numbers to the right, in colour on a terminal only."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    rows = list(rows)
    table = Table(box=box.SIMPLE_HEAD, header_style="bold", pad_edge=False)
    for place, column in enumerate(columns):
        numbers = bool(rows) and all(isinstance(row[place], int | float) for row in rows)
        table.add_column(column, justify="right" if numbers else "left", overflow="fold")
    for row in rows:
        table.add_row(*(printable(value) for value in row))
    console = Console(highlight=False, soft_wrap=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=100_000)
        table.box = None
    console.print(table)
