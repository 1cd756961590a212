"""Several servers, lost servers and lost connections, over both faces."""

import threading
from collections.abc import Iterator

import pytest

import gear
from support.faces import AsyncFace, Face, ThreadFace, connected, reverse


@pytest.fixture(params=["threads", "asyncio"])
def kind(request: pytest.FixtureRequest) -> str:
    value: str = request.param
    return value


@pytest.fixture
def servers() -> Iterator[list[gear.Server]]:
    servers = [gear.Server(0, host="127.0.0.1") for _ in range(3)]
    yield servers
    for server in servers:
        server.shutdown()


def addresses(servers: list[gear.Server]) -> list[tuple[str, int]]:
    return [("127.0.0.1", server.port) for server in servers]


def wait_for_connections(face: Face, number: int) -> None:
    if isinstance(face, ThreadFace):
        condition = face.client.connections_condition
        with condition:
            assert condition.wait_for(lambda: len(face.client.active_connections) == number, 10)
    if isinstance(face, AsyncFace):

        async def wait() -> None:
            while len(face.client.links) != number:
                await face.client._changed.wait()

        face.run(wait())


def test_jobs_go_round(kind: str, servers: list[gear.Server]) -> None:
    with connected(kind, addresses(servers)) as face:
        wait_for_connections(face, 3)
        for number in range(9):
            face.submit("nobody", b"%d" % number, background=True)
        assert [server.total_jobs for server in servers] == [3, 3, 3]


def test_a_lost_server_ends_its_jobs_at_once(kind: str, servers: list[gear.Server]) -> None:
    with connected(kind, addresses(servers[:1])) as face:
        task = face.submit("nobody", b"")
        servers[0].shutdown()
        with pytest.raises(gear.JobFailedError, match="lost its server"):
            task.result()
        with pytest.raises(gear.NoConnectedServersError):
            face.submit("nobody", b"")


def test_it_comes_back_with_all_it_can_do(kind: str, servers: list[gear.Server]) -> None:
    port = servers[0].port
    with connected(kind, addresses(servers[:1])) as face:
        face.serve("reverse", reverse)
        assert face.submit("reverse", b"ab").result() == b"ba"
        servers[0].shutdown()
        wait_for_connections(face, 0)
        servers[0] = gear.Server(port, host="127.0.0.1")
        wait_for_connections(face, 1)
        assert face.submit("reverse", b"abc").result() == b"cba"


def test_one_server_is_enough(kind: str, servers: list[gear.Server]) -> None:
    with connected(kind, addresses(servers)) as face:
        wait_for_connections(face, 3)
        face.serve("reverse", reverse)
        servers[0].shutdown()
        servers[1].shutdown()
        wait_for_connections(face, 1)
        assert face.submit("reverse", b"ab").result() == b"ba"


def test_a_worker_takes_no_more_than_it_needs(kind: str, servers: list[gear.Server]) -> None:
    """One that waits once is given one job, though three servers have one."""
    with connected(kind, addresses(servers)) as face:
        wait_for_connections(face, 3)
        for number in range(3):
            face.submit("slow", b"%d" % number, background=True)
        begun, go_on = threading.Event(), threading.Event()

        def work(assigned: object) -> None:
            begun.set()
            assert go_on.wait(20)

        face.serve("slow", work)
        assert begun.wait(20)
        assert sum(server.running_jobs for server in servers) == 1
        go_on.set()
