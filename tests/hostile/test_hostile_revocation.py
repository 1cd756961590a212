"""Rights that are taken while their owners are connected, over real TLS."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import gear
from support.certificates import Authority, Files
from support.faces import connected, reverse

HOST = "127.0.0.1"
WAIT = 20.0


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Files]:
    authority = Authority(tmp_path / "authority")
    return {name: authority.issue(HOST, common_name=name) for name in ("worker", "client", "other")}


@pytest.fixture
def acl() -> gear.ACL:
    acl = gear.ACL()
    acl.add(gear.ACLEntry("worker", register="reverse"))
    acl.add(gear.ACLEntry("client", invoke="reverse", grant=True))
    return acl


@pytest.fixture
def server(files: dict[str, Files], acl: gear.ACL) -> Iterator[gear.Server]:
    with gear.Server(0, *files["other"], acl=acl, host=HOST) as server:
        yield server


@pytest.mark.parametrize("kind", ["threads", "asyncio"])
def test_a_worker_that_waits_loses_its_functions(
    kind: str, server: gear.Server, acl: gear.ACL, files: dict[str, Files]
) -> None:
    """The program changes the list, in a thread of its own, while nothing else happens."""
    address = [(HOST, server.port)]
    with (
        connected(kind, address, files["worker"]) as worker,
        connected(kind, address, files["client"]) as client,
    ):
        worker.serve("reverse", reverse)
        assert client.submit("reverse", b"ab").result() == b"ba"
        acl.revokeRegister("worker")
        assert server.waitFor(
            lambda: not any(known.functions for known in server.active_connections), WAIT
        )
        task = client.submit("reverse", b"cd")
        worker.echo(b"")
        assert (server.total_jobs, server.running_jobs) == (1, 0)
        assert client.cancel(task.job)


def test_servers_that_share_a_list_may_change_it_at_once(
    server: gear.Server, acl: gear.ACL, files: dict[str, Files]
) -> None:
    """Each change is told to the other server, in the thread of the one that makes it."""
    with gear.Server(0, *files["other"], acl=acl, host=HOST) as second:
        connections = []
        for port in (server.port, second.port):
            connection = gear.Connection(HOST, port, *files["client"])
            connection.connect()
            connections.append(connection)
        answers: list[bytes | None] = []

        def change(connection: gear.Connection, subject: str) -> None:
            for right in ("see", "admin") * 50:
                request = Change(right, subject)
                connection.sendAdminRequest(request, WAIT)
                answers.append(request.response)

        threads = [
            threading.Thread(target=change, args=(connection, f"subject{number}"), daemon=True)
            for number, connection in enumerate(connections)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(3 * WAIT)
        assert answers == [b"OK\n"] * 200
        for connection in connections:
            connection.disconnect()


class Change(gear.AdminRequest):
    command = b"acl grant"
