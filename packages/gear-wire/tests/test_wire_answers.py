"""Answers: text goes to the requests in the order in which they were sent."""

from hypothesis import given
from hypothesis import strategies as st

from gear_wire.framing import FrameReader, TextLine
from gear_wire.link.threads.answers import Answers, Echo
from gear_wire.link.threads.requests import AdminRequest, CancelJobAdminRequest
from support.wire_strategies import cut, marks, repeatable


class Status(AdminRequest):
    """A command whose reply has several lines."""

    command = b"status"


def replies_to(*requests: AdminRequest) -> Answers:
    replies = Answers()
    for request in requests:
        request.begin()
        replies.expect(request)
    return replies


def test_two_replies_in_one_read() -> None:
    status, cancel = Status(), CancelJobAdminRequest("H:1")
    replies = replies_to(status, cancel)
    assert replies.receive_text(b"a\t0\t0\t0\n") == []
    assert replies.receive_text(b".\nOK\r\n") == [status, cancel]
    assert (status.response, cancel.response) == (b"a\t0\t0\t0\n.\n", b"OK\r\n")
    assert replies.requests == []


def test_text_that_nobody_asked_for() -> None:
    status = Status()
    replies = replies_to(status)
    assert replies.receive_text(b".\nsurprise\n") == [status]
    assert replies.wrong == r"text that nobody asked for: b'surprise\n'"
    replies.reset()
    assert replies.wrong == ""


def test_text_that_the_program_may_have_asked_for() -> None:
    replies = replies_to()
    replies.by_hand = True
    assert replies.receive_text(b"surprise\n") == []
    assert replies.wrong == ""
    later = Status()
    replies.expect(later)
    assert replies.receive_text(b".\n") == [later]
    assert later.response == b".\n"


def test_a_lost_connection_forgets_all() -> None:
    first, second = Status(), Status()
    replies = replies_to(first, second)
    replies.receive_text(b"half\n")
    assert replies.reset() == [first, second]
    assert replies.reset() == []
    again = Status()
    replies.expect(again)
    assert replies.receive_text(b".\n") == [again]
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
            answered += replies.receive_text(b"".join(lines))
    assert answered == requests
    assert [request.response for request in requests] == texts


def test_an_answer_wakes_the_oldest_of_its_data() -> None:
    echoes, waiting = Answers(), [Echo("a"), Echo(b"b"), Echo(b"a")]
    for echo in waiting:
        echoes.expect_echo(echo)
    assert echoes.receive_echo(b"a")
    assert [echo.settled.is_set() for echo in waiting] == [True, False, False]
    assert waiting[0].reply == b"a"
    assert not echoes.receive_echo(b"c")
    assert echoes.receive_echo(b"a")
    assert not echoes.receive_echo(b"a")


def test_each_echo_is_something_unique() -> None:
    assert len({Echo(None).data for _ in range(100)}) == 100


def test_who_gives_up_is_not_woken() -> None:
    echoes, echo = Answers(), Echo(b"a")
    echoes.expect_echo(echo)
    echoes.forget_echo(echo)
    echoes.forget_echo(echo)
    assert not echoes.receive_echo(b"a")
    assert not echo.settled.is_set()


def test_a_lost_connection_wakes_all_without_an_answer() -> None:
    echoes, waiting = Answers(), [Echo(b"a"), Echo(b"b")]
    for echo in waiting:
        echoes.expect_echo(echo)
    echoes.reset()
    assert all(echo.settled.is_set() and echo.reply is None for echo in waiting)
    assert not echoes.receive_echo(b"a")
