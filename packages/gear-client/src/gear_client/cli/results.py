"""What comes of jobs, as people see it and as programs read it."""

import base64
import sys
from typing import Protocol

from gear_client.async_job import AsyncJob
from gear_client.cli.display import Bar, Sink
from gear_wire.cli.command import complain
from gear_wire.cli.exits import describe
from gear_wire.cli.output import print_json
from gear_wire.escape import escaped


class Results(Protocol):
    """Where goes what comes of jobs: of one job after the other."""

    def begin(self, job: AsyncJob) -> None:
        """Take note of the job that all that follows is about."""

    def progress(self, numerator: bytes, denominator: bytes, fraction: float | None) -> None:
        """Show how far it has come."""

    def part(self, data: bytes, warning: bool) -> None:
        """Take a part of its data, or a warning."""

    def completed(self) -> None:
        """Take note that it has ended well."""

    def failed(self, reason: Exception) -> None:
        """Take note that it has no result."""

    def close(self) -> None:
        """Leave the terminal as it was found."""


class PlainResults:
    """Data to standard output as it comes, warnings to standard error, progress to a terminal.

    Args:
        name: The function.
        many: Whether there may be several jobs: then each result ends with the end of a line, and
            the number of jobs that have ended is shown instead of the progress of one.
        typed: Whether the function is a typed one: then each part that is text ends with the end
            of a line, as the items of a stream would run together.
    """

    def __init__(self, name: bytes, many: bool, typed: bool) -> None:
        self._many = many
        self._typed = typed
        self._done = 0
        self._empty = True
        self._data = Sink(sys.stdout)
        self._warnings = Sink(sys.stderr)
        self._bar = Bar(name, self._warnings)

    def begin(self, job: AsyncJob) -> None:
        """Take note of the job that all that follows is about."""
        self._empty = True

    def progress(self, numerator: bytes, denominator: bytes, fraction: float | None) -> None:
        """Show how far it has come."""
        free = self._data.at_line_start or not self._data.is_terminal
        if not self._many and free:
            self._bar.show(f"{escaped(numerator, 20)}/{escaped(denominator, 20)}", fraction)

    def part(self, data: bytes, warning: bool) -> None:
        """Take a part of its data, or a warning."""
        if warning or self._data.is_terminal:
            self._bar.hide()
        if warning:
            self._warn(data)
        elif data:
            self._empty = False
            self._data.write(_ended(data) if self._typed and _is_text(data) else data)

    def _warn(self, text: bytes) -> None:
        """Write a warning in lines of its own: workers send them with the end of a line or not."""
        if self._warnings.is_terminal and self._data.is_terminal:
            self._data.end_line()
        self._warnings.write(_ended(text))

    def completed(self) -> None:
        """Take note that it has ended well."""
        self._end()

    def failed(self, reason: Exception) -> None:
        """Take note that it has no result."""
        self._bar.hide()
        self._end()
        complain(f"job {self._done}: {describe(reason)}" if self._many else describe(reason))

    def _end(self) -> None:
        self._done += 1
        if self._many and self._empty:
            self._data.write(b"\n")
        elif self._many or self._data.is_terminal:
            self._data.end_line()
        if not self._many:
            self._bar.hide()
        if self._many and not self._data.is_terminal:
            self._bar.show(f"{self._done} done")

    def close(self) -> None:
        """Leave the terminal as it was found."""
        self._bar.hide()


class JsonResults:
    """A line of JSON for each job, once it has ended.

    Args:
        typed: Whether the function is a typed one: then the parts of its data are listed, too.
    """

    def __init__(self, typed: bool) -> None:
        self._typed = typed

    def begin(self, job: AsyncJob) -> None:
        """Take note of the job that all that follows is about."""
        self._job = job
        self._data: list[bytes] = []
        self._warnings: list[bytes] = []

    def progress(self, numerator: bytes, denominator: bytes, fraction: float | None) -> None:
        """Leave it out."""

    def part(self, data: bytes, warning: bool) -> None:
        """Take a part of its data, or a warning."""
        if data:
            (self._warnings if warning else self._data).append(data)

    def completed(self) -> None:
        """Take note that it has ended well."""
        self._print(None)

    def failed(self, reason: Exception) -> None:
        """Take note that it has no result."""
        self._print(describe(reason))
        complain(describe(reason))

    def _print(self, error: str | None) -> None:
        row = {"handle": self._job.handle, **_readable(self._data, self._typed)}
        print_json([{**row, "warnings": self._warnings, "error": error}])

    def close(self) -> None:
        """Leave the terminal as it was found."""


def _readable(parts: list[bytes], listed: bool) -> dict[str, object]:
    """Return data as JSON can hold it: as text, or in base64 where it is none.

    Args:
        parts: The data, in the parts in which it came.
        listed: Whether the parts are wanted, too; all is base64 if one of them is no text.
    """
    data = b"".join(parts)
    text = all(map(_is_text, parts)) if listed else _is_text(data)
    show = bytes.decode if text else _in_base64
    row: dict[str, object] = {"data" if text else "base64": show(data)}
    return {**row, "parts": [show(part) for part in parts]} if listed else row


def _in_base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _ended(text: bytes) -> bytes:
    """Return text with the end of a line at its end."""
    return text if text.endswith(b"\n") else text + b"\n"
