"""Timers: what is due when, without a clock."""

import random

from gear_server.engine.timers import Timers


def run(timers: Timers, now: float) -> None:
    for call in timers.due(now):
        call(now)


def test_calls_are_made_at_their_time_and_in_order() -> None:
    timers, seen = Timers(), list[tuple[str, float]]()
    for name, when in (("c", 3.0), ("a", 1.0), ("b", 2.0), ("b again", 2.0)):
        timers.at(when, lambda now, name=name: seen.append((name, now)))  # type: ignore[misc]  # a lambda with a default
    assert timers.next == 1.0
    run(timers, 0.5)
    assert seen == []
    run(timers, 2.0)
    assert seen == [("a", 2.0), ("b", 2.0), ("b again", 2.0)]
    assert timers.next == 3.0
    run(timers, 100.0)
    assert seen[-1] == ("c", 100.0)
    assert timers.next is None


def test_a_call_may_ask_for_another() -> None:
    timers, seen = Timers(), list[float]()

    def again(now: float) -> None:
        seen.append(now)
        timers.at(now + 1, again)

    timers.at(1.0, again)
    for now in (1.0, 1.5, 2.0, 3.0):
        run(timers, now)
    assert seen == [1.0, 2.0, 3.0]


def test_a_call_is_cancelled() -> None:
    timers, seen = Timers(), list[float]()
    first = timers.at(1.0, seen.append)
    timers.at(2.0, seen.append)
    timers.cancel(first)
    timers.cancel(first)
    assert timers.next == 2.0
    run(timers, 3.0)
    assert seen == [3.0]
    timers.cancel(first)


def test_many_come_and_go() -> None:
    timers, expected, seen = Timers(), list[int](), list[int]()
    chance = random.Random(1)
    for number in range(1000):
        when = chance.randrange(100)
        timer = timers.at(when, lambda now, number=number: seen.append(number))  # type: ignore[misc]  # a lambda with a default
        if chance.random() < 0.7:
            timers.cancel(timer)
        else:
            expected.append(number)
    run(timers, 100.0)
    assert sorted(seen) == expected
    assert timers.next is None
