"""Replies of the administrative protocol, as gearmand and gear's server write them."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gear_wire.errors import InvalidDataError, ServerError
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
from gear_wire.types import ClientID, FunctionName, Handle
from support.wire_strategies import repeatable

PARSERS: list[Callable[[bytes], object]] = [
    parse_function_status,
    parse_function_queue,
    parse_connection,
    parse_job,
    parse_unique,
    parse_access,
    parse_function_activity,
    parse_function_counters,
]


def test_commands() -> None:
    assert command(b"status") == b"status\n"
    assert command(b"maxqueue", b"reverse", b"5") == b"maxqueue reverse 5\n"


@pytest.mark.parametrize("word", [b"", b" ", b"a b", b"a\n", b"\ta", b"a\0", b"a\r"])
def test_an_argument_is_one_word(word: bytes) -> None:
    with pytest.raises(InvalidDataError, match="'cancel job' must be one word"):
        command(b"cancel job", word)


@pytest.mark.parametrize(
    ("reply", "text"),
    [
        (b"OK\r\n", b""),
        (b"OK\n", b""),
        (b"OK 1.1.20+ds\n", b"1.1.20+ds"),
        (b"1.140_001\n", b"1.140_001"),  # Perl's server says no OK
        (b"OKAY\n", b"OKAY"),
    ],
)
def test_one_line(reply: bytes, text: bytes) -> None:
    assert parse_line(reply) == text


def test_an_error_has_code_and_text() -> None:
    with pytest.raises(
        ServerError, match="UNKNOWN_COMMAND: Unknown server commandshutdown"
    ) as info:
        parse_line(b"ERR UNKNOWN_COMMAND Unknown+server+commandshutdown\r\n")
    assert (info.value.code, info.value.text) == (
        "UNKNOWN_COMMAND",
        "Unknown server commandshutdown",
    )
    for line in (b"ERR UNKNOWN_JOB\r\n", b"ERR function not found\r\n"):
        with pytest.raises(ServerError, match=f"^{line[4:-2].decode()}$") as info:
            parse_line(line)
        assert (info.value.code, info.value.text) == (line[4:-2].decode(), "")
    with pytest.raises(ServerError, match=r"^unknown_command: Unknown server command$"):
        parse_line(b"ERR unknown_command Unknown+server+command\r\n")  # Perl's server


def test_rows_of_status() -> None:
    reply = b"reverse\t3\t1\t2\nname\twith tab\t0\t0\t0\n.\n"
    assert parse_rows(reply, parse_function_status) == [
        FunctionStatus(FunctionName(b"reverse"), 3, 1, 2),
        FunctionStatus(FunctionName(b"name\twith tab"), 0, 0, 0),
    ]
    assert parse_rows(b".\n", parse_function_status) == []
    assert parse_rows(b".\r\n", parse_function_status) == []


def test_rows_of_prioritystatus() -> None:
    row = FunctionQueue(FunctionName(b"reverse"), 1, 2, 3, 4)
    assert parse_rows(b"reverse\t1\t2\t3\t4\n.\n", parse_function_queue) == [row]


def test_rows_of_workers() -> None:
    reply = b"38 127.0.0.1 - :\n-1 ::1 my worker : reverse count\n40 1.2.3.4  : a\n.\n"
    assert parse_rows(reply, parse_connection) == [
        ConnectionStatus(38, "127.0.0.1", ClientID(b"-"), ()),
        ConnectionStatus(
            -1, "::1", ClientID(b"my worker"), (FunctionName(b"reverse"), FunctionName(b"count"))
        ),
        ConnectionStatus(40, "1.2.3.4", ClientID(b""), (FunctionName(b"a"),)),
    ]


def test_rows_of_show_jobs_and_show_unique_jobs() -> None:
    job = JobStatus(Handle(b"H:host:1"), 2, ignored=True, queued=False)
    assert parse_rows(b"H:host:1\t2\t1\t0\n.\n", parse_job) == [job]
    assert parse_rows(b"one\n\n-\n.\n", parse_unique) == [b"one", b"", b"-"]


def test_an_error_instead_of_rows() -> None:
    with pytest.raises(ServerError, match="UNKNOWN_SHOW_ARGUMENTS"):
        parse_rows(b"ERR UNKNOWN_SHOW_ARGUMENTS\r\n", parse_job)


def test_a_function_called_err_is_no_error() -> None:
    reply = b"ERR\t0\t0\t0\n.\n"
    assert parse_rows(reply, parse_function_status)[0].function == b"ERR"


@pytest.mark.parametrize("reply", [b"", b"reverse\t0\t0\t0\n", b"reverse\t0\t0\t0\n.", b"x.\n"])
def test_a_reply_that_is_not_whole(reply: bytes) -> None:
    with pytest.raises(InvalidDataError, match="does not end with a dot"):
        parse_rows(reply, parse_function_status)


@pytest.mark.parametrize(
    ("parse", "line"),
    [
        (parse_function_status, b"reverse\t1\t2"),
        (parse_function_status, b"reverse\t1\tx\t2"),
        (parse_function_queue, b"reverse\t1\t2\t3"),
        (parse_connection, b"38 127.0.0.1 -"),
        (parse_connection, b"x 127.0.0.1 - :"),
        (parse_connection, b"--1 127.0.0.1 - :"),
        (parse_connection, b"38 : a"),
        (parse_connection, b"1" * 5000 + b" 127.0.0.1 - :"),
        (parse_function_status, b"f\t" + b"1" * 5000 + b"\t0\t0"),
        (parse_job, b"H:1 0 0 0"),
    ],
)
def test_a_line_that_makes_no_sense(parse: Callable[[bytes], object], line: bytes) -> None:
    with pytest.raises(InvalidDataError, match="expected"):
        parse(line)


@repeatable
@given(st.sampled_from(PARSERS), st.binary(max_size=60) | st.from_regex(rb"[-0-9 :\t.a]*"))
def test_any_line_is_read_or_refused(parse: Callable[[bytes], object], line: bytes) -> None:
    try:
        parse(line)
    except InvalidDataError as error:
        assert "expected" in str(error)


@repeatable
@given(
    st.sampled_from(PARSERS), st.binary(max_size=60) | st.from_regex(rb"(ERR |\.|[a0]\t|\r?\n)*")
)
def test_any_reply_is_read_or_refused(parse: Callable[[bytes], object], reply: bytes) -> None:
    try:
        rows = parse_rows(reply, parse)
    except (InvalidDataError, ServerError):
        return
    assert len(rows) <= reply.count(b"\n") - 1


def test_a_row_that_cannot_be_read_is_left_out(caplog: pytest.LogCaptureFixture) -> None:
    good = FunctionStatus(FunctionName(b"f"), 1, 0, 1)
    forged = b"\x1b[2J" + b"x" * 10_000
    reply = b"\n".join((forged, b"f\t1\t0\t1", b"h\t" + b"1" * 5000 + b"\t0\t1", b".", b""))
    assert parse_rows(reply, parse_function_status) == [good]
    (line,) = caplog.records
    assert line.name == "gear.AdminRequest"
    assert line.levelname == "WARNING"
    assert line.getMessage().startswith("Skipped 2 of 3 rows of a reply: expected 4 columns: b'")
    assert line.getMessage().isprintable()
    assert len(line.getMessage()) < 400


def test_columns_of_workers_hold_what_looks_like_a_separator() -> None:
    names = (FunctionName(b":c"), FunctionName(b"d:"))
    assert parse_connection(b"-1 ::1 a:b : :c d:") == ConnectionStatus(
        -1, "::1", ClientID(b"a:b"), names
    )
    assert parse_connection(b"5 h : :") == ConnectionStatus(5, "h", ClientID(b":"), ())


def test_the_activity_of_functions() -> None:
    row = FunctionActivity(FunctionName(b"f\tg"), 1, 2, 3, 4, 5)
    assert parse_function_activity(b"f\tg\t1\t2\t3\t4\t5") == row


def test_the_counters_of_functions() -> None:
    row = parse_function_counters(
        b"f\tqueued_high=1\tqueued_low=2\tdreamt=9\tstarted=5\trunning=1"
        b"\twaited_ms=2500\tran_ms=8000"
    )
    assert row == FunctionCounters(
        FunctionName(b"f"), queued_high=1, queued_low=2, started=5, running=1, waited_ms=2500,
        ran_ms=8000,
    )  # fmt: skip
    assert (row.queued, row.mean_wait, row.mean_run) == (3, 0.5, 2.0)
    nothing = parse_function_counters(b"g")
    assert nothing == FunctionCounters(FunctionName(b"g"))
    assert (nothing.ended, nothing.mean_wait, nothing.mean_run) == (0, None, None)


@pytest.mark.parametrize("pair", [b"started", b"started=", b"started=x", b"", b"started=1=2"])
def test_counters_that_are_none(pair: bytes) -> None:
    with pytest.raises(InvalidDataError, match="expected"):
        parse_function_counters(b"f\t" + pair)


def test_access_entries() -> None:
    line = b"a\tb\tregister=x.*\tinvoke=None\tgrant=False\tadmin=True\tsee=False"
    assert parse_access(line) == AccessEntry("a\tb", "x.*", None, grant=False, admin=True)
    old = b"\xff\tregister=None\tinvoke=.*\tgrant=True"
    assert parse_access(old) == AccessEntry("\udcff", None, ".*", grant=True)
    with pytest.raises(InvalidDataError, match="expected a subject and its rights: b'a'"):
        parse_access(b"a")
    assert is_access_refusal(b"ERR ACL_DISABLED\n")
    assert not is_access_refusal(b"ERR me\tregister=None\tinvoke=None\tgrant=None\n")
