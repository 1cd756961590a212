"""Where data, warnings and progress go: unchanged into files, harmless to a terminal."""

import codecs
import math
import os
import time
from typing import IO, TYPE_CHECKING, Final, Protocol

from gear_wire.escape import escaped

if TYPE_CHECKING:
    from rich.progress import Progress

_REDRAW: Final = 0.1
"""Seconds between two drawings of a progress bar, at the least."""


class Stream(Protocol):
    """What is needed of `sys.stdout` and `sys.stderr`."""

    @property
    def buffer(self) -> IO[bytes]:
        """The bytes below the text."""

    def isatty(self) -> bool:
        """Tell whether it is a terminal."""


class Sink:
    """One of the standard streams, as the data of others is written to it.

    On a terminal, what cannot be printed is escaped: data could otherwise do with the terminal as
    it pleases. Into a file or a pipe, all goes as it is.

    Args:
        stream: The stream.

    Attributes:
        is_terminal: Whether it is a terminal.
        at_line_start: Whether nothing stands in the present line.
    """

    def __init__(self, stream: Stream) -> None:
        self.is_terminal: bool = stream.isatty()
        self.at_line_start: bool = True
        self._file = stream.buffer
        self._decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")

    def write(self, data: bytes) -> None:
        """Write a part of some data, so that it can be seen at once."""
        if self.is_terminal:
            data = _printable(self._decoder.decode(data)).encode()
        if data:
            self.at_line_start = data.endswith(b"\n")
            self._file.write(data)
            self._file.flush()

    def end_line(self) -> None:
        """End the line if something stands in it."""
        if not self.at_line_start or self._decoder.getstate()[0]:
            self.write(b"\n")


def _printable(text: str) -> str:
    """Return text as it may go to a terminal: of control characters, line ends and tabs only."""
    if text.isprintable():
        return text
    return "\n".join(
        "\t".join(escaped(field, len(field)) for field in line.split("\t"))
        for line in text.split("\n")
    )


class Bar:
    """How far jobs have come, in one line of the terminal that errors go to; else nothing.

    Args:
        name: What the line begins with.
        sink: Where the line goes.
    """

    def __init__(self, name: bytes, sink: Sink) -> None:
        self._name = escaped(name, 40)
        self._shown: bool = sink.is_terminal and os.environ.get("TERM", "dumb") != "dumb"
        self._drawn = -math.inf
        self._progress: Progress | None = None

    def show(self, text: str, fraction: float | None = None) -> None:
        """Draw it, unless that was done a moment ago.

        Args:
            text: What it says.
            fraction: How much is done, from 0 to 1; None if that is not known.
        """
        now = time.monotonic()
        if not self._shown or now - self._drawn < _REDRAW:
            return
        self._drawn = now
        if self._progress is None:
            self._progress = _progress(fraction is not None)
            self._progress.add_task(self._name, total=1.0, text="")
        self._progress.update(self._progress.task_ids[0], completed=fraction or 0.0, text=text)
        self._progress.start()
        self._progress.refresh()

    def hide(self) -> None:
        """Remove it from the terminal, until it is drawn again."""
        if self._progress is not None and self._progress.live.is_started:
            self._progress.stop()
            self._drawn = -math.inf


def _progress(measured: bool) -> "Progress":
    # It takes long to load, and most runs draw nothing.
    from rich.console import Console
    from rich.progress import BarColumn, Progress, ProgressColumn, TextColumn, TimeRemainingColumn

    name = TextColumn("{task.description}", markup=False)
    text = TextColumn("{task.fields[text]}", markup=False)
    columns: list[ProgressColumn] = [name, text]
    if measured:
        columns = [name, BarColumn(), text, TimeRemainingColumn(compact=True)]
    return Progress(*columns, console=Console(stderr=True), transient=True, auto_refresh=False)
