"""Replies: text goes to the requests in the order in which they were sent."""

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wire_strategies import cut, marks, repeatable

from gear_wire.framing import FrameReader, TextLine
from gear_wire.link.threads.replies import Replies
from gear_wire.link.threads.requests import AdminRequest, CancelJobAdminRequest


class Status(AdminRequest):
    """A command whose reply has several lines."""

    command = b"status"


def replies_to(*requests: AdminRequest) -> Replies:
    replies = Replies(logging.getLogger("gear.test.replies"))
    for request in requests:
        request.begin()
        replies.waiting.append(request)
    return replies


def test_two_replies_in_one_read() -> None:
    status, cancel = Status(), CancelJobAdminRequest("H:1")
    replies = replies_to(status, cancel)
    assert replies.take(b"a\t0\t0\t0\n") == []
    assert replies.take(b".\nOK\r\n") == [status, cancel]
    assert (status.response, cancel.response) == (b"a\t0\t0\t0\n.\n", b"OK\r\n")
    assert replies.waiting == []


def test_text_that_nobody_asked_for(caplog: pytest.LogCaptureFixture) -> None:
    status = Status()
    replies = replies_to(status)
    assert replies.take(b".\nsurprise\n") == [status]
    assert "text that nobody asked for" in caplog.text
    later = Status()
    replies.waiting.append(later)
    assert replies.take(b".\n") == [later]
    assert later.response == b".\n"


def test_a_lost_connection_forgets_all() -> None:
    first, second = Status(), Status()
    replies = replies_to(first, second)
    replies.take(b"half\n")
    assert replies.reset() == [first, second]
    assert replies.reset() == []
    again = Status()
    replies.waiting.append(again)
    assert replies.take(b".\n") == [again]
    assert again.response == b".\n"


rows = st.lists(st.sampled_from([b"a\t0\n", b"OK\t1\n", b"..\n", b"ERR\t2\n", b"\n"]), max_size=5)
kinds = st.lists(
    rows.map(lambda lines: b"".join([*lines, b".\n"])) | st.just(b"OK\r\n"), max_size=5
)


@repeatable
@given(kinds, marks)
def test_replies_in_pieces(texts: list[bytes], places: list[int]) -> None:
    requests = [Status() for _ in texts]
    replies, reader = replies_to(*requests), FrameReader(max_line_size=None)
    answered: list[AdminRequest] = []
    for piece in cut(b"".join(texts), places):
        lines = [event.line for event in reader.feed(piece) if isinstance(event, TextLine)]
        if lines:
            answered += replies.take(b"".join(lines))
    assert answered == requests
    assert [request.response for request in requests] == texts
