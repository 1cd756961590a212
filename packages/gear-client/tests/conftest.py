"""A scripted server and a client of it, which most tests of gear-client share."""

from collections.abc import Iterator

import pytest

from gear_client import Client
from support.client_peers import connected
from support.scripted_jobs import Jobs
from support.scripted_server import ScriptedServer, scripted_server


@pytest.fixture
def jobs() -> Jobs:
    return Jobs()


@pytest.fixture
def server(jobs: Jobs) -> Iterator[ScriptedServer]:
    with scripted_server(jobs) as server:
        yield server


@pytest.fixture
def client(server: ScriptedServer) -> Iterator[Client]:
    client = connected(server)
    yield client
    client.shutdown()
