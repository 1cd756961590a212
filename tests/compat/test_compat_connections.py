"""What gear 0.16's connections did wrong, over real sockets: bytes, waits, echoes and replies."""

import builtins
import gc
import logging
import pathlib
import selectors
import socket
import subprocess
import sys
import threading
import time
import tracemalloc
import warnings
from collections.abc import Callable

import pytest

import gear
import gear.constants
from gear_wire.codec import encode
from gear_wire.enums import Magic
from gear_wire.framing import Frame, FrameReader, Malformed
from gear_wire.link.threads.channel import Channel
from gear_wire.packets import EchoRes
from support.certificates import Authority
from support.lines import HOST, bare


class Counter:
    """Counts the calls of a method."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, owner: type, name: str) -> None:
        self.calls = 0
        method = getattr(owner, name)

        def counted(*arguments: object, **options: object) -> object:
            self.calls += 1
            return method(*arguments, **options)

        monkeypatch.setattr(owner, name, counted)


# Bytes


def test_a_large_packet_arrives_as_it_was_sent(silent: socket.socket) -> None:
    """After a partial send, 0.16 began again with the first byte."""
    connection = bare(silent.getsockname()[1])
    peer, _ = silent.accept()
    packet = gear.Packet(gear.constants.REQ, gear.constants.ECHO_REQ, bytes(range(256)) * 8_000)
    sender = threading.Thread(target=connection.sendPacket, args=(packet,))
    sender.start()
    received = bytearray()
    while len(received) < len(packet.toBinary()):
        received += peer.recv(3000)
    sender.join(20)
    assert bytes(received) == packet.toBinary()
    peer.setblocking(False)
    with pytest.raises(BlockingIOError):
        peer.recv(1)
    peer.close()
    connection.disconnect()


@pytest.mark.parametrize("magic", [b"\0XXX", b"\0\0\0\0", b"\0REX"])
def test_all_four_bytes_of_the_magic_count(magic: bytes, silent: socket.socket) -> None:
    connection = bare(silent.getsockname()[1])
    peer, _ = silent.accept()
    peer.sendall(magic + b"\0\0\0\6\0\0\0\0")
    with pytest.raises(gear.ConnectionError):
        connection.readPacket()
    peer.close()


@pytest.mark.parametrize("number", [0x80000000, 0xFFFFFFFF])
def test_type_and_length_have_no_sign(number: int) -> None:
    header = b"\0RES" + number.to_bytes(4)
    (frame,) = FrameReader().feed(header + b"\0\0\0\0")
    assert isinstance(frame, Frame)
    assert frame.type == number
    (refused,) = FrameReader().feed(b"\0RES\0\0\0\x11" + number.to_bytes(4))
    assert refused == Malformed(f"a packet of {number} bytes is not acceptable")


def test_an_argument_is_cut_out_and_nothing_else() -> None:
    """0.16 split the whole payload for the handle in front of it, several times a packet."""
    packet = gear.Packet(gear.constants.RES, gear.constants.WORK_DATA, b"H:1\0" + bytes(1 << 22))
    tracemalloc.start()
    assert packet.getArgument(0) == b"H:1"
    assert "H:1" in repr(packet)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10_000


def test_arguments_are_counted_from_the_end_too() -> None:
    packet = gear.Packet(gear.constants.RES, gear.constants.WORK_STATUS, b"H:1\x001\x002")
    assert [packet.getArgument(index) for index in (-1, -2, -3)] == [b"2", b"1", b"H:1"]
    with pytest.raises(gear.InvalidDataError, match="no argument -4"):
        packet.getArgument(-4)


def test_packets_are_not_described_unless_logged(
    client: gear.Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    described = Counter(monkeypatch, gear.Packet, "__repr__")
    caplog.set_level(logging.INFO)
    client.submitJob(gear.Job("nobody", b""))
    assert described.calls == 0
    assert "packet" not in caplog.text
    caplog.set_level(logging.DEBUG)
    client.submitJob(gear.Job("nobody", b""))
    assert described.calls > 0
    assert f"gear.Client.{client.client_id.decode()}" in {record.name for record in caplog.records}


# Waiting


def test_half_a_tls_record_is_waited_for_and_not_asked_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    """Where TLS wants to read more, 0.16 asked again and again without a pause."""
    import ssl

    files = Authority(tmp_path / "authority").issue(HOST)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.cert, files.key)
    reads = Counter(monkeypatch, Channel, "receive")
    halves: list[bytes] = []
    asked = threading.Event()

    def serve(sock: socket.socket) -> None:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context.wrap_bio(incoming, outgoing, server_side=True)

        def step(call: Callable[[], object]) -> object:
            while True:
                try:
                    return call()
                except ssl.SSLWantReadError:
                    sock.sendall(outgoing.read())
                    incoming.write(sock.recv(65536))

        step(tls.do_handshake)
        sock.sendall(outgoing.read())
        request = step(lambda: tls.read(65536))
        assert isinstance(request, bytes)
        (echo,) = FrameReader().feed(request)
        assert isinstance(echo, Frame)
        tls.write(encode(EchoRes(echo.body), Magic.RES))
        record = outgoing.read()
        sock.sendall(record[:10])
        halves.append(record[10:])
        asked.set()

    with socket.create_server((HOST, 0)) as listener:
        connection = gear.Connection(HOST, listener.getsockname()[1], *files)
        accepted: list[socket.socket] = []

        def accept() -> None:
            accepted.append(listener.accept()[0])
            serve(accepted[0])

        accepting = threading.Thread(target=accept)
        accepting.start()
        connection.connect()
        echoing = threading.Thread(target=connection.echo, args=(b"x", 20))
        echoing.start()
        assert asked.wait(20)
        accepting.join(20)
        time.sleep(0.2)  # time in which a loop would turn thousands of times
        assert reads.calls < 20
        accepted[0].sendall(halves[0])
        echoing.join(20)
        assert not echoing.is_alive()
        accepted[0].close()
    connection.disconnect()


def test_a_full_socket_is_waited_for_and_not_asked_for(
    monkeypatch: pytest.MonkeyPatch, silent: socket.socket
) -> None:
    flushes = Counter(monkeypatch, Channel, "flush")
    client = gear.Client()
    client.addServer(HOST, silent.getsockname()[1])
    peer, _ = silent.accept()
    client.waitForServer(20)
    packet = gear.Packet(gear.constants.REQ, gear.constants.ECHO_REQ, bytes(12 << 20))
    client.broadcast(packet)
    time.sleep(0.2)  # time in which a loop would turn thousands of times
    assert flushes.calls < 20
    peer.close()
    client.shutdown()


def test_a_server_that_accepts_nothing_holds_up_no_shutdown() -> None:
    """0.16 connected without a timeout, and shutdown waited for it."""
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        listener.listen(0)
        full = [socket.socket() for _ in range(3)]
        for sock in full:
            sock.setblocking(False)
            sock.connect_ex(listener.getsockname())
        client = gear.Client()
        client.addServer(HOST, listener.getsockname()[1])
        begun = time.monotonic()
        client.shutdown()
        assert time.monotonic() - begun < 5
        for sock in full:
            sock.close()


def test_a_selector_of_any_kind_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """0.16 needed epoll, which Linux alone has."""
    monkeypatch.setattr(selectors, "DefaultSelector", selectors.SelectSelector)
    monkeypatch.setitem(sys.modules, "uvloop", None)
    server = gear.Server(0, host=HOST)
    client = gear.Client()
    client.addServer(HOST, server.port)
    client.waitForServer(20)
    assert client.echo(b"x", 20) == b"x"
    client.shutdown()
    server.shutdown()


# Names


def test_exceptions_are_caught_by_the_builtins_of_their_names() -> None:
    """0.16 had three that hid them and were none of them."""
    client = gear.Client()
    with pytest.raises(builtins.TimeoutError):
        client.waitForServer(0)
    with pytest.raises(builtins.ConnectionError):
        gear.Connection(HOST, 1).connect()
    client.shutdown()
    with pytest.raises(builtins.InterruptedError):
        client.waitForServer()


def test_nothing_is_deprecated(server: gear.Server) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        client, worker = gear.Client(), gear.Worker("w")
        worker.registerFunction("do")
        for end in (client, worker):
            end.addServer(HOST, server.port)
            end.waitForServer(20)
        job = gear.Job("do", b"")
        client.submitJob(job)
        worker.getJob(20).sendWorkComplete()
        assert job.wait(20)
        client.echo(b"x", 20)
        for end in (client, worker):
            end.shutdown()
        gc.collect()
    assert not [str(warning.message) for warning in caught]


def test_a_module_of_the_users_that_is_called_Queue(tmp_path: pathlib.Path) -> None:
    (tmp_path / "Queue.py").write_text("raise RuntimeError('imported by mistake')\n")
    subprocess.run([sys.executable, "-c", "import gear"], cwd=tmp_path, check=True, timeout=60)
