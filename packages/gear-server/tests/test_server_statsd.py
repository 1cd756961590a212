"""Statsd: one datagram a measurement, to a real socket."""

import contextlib
import socket
from collections.abc import Iterator

import pytest

from gear_server import Server
from gear_server.network.statsd import Statsd
from gear_wire.constants import CAN_DO, REQ
from gear_wire.errors import ConfigurationError
from gear_wire.link.threads.connection import Connection
from gear_wire.packet import Packet


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(10)
        yield sock


def test_measurements(listener: socket.socket) -> None:
    statsd = Statsd("127.0.0.1", listener.getsockname()[1], "my.prefix")
    with contextlib.closing(statsd):
        statsd.gauge("queue.total", 5)
        statsd.incr("packet.CAN_DO")
        statsd.timing("packet.CAN_DO", 1.5)
    assert [listener.recv(1000) for _ in range(3)] == [
        b"my.prefix.queue.total:5|g",
        b"my.prefix.packet.CAN_DO:1|c",
        b"my.prefix.packet.CAN_DO:1.500|ms",
    ]


def test_without_prefix(listener: socket.socket) -> None:
    with contextlib.closing(Statsd("127.0.0.1", listener.getsockname()[1], None)) as statsd:
        statsd.incr("x")
    assert listener.recv(1000) == b"x:1|c"


def test_a_server_of_measurements_that_is_not_there() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    with contextlib.closing(Statsd("127.0.0.1", port, None)) as statsd:
        for _ in range(3):
            statsd.incr("x")
    with pytest.raises(ConfigurationError, match=r"statsd server a\.invalid"):
        Statsd("a.invalid", 8125, None)


def test_what_a_server_measures(listener: socket.socket) -> None:
    server = Server(
        0,
        host="127.0.0.1",
        statsd_host="127.0.0.1",
        statsd_port=listener.getsockname()[1],
        statsd_prefix="p",
    )
    connection = Connection("127.0.0.1", server.port)
    connection.connect()
    connection.sendPacket(Packet(REQ, CAN_DO, b"f"))
    seen: set[bytes] = set()
    wanted = {b"p.queue.total", b"p.queue.running", b"p.queue.waiting"}
    times = 0
    while not (wanted <= seen and times):
        key, _, value = listener.recv(1000).partition(b":")
        seen.add(key)
        times += key == b"p.packet.CAN_DO" and value.endswith(b"|ms")
    connection.disconnect()
    server.shutdown()
