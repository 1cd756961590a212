"""Channel and Connector over real sockets; TLS through a Connection is in test_wire_connection."""

import contextlib
import signal
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import trustme

from gear_wire.errors import ConnectionError, DisconnectError
from gear_wire.link.address import Keepalive, ServerAddress
from gear_wire.link.deadline import Deadline
from gear_wire.link.threads.channel import Channel
from gear_wire.link.threads.connector import Connector
from gear_wire.link.tls import TLSFiles, TLSStream

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer as Buffer


@pytest.fixture
def pair() -> Iterator[tuple[Channel, socket.socket]]:
    ours, theirs = socket.socketpair()
    channel = Channel(ours, None, threading.RLock())
    yield channel, theirs
    channel.close()
    theirs.close()


def receive(sock: socket.socket, size: int) -> bytes:
    chunks = []
    while size:
        chunks.append(sock.recv(min(size, 1 << 16)))
        size -= len(chunks[-1])
    return b"".join(chunks)


def test_bytes_leave_in_order_and_only_when_flushed(pair: tuple[Channel, socket.socket]) -> None:
    channel, theirs = pair
    theirs.setblocking(False)
    for number in range(1000):
        channel.queue(b"%03d" % number)
    assert channel.pending == 3000
    with pytest.raises(BlockingIOError):
        theirs.recv(1)
    assert channel.flush()
    assert channel.pending == 0
    assert receive(theirs, 3000) == b"".join(b"%03d" % number for number in range(1000))


def test_who_sends_alone_lets_nobody_else_go_first(
    pair: tuple[Channel, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Each time that a thread gives way, others run: that made a worker half as fast.
    channel, theirs = pair
    monkeypatch.setattr(time, "sleep", lambda seconds: pytest.fail("it gave way"))
    channel.queue(b"result")
    assert channel.send_up_to(channel.queued, Deadline(None))
    assert receive(theirs, 6) == b"result"


def test_a_full_socket_takes_the_rest_later(pair: tuple[Channel, socket.socket]) -> None:
    channel, theirs = pair
    data = bytes(range(256)) * (1 << 14)
    channel.queue(data)
    channel.queue(b"end")
    assert not channel.flush()
    assert 0 < channel.pending < len(data) + 3
    assert not channel.wait(write=True, deadline=Deadline(0))
    received = b""
    while channel.pending:
        received += theirs.recv(1 << 20)
        channel.flush()
    received += receive(theirs, len(data) + 3 - len(received))
    assert received == data + b"end"


def test_receiving(pair: tuple[Channel, socket.socket]) -> None:
    channel, theirs = pair
    assert channel.receive() is None
    assert not channel.wait(write=False, deadline=Deadline(0))
    theirs.sendall(b"hello")
    assert channel.wait(write=False, deadline=Deadline(10))
    assert channel.receive() == b"hello"
    theirs.close()
    with pytest.raises(DisconnectError, match="closed the connection"):
        channel.receive()


def test_who_waits_is_woken_by_an_interrupt(pair: tuple[Channel, socket.socket]) -> None:
    channel, _ = pair
    timer = threading.Timer(0.05, channel.interrupt)
    timer.start()
    assert channel.wait(write=False, deadline=Deadline(10))
    with pytest.raises(DisconnectError):
        channel.receive()
    timer.join()
    channel.interrupt()


class Interrupted(socket.socket):
    """One during whose first write Ctrl-C is pressed."""

    pressed = False

    def send(self, data: "Buffer", flags: int = 0, /) -> int:
        sent = super().send(data, flags)
        if not self.pressed:
            self.pressed = True
            signal.raise_signal(signal.SIGINT)
        return sent


def test_ctrl_c_while_bytes_leave_holds_nobody_up() -> None:
    ours, theirs = socket.socketpair()
    with Interrupted(fileno=ours.detach()) as sock, theirs:
        channel = Channel(sock, None, threading.RLock())
        channel.queue(b"what was said")
        with pytest.raises(KeyboardInterrupt):
            channel.flush()
        channel.queue(b"more")
        with pytest.raises(DisconnectError):
            channel.send_up_to(channel.queued, Deadline(10))
        assert receive(theirs, 13) == b"what was said"
        assert theirs.recv(1) == b""


def test_a_broken_socket_raises(pair: tuple[Channel, socket.socket]) -> None:
    channel, theirs = pair
    theirs.close()
    channel.queue(b"x")
    with pytest.raises(OSError, match=r"."):
        channel.flush()


def connect(
    port: int,
    keepalive: Keepalive | None = None,
    *,
    host: str = "127.0.0.1",
    timeout: float = 10,
    cancel: socket.socket | None = None,
) -> socket.socket:
    address = ServerAddress.of(host, port, keepalive=keepalive)
    return Connector(address, None, Deadline(timeout), cancel).connect().sock


def test_connecting_sets_nodelay_and_keepalive() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with connect(port, Keepalive(True)) as sock:
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)


def test_the_next_address_of_a_host_is_tried() -> None:
    # localhost is ::1 and 127.0.0.1, or 127.0.0.1 alone: nobody listens on the former.
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with connect(port, host="localhost") as sock:
            assert sock.getpeername()[0] == "127.0.0.1"


@contextlib.contextmanager
def listener_that_is_full() -> Iterator[int]:
    """Give the port of a listener whose queue takes no more: connecting to it hangs."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        address = listener.getsockname()
        with contextlib.ExitStack() as held:
            for _ in range(4):
                sock = held.enter_context(socket.socket())
                sock.setblocking(False)
                with contextlib.suppress(BlockingIOError):
                    sock.connect(address)
            yield address[1]


def test_a_server_that_does_not_answer_is_given_up() -> None:
    with listener_that_is_full() as port:
        start = time.monotonic()
        with pytest.raises(ConnectionError, match=r"^no answer in time$"):
            connect(port, timeout=0.1)
        assert time.monotonic() - start < 5


def test_an_attempt_is_cancelled() -> None:
    ours, theirs = socket.socketpair()
    with listener_that_is_full() as port, ours:
        timer = threading.Timer(0.05, theirs.close)
        timer.start()
        with pytest.raises(ConnectionError, match="cancelled"):
            connect(port, timeout=60, cancel=ours)
        timer.join()


@pytest.mark.parametrize("host", ["a.invalid", "a..b", "x" * 70])
def test_hosts_that_cannot_be_looked_up(host: str) -> None:
    with pytest.raises(ConnectionError, match="cannot look up"):
        connect(4730, host=host, timeout=1)


def test_the_end_of_tls_is_the_end_though_the_socket_stays_open(tmp_path: Path) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost")
    ours, theirs = socket.socketpair()
    files = TLSFiles(*(str(tmp_path / name) for name in ("key", "cert", "ca")))
    certificate.private_key_pem.write_to_path(files.key)
    certificate.cert_chain_pems[0].write_to_path(files.cert)
    authority.cert_pem.write_to_path(files.ca)

    def serve() -> None:
        with files.server_context().wrap_socket(theirs, server_side=True) as sock:
            sock.sendall(b"bye")
            sock.settimeout(30)
            with contextlib.suppress(ssl.SSLError):  # some versions of Python do not raise it
                sock.unwrap()  # waits for the other side, which closes without a word

    thread = threading.Thread(target=serve)
    thread.start()
    tls = TLSStream(files.client_context(), "localhost")
    data = b""
    while not tls.handshake(data):
        ours.sendall(tls.outgoing())
        data = ours.recv(65536)
    ours.sendall(tls.outgoing())
    ours.setblocking(False)
    channel = Channel(ours, tls, threading.RLock())
    received = b""
    with pytest.raises(DisconnectError):
        while channel.wait(write=False, deadline=Deadline(10)):
            received += channel.receive() or b""
    assert received == b"bye"
    channel.close()
    thread.join(10)


def test_what_is_lost_with_the_connection_is_not_waited_for(
    pair: tuple[Channel, socket.socket],
) -> None:
    channel, theirs = pair
    channel.queue(bytes(16 << 20))
    assert not channel.flush()  # the socket is full
    theirs.close()
    with pytest.raises(OSError):
        channel.flush()  # as another thread does, such as the poll thread
    with pytest.raises(DisconnectError, match="lost before all was sent"):
        channel.send_up_to(channel.queued, Deadline(20))
