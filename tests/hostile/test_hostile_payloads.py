"""Large payloads cost time in proportion to their size: what has come or gone is not copied again.

Bytes are counted instead of seconds: what is allocated while one read or write is dealt with.
"""

import socket
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from typing import TypeVar

import pytest

import gear
import gear.constants
from gear_wire.enums import Magic
from gear_wire.framing import HEADER
from gear_wire.link.threads.channel import Channel
from gear_wire.table import frame_key

Result = TypeVar("Result")
SIZE = 16 << 20
PAYLOAD = bytes(SIZE)


@pytest.fixture(autouse=True)
def traced() -> Iterator[None]:
    tracemalloc.start()
    yield
    tracemalloc.stop()


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    near, far = socket.socketpair()
    with near, far:
        yield near, far


class Meter:
    """Notes the most bytes that each call of a function allocated at once."""

    def __init__(self) -> None:
        self.peaks: list[int] = []

    def around(self, call: Callable[[], Result]) -> Callable[[], Result]:
        def measured() -> Result:
            tracemalloc.reset_peak()
            before = tracemalloc.get_traced_memory()[0]
            result = call()
            self.peaks.append(tracemalloc.get_traced_memory()[1] - before)
            return result

        return measured


def swallow(sock: socket.socket) -> None:
    """Take all that is there."""
    buffer = bytearray(1 << 16)
    try:
        while sock.recv_into(buffer):
            pass
    except BlockingIOError:
        pass


def test_what_the_socket_did_not_take_is_not_copied(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    near, far = ends
    far.setblocking(False)
    channel = Channel(near, None, threading.RLock())
    channel.queue(PAYLOAD)
    meter = Meter()
    flush = meter.around(channel.flush)
    while not flush():
        swallow(far)
    assert channel.pending == 0
    assert len(meter.peaks) > 10
    assert max(meter.peaks) < 10_000


def test_what_has_come_is_copied_when_it_is_whole() -> None:
    """Only the read that completes a packet costs more than its own bytes."""
    header = HEADER.pack(frame_key(Magic.RES, gear.constants.WORK_DATA), SIZE)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        connection = gear.Connection("127.0.0.1", listener.getsockname()[1])
        connection.connect()
        peer, _ = listener.accept()
        sender = threading.Thread(target=peer.sendall, args=(header + PAYLOAD,))
        meter = Meter()
        connection.receive = meter.around(connection.receive)  # type: ignore[method-assign]  # to look at it
        sender.start()
        packet = connection.readPacket()
        sender.join(20)
        peer.close()
    assert isinstance(packet, gear.Packet)
    assert len(packet.data) == SIZE
    *reads, last = meter.peaks
    assert len(reads) > 10
    assert max(reads) < SIZE // 8
    assert last < 4 * SIZE
    connection.disconnect()
