"""Who must go when what all connections hold is too much."""

from hypothesis import given
from hypothesis import strategies as st

from gear_server.network.holdings import FEW, Holdings
from gear_server.network.memory import Memory

MOST = 100 * FEW


class Jobs:
    used = 0


def memory(jobs: int = 0) -> Memory[str, str]:
    kept = Jobs()
    kept.used = jobs
    return Memory(MOST, kept)


@given(st.lists(st.tuples(st.sampled_from("abcde"), st.integers(0, 3 * FEW))))
def test_the_total_is_that_of_who_has_more_than_a_few(notes: list[tuple[str, int]]) -> None:
    holdings: Holdings[str] = Holdings()
    for holder, size in notes:
        holdings.note(holder, size)
    many = {holder: size for holder, size in dict(notes).items() if size > FEW}
    assert holdings.total == sum(many.values())
    if many:
        assert many[holdings.largest()] == max(many.values())


def test_nobody_goes_while_there_is_room() -> None:
    shares = memory()
    shares.unsent.note("a", 49 * FEW)
    shares.untaken.note("b", 49 * FEW)
    assert shares.slowest_reader() is None
    assert shares.largest_sender() is None


def test_who_holds_the_most_goes_first() -> None:
    shares = memory()
    shares.unsent.note("a", 40 * FEW)
    shares.unsent.note("b", 61 * FEW)
    assert shares.slowest_reader() == "b"
    shares.unsent.note("b", 0)
    assert shares.slowest_reader() is None


def test_jobs_take_of_the_room_but_leave_a_quarter_to_each_direction() -> None:
    shares = memory(jobs=MOST)
    shares.unsent.note("a", 25 * FEW)
    shares.untaken.note("b", 25 * FEW)
    assert shares.slowest_reader() is None
    assert shares.largest_sender() is None
    shares.unsent.note("a", 26 * FEW)
    assert shares.slowest_reader() == "a"
    assert shares.largest_sender() is None


def test_each_direction_takes_of_the_others_room() -> None:
    shares = memory()
    shares.unsent.note("a", 60 * FEW)
    shares.untaken.note("b", 41 * FEW)
    assert shares.largest_sender() == "b"
