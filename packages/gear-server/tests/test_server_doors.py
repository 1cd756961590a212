"""Which connections are let in, and that others keep their service when one is refused."""

import logging
import resource
import socket
from collections.abc import Iterator

import pytest

from gear_server import Server
from gear_server.engine.counters import Counters
from gear_server.network import doors
from gear_server.network.descriptors import descriptor_limit
from gear_server.network.doors import Doors
from gear_server.settings import ServerSettings

HOST = "127.0.0.1"
WAIT = 30.0
LOG = logging.getLogger("gear.Server")


def connect(server: Server, source: str = HOST) -> socket.socket:
    return socket.create_connection((HOST, server.port), WAIT, source_address=(source, 0))


def answers(sock: socket.socket) -> bool:
    """Return whether a connection is served, rather than closed."""
    try:
        sock.sendall(b"version\n")
        return sock.recv(100).startswith(b"OK ")
    except ConnectionError:
        return False


def wait_for_room(server: Server, connections: int) -> None:
    assert server.waitFor(lambda: len(server.active_connections) == connections, WAIT)


@pytest.fixture
def three() -> Iterator[Server]:
    with Server(0, host=HOST, settings=ServerSettings(max_connections=3)) as server:
        yield server


def test_too_many_connections_are_closed_at_once(
    three: Server, caplog: pytest.LogCaptureFixture
) -> None:
    inside = [connect(three) for _ in range(3)]
    assert all(map(answers, inside))
    with connect(three) as late:
        port = late.getsockname()[1]
        assert not answers(late)
    assert all(map(answers, inside))
    assert three.counters.connections_refused == 1
    assert (
        f"Refused connection from {HOST} port {port}: 3 connections are open: max_connections"
        in caplog.text
    )
    inside.pop().close()
    wait_for_room(three, 2)
    with connect(three) as late:
        assert answers(late)
    for sock in inside:
        sock.close()


def test_a_crowd_that_is_refused_costs_few_lines_and_no_service(
    three: Server, caplog: pytest.LogCaptureFixture
) -> None:
    inside = [connect(three) for _ in range(3)]
    assert all(map(answers, inside))
    for _ in range(50):
        with connect(three) as late:
            assert not answers(late)
    assert answers(inside[0])
    for sock in inside:
        sock.close()
    wait_for_room(three, 0)
    three.shutdown()
    assert three.counters.connections_refused == 50
    assert caplog.text.count("Refused connection from") == 10
    assert "Refused connections: 40 more, not logged" in caplog.text


def test_one_address_may_have_so_many(caplog: pytest.LogCaptureFixture) -> None:
    settings = ServerSettings(max_connections_per_address=2)
    with Server(0, host=HOST, settings=settings) as server:
        inside = [connect(server, "127.0.0.2") for _ in range(2)]
        assert all(map(answers, inside))
        with connect(server, "127.0.0.2") as late, connect(server, "127.0.0.3") as other:
            assert not answers(late)
            assert answers(other)
        assert server.counters.connections_refused == 1
        assert "it has 2 connections: max_connections_per_address" in caplog.text
        inside.pop().close()
        wait_for_room(server, 1)
        with connect(server, "127.0.0.2") as late:
            assert answers(late)
        inside.pop().close()


@pytest.fixture
def counted() -> Counters:
    return Counters()


def admitted(made: Doors, host: str, tries: int) -> int:
    """Return how many of so many connections are let in."""
    return sum(made.admit(host, number) is not None for number in range(tries))


def test_a_quarter_is_left_to_others_by_default(counted: Counters) -> None:
    made = Doors(ServerSettings(max_connections=8), counted, LOG)
    assert admitted(made, "192.0.2.1", 10) == 6
    assert admitted(made, "2001:db8::1", 1) == 1
    assert admitted(made, HOST, 9) == 1
    assert counted.connections_refused == 4 + 8


@pytest.mark.parametrize("host", [HOST, "127.1.2.3", "::1", "::ffff:127.0.0.1"])
def test_this_machine_itself_may_have_all(host: str, counted: Counters) -> None:
    made = Doors(ServerSettings(max_connections=8), counted, LOG)
    assert admitted(made, host, 10) == 8


def test_what_one_address_may_have_follows_from_the_limit_of_open_files(
    counted: Counters, monkeypatch: pytest.MonkeyPatch
) -> None:
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    assert descriptor_limit() == (None if soft == resource.RLIM_INFINITY else soft)
    for limit, share in ((40, 30), (1, 1), (None, 75)):
        monkeypatch.setattr(doors, "descriptor_limit", lambda limit=limit: limit)
        made = Doors(ServerSettings(max_connections=100), counted, LOG)
        assert admitted(made, "192.0.2.1", 100) == share


def test_who_leaves_twice_counts_once(counted: Counters) -> None:
    made = Doors(ServerSettings(max_connections=2), counted, LOG)
    first, second = made.admit(HOST, 1), made.admit(HOST, 2)
    assert first is not None
    assert second is not None
    first.leave()
    first.leave()
    assert made.open == 1
    assert admitted(made, HOST, 2) == 1
