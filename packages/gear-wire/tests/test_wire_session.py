"""Session, the base of all: what is said is taken once and in order."""

import pytest

from gear_wire.packets import GrabJob, Noop, PreSleep
from gear_wire.session import Session


def test_what_is_said_is_taken_once_and_in_order() -> None:
    session = Session()
    session.greet()
    assert session.packets_to_send() == []
    session.queue(GrabJob())
    session.queue(PreSleep())
    assert session.packets_to_send() == [GrabJob(), PreSleep()]
    assert session.packets_to_send() == []


def test_what_was_not_taken_is_lost_with_the_connection() -> None:
    session = Session()
    session.queue(GrabJob())
    session.lost()
    assert session.packets_to_send() == []


def test_each_protocol_says_what_packets_mean() -> None:
    with pytest.raises(NotImplementedError):
        Session().apply(Noop())
