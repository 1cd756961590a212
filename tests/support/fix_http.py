"""A server that serves HTTP, and a client and a worker of it."""

from collections.abc import Iterator

import pytest

import gear
from gear_server.settings import ServerSettings


@pytest.fixture
def http_server() -> Iterator[gear.Server]:
    settings = ServerSettings(http="0", cancel_running=True, tell_cancelled=True)
    with gear.Server(0, host="127.0.0.1", settings=settings) as server:
        yield server


@pytest.fixture
def http_client(http_server: gear.Server) -> Iterator[gear.Client]:
    with gear.Client() as client:
        client.addServer("127.0.0.1", http_server.port)
        client.waitForServer()
        yield client


@pytest.fixture
def http_worker(http_server: gear.Server) -> Iterator[gear.Worker]:
    with gear.Worker("a worker") as worker:
        worker.addServer("127.0.0.1", http_server.port)
        worker.waitForServer()
        yield worker
