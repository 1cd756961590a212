"""Rows of the administrative protocol: what a server writes is what a client reads."""

from hypothesis import given
from hypothesis import strategies as st

from gear_admin import AdminRequest, StatusAdminRequest, WorkersAdminRequest
from gear_wire.text import (
    ConnectionStatus,
    FunctionQueue,
    FunctionStatus,
    JobStatus,
    command,
    parse_connection,
    parse_function_queue,
    parse_function_status,
    parse_job,
    parse_rows,
    parse_unique,
)
from support.wire_strategies import cut, marks, numbers, repeatable, words

names = st.lists(words, min_size=1, max_size=3).map(b"\t".join)
# " :" ends the client's id, and geard takes none that holds it.
client_ids = st.lists(words, max_size=3).map(b" ".join).filter(lambda each: b" :" not in each)
flags = st.booleans()
ends = st.sampled_from([b"\n", b"\r\n"])


def written(lines: list[bytes], end: bytes) -> bytes:
    return b"".join(line + end for line in [*lines, b"."])


def numbers_after(name: bytes, *values: int) -> bytes:
    return b"\t".join([name, *(b"%d" % value for value in values)])


@repeatable
@given(st.lists(st.builds(FunctionStatus, names, numbers, numbers, numbers)), ends)
def test_status(rows: list[FunctionStatus], end: bytes) -> None:
    lines = [numbers_after(row.function, row.total, row.running, row.workers) for row in rows]
    assert parse_rows(written(lines, end), parse_function_status) == rows


@repeatable
@given(st.lists(st.builds(FunctionQueue, names, numbers, numbers, numbers, numbers)), ends)
def test_prioritystatus(rows: list[FunctionQueue], end: bytes) -> None:
    lines = [
        numbers_after(row.function, row.high, row.normal, row.low, row.workers) for row in rows
    ]
    assert parse_rows(written(lines, end), parse_function_queue) == rows


@repeatable
@given(st.lists(st.builds(JobStatus, words, numbers, flags, flags)), ends)
def test_show_jobs(rows: list[JobStatus], end: bytes) -> None:
    lines = [numbers_after(row.handle, row.retries, row.ignored, row.queued) for row in rows]
    assert parse_rows(written(lines, end), parse_job) == rows


@repeatable
@given(st.lists(st.just(b"") | words.filter(lambda unique: unique != b".")), ends)
def test_show_unique_jobs(rows: list[bytes], end: bytes) -> None:
    assert parse_rows(written(rows, end), parse_unique) == rows


connections = st.builds(
    ConnectionStatus,
    st.integers(-1, 100_000),
    st.ip_addresses().map(str),
    client_ids,
    st.lists(words, max_size=5).map(tuple),
)


def line_of(row: ConnectionStatus) -> bytes:
    head = b"%d %b %b :" % (row.descriptor, row.address.encode(), row.client_id)
    return b" ".join([head, *row.functions])


@repeatable
@given(st.lists(connections), ends)
def test_workers(rows: list[ConnectionStatus], end: bytes) -> None:
    lines = [line_of(row) for row in rows]
    assert parse_rows(written(lines, end), parse_connection) == rows


@repeatable
@given(words, st.lists(words, max_size=4))
def test_the_words_of_a_command_are_read_as_they_were_given(
    verb: bytes, arguments: list[bytes]
) -> None:
    line = command(verb, *arguments)
    assert line.endswith(b"\n")
    assert line.split() == [verb, *arguments]


@repeatable
@given(
    st.lists(st.builds(FunctionStatus, names, numbers, numbers, numbers)),
    st.lists(connections),
    marks,
)
def test_replies_one_after_the_other_in_pieces(
    functions: list[FunctionStatus], peers: list[ConnectionStatus], places: list[int]
) -> None:
    status, workers = StatusAdminRequest(), WorkersAdminRequest()
    lines = [numbers_after(row.function, row.total, row.running, row.workers) for row in functions]
    data = written(lines, b"\n") + written([line_of(row) for row in peers], b"\n")
    waiting: list[AdminRequest] = [status, workers]
    held = b""
    for piece in cut(data, places):
        held += piece
        while waiting and held:
            complete, rest = waiting[0].isComplete(held)
            if not complete:
                break
            del waiting[0]
            held = rest or b""
    assert (waiting, held) == ([], b"")
    assert (status.rows(), workers.rows()) == (functions, peers)
