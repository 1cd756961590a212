"""The table of commands: lines to send and what replies mean."""

import pytest

from gear_admin import commands
from gear_admin.commands import Command, maxqueue_arguments
from gear_wire.errors import InvalidDataError, ServerError
from gear_wire.text import FunctionQueue
from gear_wire.types import FunctionName


@pytest.mark.parametrize(
    ("command", "arguments", "line"),
    [
        (commands.STATUS, (), b"status\n"),
        (commands.PRIORITY_STATUS, (), b"prioritystatus\n"),
        (commands.WORKERS, (), b"workers\n"),
        (commands.SHOW_JOBS, (), b"show jobs\n"),
        (commands.SHOW_UNIQUE_JOBS, (), b"show unique jobs\n"),
        (commands.VERSION, (), b"version\n"),
        (commands.VERBOSE, (), b"verbose\n"),
        (commands.GETPID, (), b"getpid\n"),
        (commands.CANCEL_JOB, ("H:1",), b"cancel job H:1\n"),
        (commands.CREATE_FUNCTION, (b"f",), b"create function f\r\n"),
        (commands.DROP_FUNCTION, ("f",), b"drop function f\n"),
        (commands.MAXQUEUE, ("f", 1, 2, 3), b"maxqueue f 1 2 3\n"),
        (commands.JOBTIMEOUT, ("f", 60), b"jobtimeout f 60\n"),
        (commands.JOBLOG, commands.joblog_arguments("f", on=True), b"joblog f on\n"),
        (commands.JOBLOG, commands.joblog_arguments(b"f*", on=False), b"joblog f* off\n"),
    ],
)
def test_lines(
    command: Command[object], arguments: tuple[str | bytes | int, ...], line: bytes
) -> None:
    assert command.line(*arguments) == line


def test_an_argument_is_one_word() -> None:
    with pytest.raises(InvalidDataError, match="'drop function' must be one word"):
        commands.DROP_FUNCTION.line("a b")


def test_replies() -> None:
    row = FunctionQueue(FunctionName(b"f"), 1, 2, 3, 4)
    assert commands.PRIORITY_STATUS.read(b"f\t1\t2\t3\t4\n.\n") == [row]
    assert commands.VERSION.read(b"OK 1.1.20\n") == "1.1.20"
    assert commands.VERBOSE.read(b"OK ERROR\n") == "ERROR"
    assert commands.GETPID.read(b"OK 123\n") == 123
    assert commands.CANCEL_JOB.read(b"OK\r\n") is None
    with pytest.raises(InvalidDataError, match="expected a number: b'x'"):
        commands.GETPID.read(b"OK x\n")
    for digits in ("²".encode(), b"1" * 5000):
        with pytest.raises(InvalidDataError, match="expected a number: b'"):
            commands.GETPID.read(b"OK " + digits + b"\n")
    with pytest.raises(ServerError, match="function not found"):
        commands.DROP_FUNCTION.read(b"ERR function not found\r\n")


def test_limits_of_a_queue() -> None:
    assert maxqueue_arguments("f", None, None, None) == ("f",)
    assert maxqueue_arguments("f", 5, None, None) == ("f", 5)
    assert maxqueue_arguments("f", 5, 3, 1) == ("f", 5, 3, 1)
    for limits in ((5, 3, None), (None, 3, 1), (None, None, 1), (5, None, 1)):
        with pytest.raises(InvalidDataError, match="one limit, or those of"):
            maxqueue_arguments("f", *limits)
