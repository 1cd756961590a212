"""Rows for people and for programs: tables that align, and JSON lines."""

import sys
from collections.abc import Iterable, Sequence

from gear_wire.escape import escaped


def printable(value: object) -> str:
    """Return a value as it may go to a terminal: control characters escaped.

    Lists are written with spaces between their items, and ``-`` stands for None.
    """
    match value:
        case bytes() | str():
            return escaped(value, len(value))
        case list() | tuple():
            return " ".join(printable(item) for item in value)
        case bool():
            return "yes" if value else "no"
        case None:
            return "-"
    return str(value)


def _plain(value: object) -> object:
    """Return a value as JSON can hold it: bytes, and text that is not UTF-8, escaped."""
    match value:
        case bytes():
            return value.decode(errors="backslashreplace")
        case str():
            return value.encode(errors="surrogateescape").decode(errors="backslashreplace")
        case list() | tuple():
            return [_plain(item) for item in value]
    return value


def print_json(rows: Iterable[dict[str, object]]) -> None:
    """Write rows as lines of JSON."""
    import msgspec

    for row in rows:
        plain = {name: _plain(value) for name, value in row.items()}
        sys.stdout.buffer.write(msgspec.json.encode(plain) + b"\n")
    sys.stdout.flush()


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write rows as a table: numbers to the right, in colour on a terminal only."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    class Output(Console):
        def on_broken_pipe(self) -> None:
            raise  # noqa: PLE0704  (called where it was caught; it would exit with 1)

    rows = list(rows)
    table = Table(box=box.SIMPLE_HEAD, header_style="bold", pad_edge=False)
    for place, column in enumerate(columns):
        numbers = bool(rows) and all(type(row[place]) in (int, float) for row in rows)
        table.add_column(column, justify="right" if numbers else "left", overflow="fold")
    for row in rows:
        # Text, since rich would take brackets and colons in a str for orders of ours.
        table.add_row(*(Text(printable(value)) for value in row))
    console = Output(highlight=False, soft_wrap=False)
    if console.is_terminal:
        console.print(table)
        return
    table.box = None
    plain = Output(highlight=False, width=100_000)
    with plain.capture() as captured:
        plain.print(table)
    for line in captured.get().splitlines():
        sys.stdout.write(line.rstrip() + "\n")
    sys.stdout.flush()
