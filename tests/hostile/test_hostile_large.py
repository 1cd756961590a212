"""Large packets at the server: in pieces, one behind the other, cut off, plain and over TLS."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import gear
import gear_server.face.server
import gear_server.network.stream
from gear_wire.codec import encode
from gear_wire.enums import Magic
from gear_wire.framing import Frame
from gear_wire.large import LargeFrame
from gear_wire.packets import EchoReq, EchoRes
from support.certificates import Authority, Files

HOST = "127.0.0.1"
SIZE = 3 << 20
BODY = bytes(range(256)) * (SIZE // 256)
LARGE, SMALL = encode(EchoReq(BODY)), encode(EchoReq(b"small"))
LARGE_BACK, SMALL_BACK = (encode(EchoRes(body), Magic.RES) for body in (BODY, b"small"))

Connect = Callable[[], socket.socket]


@pytest.fixture(params=["plain", "tls"])
def files(request: pytest.FixtureRequest, tmp_path: Path) -> Files | None:
    return Authority(tmp_path / "authority").issue(HOST) if request.param == "tls" else None


@pytest.fixture(params=["uvloop", "asyncio"])
def server(
    request: pytest.FixtureRequest, files: Files | None, monkeypatch: pytest.MonkeyPatch
) -> Iterator[gear.Server]:
    if request.param == "asyncio":
        monkeypatch.setattr(gear_server.face.server, "new_event_loop", asyncio.new_event_loop)
    key, cert, authority = files or (None, None, None)
    server = gear.Server(0, key, cert, authority, host=HOST)
    yield server
    server.shutdown()


@pytest.fixture
def connect(server: gear.Server, files: Files | None) -> Iterator[Connect]:
    with contextlib.ExitStack() as stack:

        def connected() -> socket.socket:
            sock = stack.enter_context(socket.create_connection((HOST, server.port), 30))
            if files is None:
                return sock
            context = ssl.create_default_context(cafile=files.ca)
            context.load_cert_chain(files.cert, files.key)
            return stack.enter_context(context.wrap_socket(sock, server_hostname=HOST))

        yield connected


def received(sock: socket.socket, size: int) -> bytes:
    parts = []
    while size:
        part = sock.recv(min(size, 1 << 20))
        assert part, "the server closed the connection"
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def test_what_follows_a_large_packet_is_read_as_well(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[Frame] = []

    class Noted(LargeFrame):
        def frame(self) -> Frame:
            read.append(super().frame())
            return read[-1]

    monkeypatch.setattr(gear_server.network.stream, "LargeFrame", Noted)
    sock = connect()
    sock.sendall(LARGE + SMALL + LARGE + SMALL)
    expected = (LARGE_BACK + SMALL_BACK) * 2
    assert received(sock, len(expected)) == expected
    assert [len(frame.body) for frame in read] == [SIZE, SIZE]


def test_a_large_packet_in_pieces(connect: Connect) -> None:
    sock = connect()
    for start in range(0, len(LARGE), 300_001):
        sock.sendall(LARGE[start : start + 300_001])
    sock.sendall(SMALL)
    assert received(sock, len(LARGE_BACK + SMALL_BACK)) == LARGE_BACK + SMALL_BACK


def test_others_are_served_while_a_large_packet_comes(connect: Connect) -> None:
    slow, other = connect(), connect()
    slow.sendall(LARGE[: SIZE // 2])
    other.sendall(SMALL)
    assert received(other, len(SMALL_BACK)) == SMALL_BACK
    slow.sendall(LARGE[SIZE // 2 :])
    assert received(slow, len(LARGE_BACK)) == LARGE_BACK


def test_a_large_packet_that_is_cut_off_leaves_nothing(
    server: gear.Server, connect: Connect
) -> None:
    cut, other = connect(), connect()
    cut.sendall(LARGE[: SIZE // 2])
    cut.close()
    assert server.waitFor(lambda: len(server.active_connections) == 1, timeout=30)
    other.sendall(LARGE)
    assert received(other, len(LARGE_BACK)) == LARGE_BACK
