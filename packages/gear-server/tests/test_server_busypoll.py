"""BusyPoll without a loop, and a server that looks longer than any test lasts."""

from collections.abc import Callable

import pytest

import gear_server
from gear_server.network import busypoll
from gear_server.network.busypoll import BusyPoll
from gear_server.settings import ServerSettings
from gear_wire.link.threads.connection import Connection


class Calls:
    """Stands in for a loop: keeps what it is to call."""

    def __init__(self) -> None:
        self.calls: list[Callable[[], None]] = []

    def call_soon(self, call: Callable[[], None]) -> None:
        self.calls.append(call)

    def turn(self) -> int:
        """Make the calls, and return how many they were."""
        calls, self.calls = self.calls, []
        for call in calls:
            call()
        return len(calls)


class Clock:
    """Stands in for the module `time`."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(busypoll, "time", clock)
    return clock


def looks(loop: Calls, busy_poll: BusyPoll, clock: Clock) -> bool:
    """Have something come and nothing after it; return whether the loop looked for more."""
    busy_poll.begin()
    looked = loop.turn() == 1
    clock.now += 1.0
    assert loop.turn() == looked
    assert loop.turn() == 0
    return looked


def test_without_a_time_it_never_looks() -> None:
    loop = Calls()
    BusyPoll(loop.call_soon, 0.0).begin()
    assert loop.turn() == 0


def test_it_looks_once_a_turn_until_the_end(clock: Clock) -> None:
    loop = Calls()
    busy_poll = BusyPoll(loop.call_soon, 1.0)
    busy_poll.begin()
    for _ in range(10):
        assert loop.turn() == 1
        clock.now += 0.9
        busy_poll.begin()
    busy_poll.end()
    assert loop.turn() == 1
    assert loop.turn() == 0
    busy_poll.begin()
    assert loop.turn() == 0


def test_looks_in_vain_become_rare(clock: Clock) -> None:
    loop = Calls()
    busy_poll = BusyPoll(loop.call_soon, 0.1)
    looked = [looks(loop, busy_poll, clock) for _ in range(8)]
    assert looked == [True, False, True, False, False, False, True, False]


def test_a_look_that_finds_is_followed_by_another(clock: Clock) -> None:
    loop = Calls()
    busy_poll = BusyPoll(loop.call_soon, 0.1)
    assert [looks(loop, busy_poll, clock) for _ in range(6)].count(True) == 2
    busy_poll.begin()
    busy_poll.begin()  # something came meanwhile
    assert [looks(loop, busy_poll, clock) for _ in range(4)] == [True, False, True, False]


def test_a_server_that_always_looks_serves_and_ends() -> None:
    server = gear_server.Server(0, host="127.0.0.1", settings=ServerSettings(busy_poll=1_000_000))
    connection = Connection("127.0.0.1", server.port)
    connection.connect()
    for number in range(10):
        data = b"%d" % number
        assert connection.echo(data, 10) == data
    connection.disconnect()
    server.shutdown()


def test_only_what_was_read_has_a_server_look(monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[BusyPoll] = []

    def begin(busy_poll: BusyPoll) -> None:
        begun.append(busy_poll)

    monkeypatch.setattr(BusyPoll, "begin", begin)
    server = gear_server.Server(0, host="127.0.0.1")
    connection = Connection("127.0.0.1", server.port)
    connection.connect()
    assert server.waitFor(lambda: len(server.active_connections) == 1, 10)
    connection.disconnect()
    assert server.waitFor(lambda: not server.active_connections, 10)
    connection.connect()
    assert connection.echo(b"x", 10) == b"x"
    assert len(begun) == 1
    connection.disconnect()
    server.shutdown()
