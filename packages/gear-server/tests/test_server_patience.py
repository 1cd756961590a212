"""Peers that take too long: to say something, to finish what they began, to read what is left."""

import logging
import socket
import threading
import time
from collections.abc import Callable

import msgspec
import pytest

from gear_server import Server
from gear_server.network import evictions, patience
from gear_server.network.patience import Patience
from gear_server.settings import ServerSettings
from gear_wire.codec import decode, encode
from gear_wire.framing import HEADER, Frame, FrameReader
from gear_wire.packets import EchoReq, Error

HOST = "127.0.0.1"
WAIT = 30.0
SHORT = 0.3
BEGUN = encode(EchoReq(b"x" * 1000))[:500]


class Clock:
    """Time that passes when a test says so."""

    def __init__(self) -> None:
        self.now = 0.0
        self.calls: list[tuple[float, Callable[[], None]]] = []

    def time(self) -> float:
        return self.now

    def call_later(self, delay: float, callback: Callable[[], None]) -> None:
        self.calls.append((self.now + delay, callback))

    def run_to(self, end: float) -> None:
        """Let time pass, with all that is due."""
        while self.calls:
            at, callback = first = min(self.calls, key=lambda call: call[0])
            if at > end:
                break
            self.calls.remove(first)
            self.now = at
            callback()
        self.now = end


class Uploads(dict[str, int]):
    """How many bytes of some packets have come, and which packets were late."""

    def __init__(self) -> None:
        self.late: list[str] = []

    def wait(self, clock: Clock, seconds: float = 60) -> Patience[str]:
        return Patience(clock, seconds, self.__getitem__, self.late.append)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_what_does_not_move_is_late(clock: Clock) -> None:
    uploads = Uploads()
    waiting = uploads.wait(clock)
    uploads["a"] = uploads["b"] = 12
    waiting.begin("a")
    clock.run_to(10)
    waiting.begin("b")
    waiting.begin("a")  # is waited for already
    clock.run_to(59)
    assert uploads.late == []
    clock.run_to(64)
    assert uploads.late == ["a"]
    clock.run_to(74)
    assert uploads.late == ["a", "b"]
    clock.run_to(1000)
    assert clock.calls == []


def test_what_ends_is_not_late_and_leaves_no_timer(clock: Clock) -> None:
    uploads = Uploads()
    waiting = uploads.wait(clock)
    uploads["a"] = 0
    for _ in range(1000):
        waiting.begin("a")
        waiting.end("a")
    assert len(clock.calls) == 1
    clock.run_to(1000)
    assert uploads.late == []
    assert clock.calls == []


def test_progress_buys_time(clock: Clock) -> None:
    uploads = Uploads()
    waiting = uploads.wait(clock)
    uploads["slow"] = uploads["stuck"] = 0
    waiting.begin("slow")
    waiting.begin("stuck")
    for minute in range(1, 100):
        uploads["slow"] += patience.PROGRESS
        uploads["stuck"] += patience.PROGRESS if minute < 10 else 100
        clock.run_to(minute * 60)
    assert uploads.late == ["stuck"]


def test_without_a_limit_nothing_is_late(clock: Clock) -> None:
    uploads = Uploads()
    waiting = uploads.wait(clock, 0)
    waiting.begin("a")
    waiting.end("a")
    assert clock.calls == []


def test_a_crowd_that_is_late_ends_in_slices(clock: Clock) -> None:
    uploads = Uploads()
    waiting = uploads.wait(clock)
    for number in range(1000):
        uploads[str(number)] = 0
        waiting.begin(str(number))
    steps = []
    while clock.calls:
        before = len(uploads.late)
        clock.run_to(clock.calls[0][0])
        steps.append(len(uploads.late) - before)
    assert len(uploads.late) == 1000
    assert max(steps) == patience.AT_ONCE


def serve(**limits: float) -> Server:
    return Server(0, host=HOST, settings=msgspec.structs.replace(ServerSettings(), **limits))


def connect(server: Server) -> socket.socket:
    return socket.create_connection((HOST, server.port), WAIT)


def answers(sock: socket.socket) -> bool:
    sock.sendall(b"version\n")
    return sock.recv(100).startswith(b"OK ")


def read_to_the_end(sock: socket.socket) -> bytes:
    data = b""
    while chunk := sock.recv(4096):
        data += chunk
    return data


@pytest.mark.parametrize(
    "begun",
    [BEGUN, BEGUN[:12], BEGUN[:5], encode(EchoReq(b"whole")) + BEGUN],
    ids=["half", "header", "half a header", "after another"],
)
def test_a_packet_that_does_not_end_ends_its_connection(
    begun: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    with serve(packet_timeout=SHORT) as server, connect(server) as other:
        assert answers(other)
        with connect(server) as sock:
            sock.sendall(begun)
            *_, last = FrameReader().feed(read_to_the_end(sock))
        assert isinstance(last, Frame)
        assert decode(last) == Error(b"TIMEOUT", b"packet unfinished after 0.3 s")
        assert answers(other)
        assert server.counters.connections_overdue == 1
    assert "and then too little in 0.3 s" in caplog.text


def test_a_line_that_does_not_end_ends_its_connection(caplog: pytest.LogCaptureFixture) -> None:
    with serve(packet_timeout=SHORT) as server, connect(server) as sock:
        sock.sendall(b"version\nstat")
        answer = read_to_the_end(sock)
        assert answer.endswith(b"\nERR TIMEOUT line+unfinished+after+0.3+s\r\n")
        assert server.counters.connections_overdue == 1
    assert "4 bytes of a line came, and then too little in 0.3 s" in caplog.text


def test_a_large_packet_that_stops_ends_its_connection(caplog: pytest.LogCaptureFixture) -> None:
    packet = encode(EchoReq(b"x" * (4 << 20)))
    with serve(packet_timeout=SHORT) as server, connect(server) as sock:
        sock.sendall(packet[: 2 << 20])
        assert b"TIMEOUT" in read_to_the_end(sock)
        assert server.counters.connections_overdue == 1
    assert "Dropping <gear.ServerConnection" in caplog.text


@pytest.mark.parametrize("size", [3 << 20, 100 << 10])
def test_a_large_packet_over_a_slow_link_comes_through(
    size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "PROGRESS", size // 40)
    packet = encode(EchoReq(b"x" * size))
    with serve(packet_timeout=1) as server, connect(server) as sock:
        for begin in range(0, len(packet), size // 20):
            sock.sendall(packet[begin : begin + size // 20])
            time.sleep(0.1)  # the slow link
        answer = b""
        while len(answer) < len(packet):
            answer += sock.recv(1 << 20)
        assert answer[HEADER.size :] == packet[HEADER.size :]
        assert server.counters.connections_overdue == 0


def test_whole_packets_and_idle_peers_are_not_late() -> None:
    with serve(packet_timeout=SHORT) as server:
        with connect(server) as idle, connect(server) as halves, connect(server) as slow:
            assert answers(idle)
            begin = time.monotonic()
            while time.monotonic() < begin + 3 * SHORT:
                halves.sendall(BEGUN)
                halves.sendall(encode(EchoReq(b"x" * 1000))[500:])
                halves.recv(4096)
                assert answers(halves)
            slow.sendall(b"")
            assert answers(idle)
            assert answers(slow)
        assert server.counters.connections_overdue == 0


def test_a_silent_connection_is_closed_if_so_wanted(caplog: pytest.LogCaptureFixture) -> None:
    with serve(first_byte_timeout=SHORT) as server, connect(server) as spoken:
        assert answers(spoken)
        with connect(server) as silent:
            assert silent.recv(100) == b""
        assert server.counters.connections_overdue == 1
        assert answers(spoken)
    assert "it sent nothing in 0.3 s" in caplog.text


def test_what_is_left_for_a_closed_connection_is_given_up(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "gear.Server")
    monkeypatch.setattr(evictions, "CLOSE_TIMEOUT", SHORT)
    echo = encode(EchoReq(b"x" * (4 << 20)))
    with serve() as server, socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.settimeout(WAIT)
        deaf.connect((HOST, server.port))
        deaf.sendall(echo)
        deaf.sendall(echo)
        deaf.sendall(b"\0BAD")
        assert server.waitFor(lambda: server.counters.connections_overdue == 1, WAIT)
        assert server.waitFor(lambda: not server.active_connections, WAIT)
    assert "bytes unsent when it was closed" in caplog.text


def test_a_peer_that_the_server_does_not_read_on_is_not_late() -> None:
    echo = encode(EchoReq(b"x" * 1000))
    data = echo * 30_000
    with serve(packet_timeout=SHORT) as server, connect(server) as sock:
        sender = threading.Thread(target=sock.sendall, args=(data,))
        sender.start()
        time.sleep(5 * SHORT)  # nobody reads the answers, so the server stops reading, too
        stopped = sender.is_alive()
        left = len(data)
        while left:
            left -= len(sock.recv(1 << 20)) or left
        sender.join()
        assert stopped
        assert server.counters.connections_overdue == 0
