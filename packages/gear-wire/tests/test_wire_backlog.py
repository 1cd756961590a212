import pytest

from gear_wire.errors import ProtocolError
from gear_wire.link.backlog import MAX_BACKLOG, Backlog


def test_what_is_taken_counts_no_more() -> None:
    backlog = Backlog()
    for turn in range(100):
        backlog.note(MAX_BACKLOG // 2, turn * MAX_BACKLOG // 2)


def test_what_the_program_sends_is_no_credit_for_later() -> None:
    backlog = Backlog()
    backlog.note(0, 100 * MAX_BACKLOG)
    backlog.note(MAX_BACKLOG, 100 * MAX_BACKLOG)
    with pytest.raises(ProtocolError, match="that it does not take"):
        backlog.note(1, 100 * MAX_BACKLOG)


def test_a_server_that_takes_a_little_now_and_then() -> None:
    backlog = Backlog()
    with pytest.raises(ProtocolError):
        for turn in range(3 * MAX_BACKLOG // 1000):
            backlog.note(1000, turn)
