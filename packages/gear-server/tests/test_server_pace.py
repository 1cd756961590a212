"""How the time of the loop is divided between busy connections and the others."""

import pytest

from gear_server.network.pace import COMPANY, LONG, MOST, SHORT, SOME, Pace

START = 0.0


def test_alone_busy_connections_have_all_of_the_time() -> None:
    pace = Pace()
    assert pace.end(START) == START + LONG
    pace.rest(START + LONG, LONG)
    assert pace.end(START + LONG) == pytest.approx(START + 2 * LONG)


def test_beside_others_they_have_half_of_it_in_short_pieces() -> None:
    pace = Pace()
    pace.others_at = START
    assert pace.company(START)
    end = pace.end(START)
    assert end == START + SHORT
    pace.rest(end, SHORT)
    middle = end + SHORT / 2
    assert pace.end(middle) == middle
    assert pace.end(end + 1.1 * SHORT) > end + 2 * SHORT


def test_who_took_longer_rests_longer() -> None:
    pace = Pace()
    pace.others_at = START
    pace.rest(START, 10 * SHORT)
    pace.rest(START, 10 * SHORT)
    last = START + 19 * SHORT
    assert pace.end(last) == last
    assert pace.end(START + 21 * SHORT) > START + 21 * SHORT


def test_others_that_have_fallen_silent_get_no_time() -> None:
    pace = Pace()
    pace.others_at = START
    pace.rest(START, 10 * COMPANY)
    later = START + COMPANY
    assert not pace.company(later)
    assert pace.end(later) == later + LONG


def test_less_of_a_read_is_taken_at_once_beside_others() -> None:
    pace = Pace()
    assert pace.most(START) == MOST
    pace.others_at = START
    assert SOME < pace.most(START) < MOST
