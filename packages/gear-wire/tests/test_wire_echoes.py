"""Echoes: each answer wakes the oldest that waits for its data."""

from gear_wire.link.threads.echoes import Echo, Echoes


def test_an_answer_wakes_the_oldest_of_its_data() -> None:
    echoes, waiting = Echoes(), [Echo("a"), Echo(b"b"), Echo(b"a")]
    for echo in waiting:
        echoes.add(echo)
    assert echoes.take(b"a")
    assert [echo.settled.is_set() for echo in waiting] == [True, False, False]
    assert waiting[0].reply == b"a"
    assert not echoes.take(b"c")
    assert echoes.take(b"a")
    assert not echoes.take(b"a")


def test_each_echo_is_something_unique() -> None:
    assert len({Echo(None).data for _ in range(100)}) == 100


def test_who_gives_up_is_not_woken() -> None:
    echoes, echo = Echoes(), Echo(b"a")
    echoes.add(echo)
    echoes.discard(echo)
    echoes.discard(echo)
    assert not echoes.take(b"a")
    assert not echo.settled.is_set()


def test_a_lost_connection_wakes_all_without_an_answer() -> None:
    echoes, waiting = Echoes(), [Echo(b"a"), Echo(b"b")]
    for echo in waiting:
        echoes.add(echo)
    echoes.reset()
    assert all(echo.settled.is_set() and echo.reply is None for echo in waiting)
    assert not echoes.take(b"a")
