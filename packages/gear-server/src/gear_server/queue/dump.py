"""Stored jobs as lines of JSON, to look at and to move elsewhere."""

import base64
from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from gear_server.queue.store import StoredJob, number_of
from gear_wire.enums import Precedence
from gear_wire.errors import InvalidDataError

_BYTES: Final = ("handle", "function", "unique", "arguments", "reducer")
_NEEDED: Final = ("handle", "function", "arguments")
_PRECEDENCES: Final = {precedence.name.lower(): int(precedence) for precedence in Precedence}


class DumpedJob(msgspec.Struct, forbid_unknown_fields=True):
    """One line of a dump.

    Bytes that are UTF-8 are text; others are in the key that ends with ``_base64``.

    Attributes:
        precedence: ``high``, ``normal`` or ``low``.
        handle: The job handle.
        function: The function to run.
        unique: The job's unique.
        arguments: The data for it.
        reducer: The function that combines its parts.
        due: When it may run, in seconds since 1970; 0 for at once.
        retries: How often it was taken from a worker that was lost or too slow.
    """

    precedence: str
    handle: str | None = None
    handle_base64: bytes | None = None
    function: str | None = None
    function_base64: bytes | None = None
    unique: str | None = None
    unique_base64: bytes | None = None
    arguments: str | None = None
    arguments_base64: bytes | None = None
    reducer: str | None = None
    reducer_base64: bytes | None = None
    due: int = 0
    retries: int = 0


def dump(job: StoredJob) -> bytes:
    """Return a job as a line of JSON."""
    row: dict[str, object] = {}
    for name in _BYTES:
        value: bytes | None = getattr(job, name)
        if value is None:
            continue
        try:
            row[name] = value.decode()
        except UnicodeDecodeError:
            row[f"{name}_base64"] = base64.b64encode(value).decode()
    row["precedence"] = Precedence(job.precedence).name.lower()
    row |= {name: value for name in ("due", "retries") if (value := getattr(job, name))}
    return msgspec.json.encode(row) + b"\n"


def parse(lines: Iterable[bytes]) -> Iterator[StoredJob]:
    """Yield the jobs of a dump.

    Raises:
        InvalidDataError: A line is not one of a dump, with its number and what is wrong with it.
    """
    for number, line in enumerate(lines, 1):
        try:
            yield _job(msgspec.json.decode(line, type=DumpedJob))
        except (msgspec.MsgspecError, ValueError) as error:
            raise InvalidDataError(f"line {number} of the dump: {error}") from error


def _job(row: DumpedJob) -> StoredJob:
    values: dict[str, bytes | None] = {}
    for name in _BYTES:
        text: str | None = getattr(row, name)
        values[name] = getattr(row, f"{name}_base64") if text is None else text.encode()
    for name in _NEEDED:
        if values[name] is None:
            raise ValueError(f"it has neither {name} nor {name}_base64")
    handle = values["handle"] or b""
    number_of(handle)
    if row.precedence not in _PRECEDENCES:
        names = ", ".join(_PRECEDENCES)
        raise ValueError(f"precedence must be one of {names}, not {row.precedence!r}")
    return StoredJob(
        handle=handle,
        function=values["function"] or b"",
        unique=values["unique"],
        arguments=values["arguments"] or b"",
        precedence=_PRECEDENCES[row.precedence],
        due=row.due,
        reducer=values["reducer"],
        retries=row.retries,
    )
