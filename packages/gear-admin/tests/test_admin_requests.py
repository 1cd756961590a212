"""The documented requests: what they send, when a reply is whole, what its rows are."""

import threading
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gear_admin import (
    AdminRequest,
    CancelJobAdminRequest,
    ShowJobsAdminRequest,
    ShowUniqueJobsAdminRequest,
    StatusAdminRequest,
    VersionAdminRequest,
    WorkersAdminRequest,
)
from gear_wire.errors import InvalidDataError, ServerError
from gear_wire.text import ConnectionStatus, FunctionStatus, JobStatus
from gear_wire.types import ClientID, FunctionName, Handle
from support.wire_strategies import cut, marks, repeatable


class SetPriority(AdminRequest):
    """A command that a program adds."""

    command: ClassVar[bytes | None] = b"set priority"


def answered(request: AdminRequest, reply: bytes) -> AdminRequest:
    assert request.isComplete(reply) == (True, b"")
    return request


@pytest.mark.parametrize(
    ("request_", "line"),
    [
        (StatusAdminRequest(), b"status\n"),
        (ShowJobsAdminRequest(), b"show jobs\n"),
        (ShowUniqueJobsAdminRequest(), b"show unique jobs\n"),
        (CancelJobAdminRequest("H:1"), b"cancel job H:1\n"),
        (CancelJobAdminRequest(b"H:1"), b"cancel job H:1\n"),
        (VersionAdminRequest(), b"version\n"),
        (WorkersAdminRequest(), b"workers\n"),
        (SetPriority("reverse", b"5"), b"set priority reverse 5\n"),
    ],
)
def test_what_is_sent(request_: AdminRequest, line: bytes) -> None:
    assert request_.getCommand() == line
    assert request_.response is None


def test_a_request_needs_a_command() -> None:
    with pytest.raises(NotImplementedError, match="must be subclassed"):
        AdminRequest()


@pytest.mark.parametrize("word", ["", "a b", "a\n", b"a\0"])
def test_an_argument_is_one_word(word: str | bytes) -> None:
    with pytest.raises(InvalidDataError, match="must be one word"):
        CancelJobAdminRequest(word)
    with pytest.raises(TypeError, match="bytes or str"):
        CancelJobAdminRequest(None)  # type: ignore[arg-type]  # what the test is about


@pytest.mark.parametrize(
    ("request_type", "reply"),
    [
        (StatusAdminRequest, b".\n"),
        (StatusAdminRequest, b".\r\n"),
        (StatusAdminRequest, b"reverse\t0\t0\t1\n.\n"),
        (StatusAdminRequest, b"reverse\t0\t0\t1\r\n.\r\n"),
        (StatusAdminRequest, b"OK\t0\t0\t1\nERR\t0\t0\t0\n.x\t0\t0\t0\n.\n"),
        (StatusAdminRequest, b"ERR UNKNOWN_COMMAND Unknown+server+command\r\n"),
        (WorkersAdminRequest, b"38 127.0.0.1 - :\n.\n"),
        (ShowJobsAdminRequest, b"H:1\t0\t0\t1\n.\n"),
        (ShowUniqueJobsAdminRequest, b"OK\n\nu\n.\n"),
        (ShowUniqueJobsAdminRequest, b"ERR UNKNOWN_SHOW_ARGUMENTS\r\n"),
        (VersionAdminRequest, b"OK 1.1.20+ds\n"),
        (VersionAdminRequest, b"1.140_001\n"),
        (SetPriority, b"OK\r\n"),
        (SetPriority, b"ERR UNKNOWN_COMMAND\r\n"),
        (SetPriority, b"several\nlines\n.\n"),
    ],
)
@repeatable
@given(places=marks)
def test_a_reply_is_whole_at_its_last_byte(
    request_type: type[StatusAdminRequest], reply: bytes, places: list[int]
) -> None:
    request = request_type()
    so_far = b""
    for piece in cut(reply, places):
        assert request.isComplete(so_far) == (False, None)
        assert request.response is None
        so_far += piece
    assert request.isComplete(so_far + b"next") == (True, b"next")
    assert request.response == reply


def test_a_reply_to_cancel_is_one_line() -> None:
    request = CancelJobAdminRequest("H:1")
    assert request.isComplete(b"OK\r") == (False, None)
    assert request.isComplete(b"OK\r\nOK\r\n") == (True, b"OK\r\n")
    request.check()
    failed = CancelJobAdminRequest("H:1")
    answered(failed, b"ERR UNKNOWN_JOB\r\n")
    with pytest.raises(ServerError, match="UNKNOWN_JOB"):
        failed.check()


def test_rows() -> None:
    status = StatusAdminRequest()
    answered(status, b"reverse\t3\t1\t2\n.\n")
    assert status.rows() == [FunctionStatus(FunctionName(b"reverse"), 3, 1, 2)]
    workers = WorkersAdminRequest()
    answered(workers, b"38 127.0.0.1 me : a b\n.\n")
    functions = (FunctionName(b"a"), FunctionName(b"b"))
    assert workers.rows() == [ConnectionStatus(38, "127.0.0.1", ClientID(b"me"), functions)]
    jobs = ShowJobsAdminRequest()
    answered(jobs, b"H:1\t1\t0\t1\n.\n")
    assert jobs.rows() == [JobStatus(Handle(b"H:1"), 1, ignored=False, queued=True)]
    uniques = ShowUniqueJobsAdminRequest()
    answered(uniques, b"u\n\n.\n")
    assert uniques.rows() == [b"u", b""]
    version = VersionAdminRequest()
    answered(version, b"OK 1.1.20\n")
    assert version.version() == "1.1.20"


def test_forged_rows_are_left_out(caplog: pytest.LogCaptureFixture) -> None:
    status = StatusAdminRequest()
    answered(status, b"\x1b[2J\nreverse\t3\t1\t2\n.\n")
    assert status.rows() == [FunctionStatus(FunctionName(b"reverse"), 3, 1, 2)]
    (line,) = caplog.records
    assert line.getMessage().isprintable()


def test_rows_before_the_reply() -> None:
    with pytest.raises(InvalidDataError, match="send it first"):
        StatusAdminRequest().rows()


def test_waiting_for_a_reply() -> None:
    request = StatusAdminRequest()
    assert not request.waitForResponse(0.01)
    thread = threading.Timer(0.02, request.setComplete)
    thread.start()
    assert request.waitForResponse(10)
    assert request.waitForResponse(0)
    thread.join()


def test_what_was_scanned_is_not_scanned_again() -> None:
    class Counting(bytes):
        scanned = 0

        def find(self, sub: bytes, start: int = 0, end: int = 1 << 62) -> int:  # type: ignore[override]  # as it is called here
            if sub != b"\n":
                Counting.scanned += len(self) - start
            return super().find(sub, start)

    request = StatusAdminRequest()
    row = b"function\t0\t0\t0\n"
    reply = b""
    for _ in range(100):
        reply += row
        assert request.isComplete(Counting(reply)) == (False, None)
    assert Counting.scanned < 4 * len(reply)
    assert request.isComplete(Counting(reply + b".\n")) == (True, b"")


@repeatable
@given(st.lists(st.binary(max_size=20), max_size=6))
def test_replies_that_make_no_sense_raise_nothing(pieces: list[bytes]) -> None:
    request, so_far = StatusAdminRequest(), b""
    for piece in pieces:
        so_far += piece
        complete, rest = request.isComplete(so_far)
        if complete:
            assert request.response is not None
            assert request.response + (rest or b"") == so_far
            return
