"""A certificate that does not name its host: every face says how to accept it all the same."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import gear
from support.certificates import Authority, Files, old_files

HOST = "127.0.0.1"
WAIT = 30.0
REMEDY = (
    "ssl_check_hostname=False, or GEAR_SSL_CHECK_HOSTNAME=0 in the environment, accepts "
    "certificates without the host's name"
)
Connect = Callable[[int, Files, bool], None]
REFUSED = 3
"""Seconds within which a busy machine has refused a certificate; the whole of them pass."""


def by_client(port: int, files: Files, check: bool) -> None:
    client = gear.Client()
    client.addServer(HOST, port, *files, ssl_check_hostname=check)
    try:
        client.waitForServer(REFUSED if check else WAIT)
    finally:
        client.shutdown()


def by_worker(port: int, files: Files, check: bool) -> None:
    worker = gear.Worker("worker")
    worker.addServer(HOST, port, *files, ssl_check_hostname=check)
    try:
        worker.waitForServer(REFUSED if check else WAIT)
    finally:
        worker.shutdown()


def by_admin(port: int, files: Files, check: bool) -> None:
    with gear.AdminClient(HOST, port, *files, ssl_check_hostname=check) as admin:
        admin.status()


def by_async_client(port: int, files: Files, check: bool) -> None:
    async def connect() -> None:
        async with gear.AsyncClient() as client:
            client.add_server(HOST, port, *files, ssl_check_hostname=check)
            await client.wait_for_server(REFUSED if check else WAIT)

    asyncio.run(connect())


def by_async_worker(port: int, files: Files, check: bool) -> None:
    async def connect() -> None:
        async with gear.AsyncWorker() as worker:
            worker.add_server(HOST, port, *files, ssl_check_hostname=check)
            await worker.wait_for_server(REFUSED if check else WAIT)

    asyncio.run(connect())


def by_async_admin(port: int, files: Files, check: bool) -> None:
    async def connect() -> None:
        async with gear.AsyncAdminClient(HOST, port, *files, ssl_check_hostname=check) as admin:
            await admin.status()

    asyncio.run(connect())


FACES = [by_client, by_worker, by_admin, by_async_client, by_async_worker, by_async_admin]


@pytest.fixture(params=["other name", "no name"])
def files(request: pytest.FixtureRequest, tmp_path: Path) -> Files:
    if request.param == "no name":
        return old_files(tmp_path / "old", "somebody")
    return Authority(tmp_path / "authority").issue("elsewhere.example.com")


@pytest.fixture
def server(files: Files) -> Iterator[gear.Server]:
    with gear.Server(0, *files, host=HOST) as server:
        yield server


@pytest.mark.parametrize("connect", FACES, ids=lambda connect: connect.__name__)
def test_the_error_says_how_to_accept_it(
    connect: Connect, server: gear.Server, files: Files
) -> None:
    with pytest.raises((gear.TimeoutError, ConnectionError), match=REMEDY):
        connect(server.port, files, True)


@pytest.mark.parametrize("connect", FACES, ids=lambda connect: connect.__name__)
def test_the_remedy_works(connect: Connect, server: gear.Server, files: Files) -> None:
    connect(server.port, files, False)
