"""Statsd: metrics gathered in memory, sent to a real socket."""

import contextlib
import socket
from collections.abc import Iterator

import pytest

from gear_server import Server
from gear_server.network.statsd import DATAGRAM_SIZE, SAMPLES, Statsd
from gear_wire.constants import GET_STATUS, REQ, STATUS_RES
from gear_wire.errors import ConfigurationError
from gear_wire.link.threads.connection import Connection
from gear_wire.packet import Packet


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(10)
        yield sock


def test_metrics_are_sent_together_and_once(listener: socket.socket) -> None:
    statsd = Statsd("127.0.0.1", listener.getsockname()[1], "my.prefix")
    with contextlib.closing(statsd):
        for value in (4, 5):
            statsd.gauge("queue.total", value)
            statsd.incr("packet.CAN_DO")
            statsd.timing("packet.CAN_DO", value + 0.5)
        statsd.flush()
        statsd.gauge("queue.total", 5)
        statsd.flush()
        statsd.incr("last")
    assert listener.recv(1000).split(b"\n") == [
        b"my.prefix.queue.total:5|g",
        b"my.prefix.packet.CAN_DO:2|c",
        b"my.prefix.packet.CAN_DO:4.500|ms",
        b"my.prefix.packet.CAN_DO:5.500|ms",
    ]
    assert listener.recv(1000) == b"my.prefix.last:1|c"


def test_many_timings_are_sampled_at_a_rate(listener: socket.socket) -> None:
    with contextlib.closing(Statsd("127.0.0.1", listener.getsockname()[1], None)) as statsd:
        for number in range(1000):
            statsd.timing("x", number)
    values, stands_for = [], 0.0
    while stands_for < 1000:
        for line in listener.recv(2000).split(b"\n"):
            value, kind, rate = line.removeprefix(b"x:").split(b"|")
            assert kind == b"ms"
            values.append(float(value))
            stands_for += 1 / float(rate.removeprefix(b"@"))
            stands_for = round(stands_for, 3)
    assert stands_for == 1000
    assert SAMPLES <= len(values) <= 2 * SAMPLES
    assert abs(sum(values) / len(values) - 500) < 50


def test_a_datagram_fits_a_frame(listener: socket.socket) -> None:
    with contextlib.closing(Statsd("127.0.0.1", listener.getsockname()[1], "x" * 400)) as statsd:
        for number in range(10):
            statsd.incr(f"key{number}")
    lines: list[bytes] = []
    while len(lines) < 10:
        datagram = listener.recv(10000)
        assert len(datagram) <= DATAGRAM_SIZE
        lines += datagram.split(b"\n")
    assert len(lines) == 10


def test_a_server_of_metrics_that_is_not_there() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    with contextlib.closing(Statsd("127.0.0.1", port, None)) as statsd:
        for _ in range(3):
            statsd.incr("x")
            statsd.flush()
    with pytest.raises(ConfigurationError, match=r"statsd server a\.invalid"):
        Statsd("a.invalid", 8125, None)


def test_what_a_server_measures(listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    server = Server(
        0, host="127.0.0.1", statsd_host="127.0.0.1", statsd_port=port, statsd_prefix="p"
    )
    connection = Connection("127.0.0.1", server.port)
    connection.connect()
    for _ in range(100):
        connection.sendPacket(Packet(REQ, GET_STATUS, b"f"))
        answer = connection.readPacket()
        assert isinstance(answer, Packet)
        assert answer.ptype == STATUS_RES
    connection.disconnect()
    datagrams, lines = 0, set[bytes]()
    answers = 0
    while answers < 100:
        datagrams += 1
        for line in listener.recv(10000).split(b"\n"):
            lines.add(line)
            key, _, value = line.partition(b":")
            if key == b"p.packet.GET_STATUS" and value.endswith(b"|c"):
                answers += int(value.partition(b"|")[0])
    assert datagrams < 20
    assert {b"p.queue.total:0|g", b"p.queue.running:0|g", b"p.queue.waiting:0|g"} <= lines
    server.shutdown()
