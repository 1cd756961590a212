"""TLS handshakes that do not end: they take neither the server's descriptors nor others' turn."""

import asyncio
import contextlib
import logging
import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import gear
from gear_server.engine.counters import Counters
from gear_server.network import handshakes
from gear_server.network.certificates import Certificates
from gear_server.network.doors import Doors
from gear_server.settings import ServerSettings
from gear_wire.codec import encode
from gear_wire.link.deadline import Deadline
from gear_wire.link.tls import TLSFiles
from gear_wire.packets import EchoReq
from support.certificates import Authority, Files

HOST = "127.0.0.1"
WAIT = 30.0
BEGUN = bytes.fromhex("1603010200")
"""The header of the record in which a client says hello."""


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Authority(tmp_path / "authority").issue(HOST)


@pytest.fixture
def server(files: Files) -> Iterator[gear.Server]:
    with gear.Server(0, *files, host=HOST) as server:
        yield server


def silent(server: gear.Server, number: int, closing: contextlib.ExitStack) -> list[socket.socket]:
    """Open connections whose handshake never begins."""
    address = (HOST, server.port)
    return [closing.enter_context(socket.create_connection(address, WAIT)) for _ in range(number)]


def shake_hands(server: gear.Server, files: Files) -> bytes:
    """Return the answer to a text command on a connection of its own."""
    context = ssl.create_default_context(cafile=files.ca)
    context.load_cert_chain(files.cert, files.key)
    with socket.create_connection((HOST, server.port), WAIT) as sock:
        with context.wrap_socket(sock, server_hostname=HOST) as stream:
            stream.sendall(b"version\n")
            return stream.recv(100)


def test_a_handshake_that_stalls_ends(
    server: gear.Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(handshakes, "HANDSHAKE_TIMEOUT", 0.3)
    with contextlib.ExitStack() as closing:
        for sock in silent(server, 3, closing):
            assert sock.recv(100) == b""
    server.shutdown()
    assert server.counters.handshakes_refused == 3
    assert caplog.text.count("Refused TLS connection from 127.0.0.1 port ") == 3
    assert caplog.text.count("the handshake took too long") == 3


def test_many_handshakes_that_stall_hold_others_up_for_a_moment(
    server: gear.Server,
    files: Files,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(handshakes, "MAX_HANDSHAKES", 4)
    monkeypatch.setattr(handshakes, "STALLED", 0.2)
    with contextlib.ExitStack() as closing:
        socks = silent(server, 10, closing)
        for sock in socks:
            sock.sendall(BEGUN)
        assert shake_hands(server, files).startswith(b"OK ")
        for sock in socks[:7]:
            with contextlib.suppress(ConnectionError):
                assert sock.recv(100) == b""
    server.shutdown()
    assert server.counters.handshakes_refused >= 7
    assert "the handshake took too long" in caplog.text


def test_who_says_nothing_takes_nobody_s_place(
    server: gear.Server, files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handshakes, "MAX_HANDSHAKES", 1)
    monkeypatch.setattr(handshakes, "STALLED", WAIT)
    with contextlib.ExitStack() as closing:
        silent(server, 10, closing)
        assert shake_hands(server, files).startswith(b"OK ")
        assert server.counters.handshakes_refused == 0


def test_handshakes_that_are_honest_wait_for_their_turn(
    server: gear.Server, files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handshakes, "MAX_HANDSHAKES", 1)
    clients = [gear.Client(f"client{number}") for number in range(12)]
    for client in clients:
        client.addServer(HOST, server.port, *files)
    for client in clients:
        client.waitForServer(WAIT)
    assert server.counters.handshakes_refused == 0
    for client in clients:
        client.shutdown()


def answered(server: gear.Server, files: Files) -> bool:
    """Return whether a connection of one's own is served."""
    try:
        return shake_hands(server, files).startswith(b"OK ")
    except OSError:
        return False


def test_over_tls_a_packet_that_does_not_end_ends_its_connection(files: Files) -> None:
    settings = ServerSettings(packet_timeout=0.3)
    with gear.Server(0, *files, host=HOST, settings=settings) as server:
        context = ssl.create_default_context(cafile=files.ca)
        context.load_cert_chain(files.cert, files.key)
        with socket.create_connection((HOST, server.port), WAIT) as sock:
            with context.wrap_socket(sock, server_hostname=HOST) as stream:
                stream.sendall(encode(EchoReq(b"x" * 1000))[:500])
                assert b"TIMEOUT\0packet unfinished" in stream.recv(1000)
                assert stream.recv(1000) == b""
        assert server.counters.connections_overdue == 1


def test_handshakes_count_as_connections(files: Files, caplog: pytest.LogCaptureFixture) -> None:
    settings = ServerSettings(max_connections=3)
    with gear.Server(0, *files, host=HOST, settings=settings) as server:
        with contextlib.ExitStack() as closing:
            silent(server, 3, closing)
            assert not answered(server, files)
            assert server.counters.connections_refused == 1
            assert "3 connections are open: max_connections" in caplog.text
        deadline = Deadline(WAIT)
        while not answered(server, files):
            assert not deadline.expired(), "those who left are still counted"


def test_a_handshake_that_is_late_in_both_ways_ends_once(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A loop that was held up has its time over, and its place is wanted, in one turn."""
    monkeypatch.setattr(handshakes, "HANDSHAKE_TIMEOUT", 0.2)
    monkeypatch.setattr(handshakes, "STALLED", 0.2)
    monkeypatch.setattr(handshakes, "MAX_HANDSHAKES", 1)
    log = logging.getLogger("handshakes")
    failures: list[dict[str, object]] = []

    async def late(closing: contextlib.ExitStack) -> list[BaseException | None]:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, failure: failures.append(failure))
        doors = Doors(ServerSettings(), Counters(), log)
        performed = handshakes.Handshakes(
            Certificates(TLSFiles(*files), log), lambda _: asyncio.Protocol(), Counters(), log
        )
        tasks, clients = [], []
        for port in (1, 2):
            near, far = socket.socketpair()
            clients.append(closing.enter_context(far))
            near.setblocking(False)
            admission = doors.admit(HOST, port)
            assert admission is not None
            tasks.append(loop.create_task(performed.perform(near, admission)))
        clients[0].sendall(BEGUN)
        for _ in range(10):
            await asyncio.sleep(0)  # it begins, and has the only place
        clients[1].sendall(BEGUN)
        time.sleep(0.5)  # holds up the loop
        ends = await asyncio.gather(*tasks, return_exceptions=True)
        performed.close()
        return ends

    with contextlib.ExitStack() as closing:
        ends = asyncio.run(late(closing))
    assert [type(end) for end in ends] == [TimeoutError, TimeoutError]
    assert failures == []
