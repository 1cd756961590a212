"""No name breaks a table of the text protocol or a line of the log; no other protocol is obeyed."""

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gear_server.engine.acl import ACL, ACLEntry
from gear_server.engine.lines import MOST_UNKNOWN
from gear_server.settings import MAX_NAME_SIZE, ServerSettings
from gear_wire.packets import (
    BasePacket,
    CanDo,
    CanDoTimeout,
    EchoReq,
    EchoRes,
    Error,
    GetStatus,
    GrabJobUniq,
    JobAssignUnique,
    JobCreated,
    SetClientID,
    StatusRes,
    SubmitJob,
    SubmitJobBg,
    SubmitJobEpoch,
    SubmitReduceJob,
    WorkStatus,
)
from gear_wire.text import parse_connection, parse_function_status, parse_rows, parse_unique
from gear_wire.types import ClientID, FunctionName, Handle, UniqueKey
from support.engine_desk import Desk, Visitor
from support.wire_strategies import repeatable

BAD_NAMES = [
    b"forged\t0\t0\t9\n.\nERR",
    b"two names",
    b"tab\tbed",
    b"\x1b[2J",
    b"del\x7f",
    "\x9b2J".encode(),
    b"\r",
    b" ",
    b"x" * (MAX_NAME_SIZE + 1),
]
GOOD_NAMES = [
    b"reverse",
    b":colon:",
    b".",
    b"ERR",
    b"Jobs::Do->it(1)",
    "größe✓".encode(),
    b"latin1\xe9\x9b",
    b"x" * MAX_NAME_SIZE,
]
NONE = UniqueKey(b"")


def naming(name: bytes) -> list[BasePacket]:
    """Return every packet that makes a function known."""
    function = FunctionName(name)
    return [
        CanDo(function),
        CanDoTimeout(function, b"1000"),
        SubmitJob(function, NONE, b""),
        SubmitJobBg(function, NONE, b""),
        SubmitJobEpoch(function, NONE, b"0", b""),
        SubmitReduceJob(function, NONE, FunctionName(b"r"), b"0", b""),
    ]


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def visitor(desk: Desk) -> Visitor:
    return desk.visitor()


def rows(visitor: Visitor) -> list[bytes]:
    """Return the functions in `status`, in which nothing else is."""
    reply = visitor.ask(b"status\n")
    found = [row.function for row in parse_rows(reply, parse_function_status)]
    assert len(found) == reply.count(b"\n") - 1
    return list(found)


@pytest.mark.parametrize("name", BAD_NAMES)
def test_a_function_that_would_break_a_table_is_refused(visitor: Visitor, name: bytes) -> None:
    long = len(name) > MAX_NAME_SIZE
    for packet in naming(name):
        visitor.send(packet)
        (error,) = visitor.heard()
        assert isinstance(error, Error)
        assert error.code == (b"ARGUMENT_TOO_LARGE" if long else b"INVALID_FUNCTION_NAME")
    assert rows(visitor) == []
    assert visitor.peer.abilities == {}
    assert visitor.ask(b"workers\n") == b"5 127.0.0.1 - :\n.\n"


@pytest.mark.parametrize("name", GOOD_NAMES)
def test_other_names_are_taken_as_they_are(visitor: Visitor, name: bytes) -> None:
    for packet in naming(name):
        visitor.send(packet)
        assert not any(isinstance(packet, Error) for packet in visitor.heard())
    assert rows(visitor) == [name]
    (row,) = parse_rows(visitor.ask(b"workers\n"), parse_connection)
    assert row.functions == (name,)


def test_the_longest_name_is_a_setting() -> None:
    visitor = Desk(ServerSettings(max_name_size=3)).visitor()
    visitor.send(CanDo(FunctionName(b"four")), CanDo(FunctionName(b"tri")))
    assert visitor.heard() == [Error(b"ARGUMENT_TOO_LARGE", b"Function name too large")]
    assert visitor.ask(b"create function four\n") == (
        b"ERR ARGUMENT_TOO_LARGE Function+name+too+large\r\n"
    )
    assert rows(visitor) == [b"tri"]


def test_a_refused_function_takes_no_job_and_says_nothing_of_its_name(visitor: Visitor) -> None:
    name = FunctionName(b"x" * (1 << 20))
    visitor.send(SubmitJob(name, NONE, b""), CanDo(name))
    assert len(visitor.said()) < 200
    assert visitor.ask(b"show jobs\n") == b".\n"


@pytest.mark.parametrize("reducer", [b"a b", b"a\nb", b"\x1b"])
def test_a_reducer_is_the_name_of_a_function(visitor: Visitor, reducer: bytes) -> None:
    function = FunctionName(b"f")
    visitor.send(SubmitReduceJob(function, NONE, FunctionName(reducer), b"0", b""))
    (error,) = visitor.heard()
    assert isinstance(error, Error)
    assert error.code == b"INVALID_FUNCTION_NAME"
    assert rows(visitor) == []


@pytest.mark.parametrize(
    "client_id",
    [
        b"a\n6 10.0.0.1 admin : f",
        b"a\x1b[2J",
        b"a\tb",
        b"a\x7f",
        b"a : reverse",
        b" :",
        b"\xc2\x9b",
    ],
)
def test_an_id_that_would_break_a_table_is_refused(visitor: Visitor, client_id: bytes) -> None:
    visitor.send(SetClientID(ClientID(b"before")))
    visitor.send(SetClientID(ClientID(client_id)))
    (error,) = visitor.heard()
    assert isinstance(error, Error)
    assert error.code == b"INVALID_ARGUMENT"
    assert visitor.ask(b"workers\n") == b"5 127.0.0.1 before :\n.\n"


@pytest.mark.parametrize("client_id", [b"", b"my worker 1", b"host:1:", b":", "größe".encode()])
def test_other_ids_are_taken_as_they_are(visitor: Visitor, client_id: bytes) -> None:
    visitor.send(SetClientID(ClientID(client_id)), CanDo(FunctionName(b":f")))
    assert visitor.heard() == []
    (row,) = parse_rows(visitor.ask(b"workers\n"), parse_connection)
    assert (row.client_id, row.functions) == (client_id, (b":f",))


def test_an_id_is_cut_as_in_gearmand(visitor: Visitor) -> None:
    visitor.send(SetClientID(ClientID(b"x" * 127 + b"\n")))
    assert visitor.heard() == []
    assert visitor.peer.client_id == b"x" * 127


@pytest.mark.parametrize(
    ("unique", "row"),
    [
        (b".", b"\\x2e"),
        (b"..", b".."),
        (b"a\n.\nb", b"a\\x0a.\\x0ab"),
        (b"ERR x\r", b"ERR x\\x0d"),
        (b"\x1b[2J\x7f", b"\\x1b[2J\\x7f"),
        ("a\x9bb".encode(), b"a\\xc2\\x9bb"),
        (b"C:\\temp \xff", b"C:\\temp \xff"),
        ("größe".encode(), "größe".encode()),
    ],
)
def test_a_unique_may_be_anything_and_has_one_row(
    visitor: Visitor, unique: bytes, row: bytes
) -> None:
    key, function = UniqueKey(unique), FunctionName(b"f")
    visitor.send(SubmitJob(function, key, b""), SubmitJob(function, UniqueKey(b"last"), b""))
    visitor.said()
    assert parse_rows(visitor.ask(b"show unique jobs\n"), parse_unique) == [row, b"last"]
    visitor.send(CanDo(function), GrabJobUniq())
    assert JobAssignUnique(Handle(b"H:1"), function, key, b"") in visitor.heard()


@pytest.mark.parametrize(
    "command",
    [
        b"create function a\tb\n",
        b"create function \x1b[2J\n",
        b"create function a\rb\n",
        b"drop function a\0b\n",
        b"maxqueue a\x7f 1\n",
        b"cancel job H\t:1\n",
        b"acl grant register evil\tregister=.* f\n",
        b"status \x1b\n",
    ],
)
def test_a_command_with_control_characters_is_refused(visitor: Visitor, command: bytes) -> None:
    answer = b"ERR INVALID_ARGUMENTS Control+characters+are+not+allowed\r\n"
    assert visitor.ask(command) == answer
    assert rows(visitor) == []


@repeatable
@given(
    st.lists(st.binary(max_size=8) | st.sampled_from([*BAD_NAMES, *GOOD_NAMES]), max_size=4),
    st.lists(
        st.binary(max_size=8) | st.sampled_from([b"a :", b".", b"ERR x\r", b"OK"]), max_size=4
    ),
)
def test_tables_hold_what_the_server_has_and_nothing_else(
    names: list[bytes], others: list[bytes]
) -> None:
    desk = Desk()
    visitor = desk.visitor()
    for name in names:
        visitor.send(*naming(name.replace(b"\0", b"")))
    for other in others:
        word = other.replace(b"\0", b"")
        visitor.send(
            SetClientID(ClientID(word)), SubmitJob(FunctionName(b"f"), UniqueKey(word), b"")
        )
    visitor.said()
    functions = list(desk.engine.queues.functions)
    assert rows(visitor) == functions
    (row,) = parse_rows(visitor.ask(b"workers\n"), parse_connection)
    assert (row.client_id, row.functions) == (
        visitor.peer.client_id,
        tuple(name for name in visitor.peer.abilities if name),
    )
    uniques = parse_rows(visitor.ask(b"show unique jobs\n"), parse_unique)
    assert len(uniques) == len(desk.engine.jobs)


# Numbers


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("digits", [b"9" * 5000, b"9" * 21, b"1 " + b"9" * 5000 + b" 1"])
def test_an_absurd_limit_is_refused(desk: Desk, known: bool, digits: bytes) -> None:
    visitor = desk.visitor()
    if known:
        visitor.send(CanDo(FunctionName(b"f")))
    answer = b"ERR ARGUMENT_TOO_LARGE Limit+too+large\r\n"
    assert visitor.ask(b"maxqueue f " + digits + b"\n") == answer
    assert visitor.ask(b"maxqueue f 1\n") == b"OK\r\n"


@pytest.mark.parametrize("limit", [b"-1", b"-" + b"9" * 5000, b"x", b"0", "²".encode()])
def test_what_is_no_positive_number_is_no_limit(visitor: Visitor, limit: bytes) -> None:
    function = FunctionName(b"f")
    visitor.send(CanDo(function))
    assert visitor.ask(b"maxqueue f " + limit + b"\n") == b"OK\r\n"
    visitor.send(SubmitJob(function, NONE, b""), SubmitJob(function, NONE, b""))
    assert [type(packet) for packet in visitor.heard()] == [JobCreated, JobCreated]


def test_of_an_absurd_progress_nothing_is_kept(visitor: Visitor) -> None:
    function, handle = FunctionName(b"f"), Handle(b"H:1")
    visitor.send(SubmitJobBg(function, NONE, b""), CanDo(function), GrabJobUniq())
    visitor.said()
    visitor.send(WorkStatus(handle, b"9" * (1 << 20), b" 8x" + b"7" * (1 << 20)))
    job = next(iter(visitor.peer.assigned.values()))
    assert len(job.numerator) + len(job.denominator) < 200
    visitor.send(GetStatus(handle))
    assert StatusRes(handle, b"1", b"1", b"0", b"8") in visitor.heard()


# Another protocol


@pytest.mark.parametrize(
    "line",
    [
        b"GET / HTTP/1.1\r\n",
        b"POST /status HTTP/1.0\n",
        b"put /x y HTTP/1.1\r\n",
        b"PRI * HTTP/2.0\r\n",
        b"Host: localhost:4730\r\n",
        b"host:localhost\r\n",
    ],
)
def test_http_closes_the_connection(
    desk: Desk, visitor: Visitor, line: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    desk.receive(visitor, line + b"status\nshow jobs\n")
    desk.receive(visitor, b"status\n")
    assert visitor.peer.closing
    assert visitor.said() == b""
    (record,) = caplog.records
    assert record.getMessage() == f"{visitor.peer!r} speaks HTTP"


@pytest.mark.parametrize("line", [b"GET /\n", b"version HTTP/1.1\n", b"http\n", b"hosts\n"])
def test_other_lines_do_not(visitor: Visitor, line: bytes) -> None:
    assert visitor.ask(line) != b""
    assert not visitor.peer.closing


def test_unknown_commands_in_a_row_close_the_connection(
    desk: Desk, visitor: Visitor, caplog: pytest.LogCaptureFixture
) -> None:
    unknown = b"ERR UNKNOWN_COMMAND Unknown+server+commandX\r\n"
    desk.receive(visitor, b"X\n" * (MOST_UNKNOWN + 5))
    assert visitor.said() == unknown * (MOST_UNKNOWN - 1)
    assert visitor.peer.closing
    (record,) = caplog.records
    assert record.getMessage() == f"{visitor.peer!r} sent 16 unknown commands in a row"


def test_a_known_command_between_unknown_ones_keeps_it(visitor: Visitor) -> None:
    for _ in range(3 * MOST_UNKNOWN):
        for _ in range(MOST_UNKNOWN - 1):
            assert visitor.ask(b"jobs\n").startswith(b"ERR UNKNOWN_COMMAND")
        assert visitor.ask(b"version\n") == b"OK 1.0.0\n"
    visitor.send(EchoReq(b"x"))
    assert visitor.heard() == [EchoRes(b"x")]


def test_offences_are_logged_at_a_limited_rate(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(1000):
        desk.receive(desk.visitor(), b"GET / HTTP/1.1\r\n")
    assert len(caplog.records) == 10


def test_no_peer_writes_a_log_line(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "gear.Server")
    evil = b"\n2026-11-30 CRITICAL gear.Server: forged \x1b[2J\xc2\x9b\x7f\xe2\x80\xa8"
    visitor = desk.visitor()
    visitor.send(SetClientID(ClientID(evil)), *naming(evil), EchoReq(evil))
    visitor.peer.client_id = evil  # as a subclass of Server may set it
    visitor.ask(b"create function a " + evil[1:] + b"\n")
    function = FunctionName(b"f")
    visitor.send(CanDo(function), SubmitJob(function, UniqueKey(evil[:60]), b""), GrabJobUniq())
    worker = desk.visitor(CanDo(function))
    worker.peer.client_id = evil
    visitor.leave()
    desk.receive(worker, evil[1:] + b"\n" + b" x" * 9 + b"\n" + evil)
    desk.receive(desk.visitor(), b"\0\x1b[2\n" + evil)
    messages = [record.getMessage() for record in caplog.records]
    assert messages
    assert all(message.isprintable() for message in messages), messages


def test_no_pattern_is_matched_with_a_name_that_is_refused() -> None:
    acl = ACL()
    acl.add(ACLEntry("subject", register=".*", invoke=".*"))
    desk = Desk(acl=acl)
    for subject in ("subject", "other"):
        visitor = desk.visitor()
        visitor.peer.subject = subject
        for packet in naming(b"x" * (1 << 20)):
            visitor.send(packet)
            assert visitor.heard() == [Error(b"ARGUMENT_TOO_LARGE", b"Function name too large")]
