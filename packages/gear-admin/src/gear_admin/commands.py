"""The administrative commands with what their replies mean, for both typed clients; pure."""

from collections.abc import Callable
from typing import Final, Generic, TypeVar

import msgspec

from gear_wire.errors import InvalidDataError
from gear_wire.jobs import to_bytes
from gear_wire.number import to_number
from gear_wire.text import (
    AccessEntry,
    ConnectionStatus,
    FunctionActivity,
    FunctionCounters,
    FunctionQueue,
    FunctionStatus,
    JobStatus,
    command,
    is_access_refusal,
    is_refusal,
    parse_access,
    parse_connection,
    parse_function_activity,
    parse_function_counters,
    parse_function_queue,
    parse_function_status,
    parse_job,
    parse_line,
    parse_rows,
    parse_unique,
)
from gear_wire.types import UniqueKey

Result = TypeVar("Result")
Row = TypeVar("Row")


class Command(msgspec.Struct, Generic[Result], frozen=True):
    """A command.

    Attributes:
        verb: Its words.
        read: Makes the result of the whole reply; raises ServerError for an ERR reply.
        lines: Whether the reply has several lines and ends with a dot.
        is_refusal: Tells whether the first of several lines is an error, and the only one.
        end: What ends the command's own line.
    """

    verb: bytes
    read: Callable[[bytes], Result]
    lines: bool = False
    is_refusal: Callable[[bytes], bool] = is_refusal
    end: bytes = b"\n"

    def line(self, *arguments: str | bytes | int) -> bytes:
        """Return the line to send.

        Raises:
            InvalidDataError: An argument is empty, or holds white space or a NUL.
        """
        what = f"an argument of {self.verb.decode()!r}"
        words = (_word(argument, what) for argument in arguments)
        return command(self.verb, *words, end=self.end)


def _word(argument: str | bytes | int, what: str) -> bytes:
    return b"%d" % argument if isinstance(argument, int) else to_bytes(argument, what)


def _table(verb: bytes, parse: Callable[[bytes], Row]) -> Command[list[Row]]:
    return Command(verb, lambda reply: parse_rows(reply, parse), lines=True)


def _text(reply: bytes) -> str:
    return parse_line(reply).decode(errors="replace")


def _number(reply: bytes) -> int:
    return to_number(parse_line(reply))


def _done(reply: bytes) -> None:
    parse_line(reply)


STATUS: Final[Command[list[FunctionStatus]]] = _table(b"status", parse_function_status)
PRIORITY_STATUS: Final[Command[list[FunctionQueue]]] = _table(
    b"prioritystatus", parse_function_queue
)
WORKERS: Final[Command[list[ConnectionStatus]]] = _table(b"workers", parse_connection)
SHOW_JOBS: Final[Command[list[JobStatus]]] = _table(b"show jobs", parse_job)
SHOW_FUNCTIONS: Final[Command[list[FunctionActivity]]] = _table(
    b"show functions", parse_function_activity
)
SHOW_COUNTERS: Final[Command[list[FunctionCounters]]] = _table(
    b"show counters", parse_function_counters
)
SHOW_UNIQUE_JOBS: Final[Command[list[UniqueKey]]] = _table(b"show unique jobs", parse_unique)
VERSION: Final[Command[str]] = Command(b"version", _text)
VERBOSE: Final[Command[str]] = Command(b"verbose", _text)
GETPID: Final[Command[int]] = Command(b"getpid", _number)
CANCEL_JOB: Final[Command[None]] = Command(b"cancel job", _done)
# gearmand 1.1.20 cuts the last letter off a name that ends with a bare LF.
CREATE_FUNCTION: Final[Command[None]] = Command(b"create function", _done, end=b"\r\n")
DROP_FUNCTION: Final[Command[None]] = Command(b"drop function", _done)
MAXQUEUE: Final[Command[None]] = Command(b"maxqueue", _done)
JOBTIMEOUT: Final[Command[None]] = Command(b"jobtimeout", _done)
JOBLOG: Final[Command[None]] = Command(b"joblog", _done)
ACL_LIST: Final[Command[list[AccessEntry]]] = Command(
    b"acl list",
    lambda reply: parse_rows(reply, parse_access),
    lines=True,
    is_refusal=is_access_refusal,
)
ACL_GRANT: Final[Command[None]] = Command(b"acl grant", _done)
ACL_REVOKE: Final[Command[None]] = Command(b"acl revoke", _done)
ACL_SELF_REVOKE: Final[Command[None]] = Command(b"acl self-revoke", _done)


def joblog_arguments(function: str | bytes, on: bool) -> tuple[str | bytes, ...]:
    """Return the arguments of ``joblog``."""
    return function, "on" if on else "off"


def maxqueue_arguments(
    function: str | bytes, limit: int | None, normal: int | None, low: int | None
) -> tuple[str | bytes | int, ...]:
    """Return the arguments of ``maxqueue``: one limit for all precedences, or all three.

    Raises:
        InvalidDataError: Two of three limits are given.
        TypeError: A limit is no number.
    """
    for given in (limit, normal, low):
        if given is not None and not isinstance(given, int):
            raise TypeError(f"a limit is a number of jobs, not {given!r}")
    if limit is None and normal is None and low is None:
        return (function,)
    if limit is not None and normal is None and low is None:
        return function, limit
    if limit is None or normal is None or low is None:
        raise InvalidDataError("maxqueue takes one limit, or those of high, normal and low")
    return function, limit, normal, low
