"""Servers, clients and connections that the tests of compatibility share."""

import socket
from collections.abc import Iterator

import pytest

import gear
from support.lines import HOST, Line, Lines


@pytest.fixture
def server() -> Iterator[gear.Server]:
    server = gear.Server(0, host=HOST)
    yield server
    server.shutdown()


@pytest.fixture
def client(server: gear.Server) -> Iterator[gear.Client]:
    client = gear.Client()
    client.addServer(HOST, server.port)
    client.waitForServer(20)
    yield client
    client.shutdown()


@pytest.fixture
def silent() -> Iterator[socket.socket]:
    """A listener that accepts when the test does."""
    with socket.create_server((HOST, 0)) as listener:
        yield listener


@pytest.fixture
def line(server: gear.Server) -> Iterator[Lines]:
    lines: list[Line] = []

    def connect() -> Line:
        lines.append(Line(server.port))
        return lines[-1]

    yield connect
    for known in lines:
        known.connection.disconnect()
