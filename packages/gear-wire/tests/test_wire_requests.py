"""AdminRequest, the base of all text commands; the commands are tested in gear-admin."""

import threading
from typing import ClassVar

import pytest

from gear_wire.errors import InvalidDataError, ServerError
from gear_wire.link.threads.requests import AdminRequest, CancelJobAdminRequest


class Status(AdminRequest):
    """A command whose reply has several lines."""

    command: ClassVar[bytes | None] = b"status"


def test_what_is_sent() -> None:
    assert Status().getCommand() == b"status\n"
    assert Status("a", b"b").getCommand() == b"status a b\n"
    assert CancelJobAdminRequest("H:1").getCommand() == b"cancel job H:1\n"
    with pytest.raises(NotImplementedError, match="must be subclassed"):
        AdminRequest()
    with pytest.raises(InvalidDataError, match="must be one word"):
        Status("a b")
    with pytest.raises(TypeError, match="an argument of 'cancel job' must be bytes or str"):
        CancelJobAdminRequest(5)  # type: ignore[arg-type]  # what the test is about


def test_a_reply_ends_with_a_dot() -> None:
    request = Status()
    assert request.isComplete(b"a\t0\t0\t0\n") == (False, None)
    assert request.isComplete(b"a\t0\t0\t0\n.\nrest") == (True, b"rest")
    assert request.reply() == request.response == b"a\t0\t0\t0\n.\n"


@pytest.mark.parametrize("line", [b"OK\r\n", b"ERR UNKNOWN_COMMAND\r\n", b".\n"])
def test_a_reply_of_one_line(line: bytes) -> None:
    request = Status()
    assert request.isComplete(line[:-1]) == (False, None)
    assert request.isComplete(line) == (True, b"")


def test_only_a_line_that_may_be_the_end_is_looked_at() -> None:
    request = Status()
    looks = [request.may_end(text) for text in (b"a\n", b"b\n", b"c\n.d\n", b".\n")]
    assert looks == [True, False, False, True]


def test_a_subclass_with_an_end_of_its_own_looks_each_time() -> None:
    class Own(Status):
        def isComplete(self, data: bytes) -> tuple[bool, bytes | None]:
            return data.endswith(b"END\n"), b""

    request = Own()
    assert all(request.may_end(b"x\n") for _ in range(3))


def test_a_request_may_be_sent_again() -> None:
    request = Status()
    request.isComplete(b".\n")
    request.setComplete()
    assert request.waitForResponse(0)
    request.begin()
    assert request.response is None
    assert not request.waitForResponse(0.01)
    with pytest.raises(InvalidDataError, match="send it first"):
        request.reply()
    timer = threading.Timer(0.02, request.setComplete)
    timer.start()
    assert request.waitForResponse(10)
    timer.join()


def test_a_job_that_was_not_cancelled() -> None:
    request = CancelJobAdminRequest(b"H:1")
    request.isComplete(b"OK\r\n")
    request.check()
    request.isComplete(b"ERR UNKNOWN_JOB\r\n")
    with pytest.raises(ServerError, match="UNKNOWN_JOB"):
        request.check()
