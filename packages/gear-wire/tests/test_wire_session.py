"""Session, the base of all: what is said is taken once and in order."""

import pytest

from gear_wire.packets import GrabJob, Noop, PreSleep
from gear_wire.session import Session


def test_what_is_said_is_taken_once_and_in_order() -> None:
    session = Session()
    session.greet()
    assert session.take() == []
    session.say(GrabJob())
    session.say(PreSleep())
    assert session.take() == [GrabJob(), PreSleep()]
    assert session.take() == []


def test_what_was_not_taken_is_lost_with_the_connection() -> None:
    session = Session()
    session.say(GrabJob())
    session.lost()
    assert session.take() == []


def test_each_protocol_says_what_packets_mean() -> None:
    with pytest.raises(NotImplementedError):
        Session().apply(Noop())
