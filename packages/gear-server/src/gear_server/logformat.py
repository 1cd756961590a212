"""The log as lines of JSON: one object for each, whose names and fields stay."""

import logging
import time
from typing import Final

import msgspec

from gear_server.engine.state import Peer, ServerJob
from gear_server.logevents import EVENTS, OTHER
from gear_wire.escape import Quoted, escaped

LONGEST_VALUE: Final = 1000
"""Bytes or characters of a field that are shown; no name, unique or handle is longer by default."""
LOGGER: Final = "gear.Server"
USUAL: Final = ("time", "level", "logger", "event", "message")
"""The fields that every line has; one with an exception has ``traceback`` as well."""


class JsonFormatter(logging.Formatter):
    """Formats a log line as an object of JSON, in one line.

    It may be given to any handler of the loggers ``gear.Server`` and below; lines of other loggers
    have the event ``other``. What peers have sent are values, never names of fields.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the object."""
        prepared = vars(record).get("json_line")
        return prepared if isinstance(prepared, str) else self.line(record)

    def line(self, record: logging.LogRecord) -> str:
        """Return the object of a record that has its arguments still."""
        name, fields = _event(record)
        seconds = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        line: dict[str, object] = {
            "time": f"{seconds}.{int(record.msecs):03d}Z",
            "level": record.levelname,
            "logger": record.name,
            "event": name,
            "message": _utf8(record.getMessage()),
        }
        line |= fields
        if record.exc_info:
            line["traceback"] = _utf8(self.formatException(record.exc_info))
        return msgspec.json.encode(line).decode()


def _event(record: logging.LogRecord) -> tuple[str, dict[str, object]]:
    """Return the name of the event that a record reports, and its fields."""
    ours = record.name == LOGGER or record.name.startswith(f"{LOGGER}.")
    event = EVENTS.get(str(record.msg)) if ours else None
    arguments = record.args or ()
    if event is None or not isinstance(arguments, tuple) or len(arguments) != len(event.fields):
        return OTHER, {}
    fields: dict[str, object] = {}
    for name, value in zip(event.fields, arguments, strict=True):
        if isinstance(value, ServerJob):
            fields |= _job(value)
        elif name:
            fields[name] = _plain(value)
    return event.name, fields


def _job(job: ServerJob) -> dict[str, object]:
    return {
        "handle": _plain(job.handle),
        "function": _plain(job.name),
        "unique": _plain(job.unique),
        "attempt": job.retries + 1,
    }


def _plain(value: object) -> object:
    """Return a value as JSON has it."""
    match value:
        case bool() | int() | float() | None:
            return value
        case bytes() | str():
            return escaped(value, LONGEST_VALUE)
        case Quoted():
            return _plain(value.value)
        case Peer():
            return {
                "address": value.host,
                "port": value.port,
                "client_id": _plain(value.client_id),
                "subject": _plain(value.subject),
            }
    return escaped(str(value), LONGEST_VALUE)


def _utf8(text: str) -> str:
    return text.encode(errors="backslashreplace").decode()
