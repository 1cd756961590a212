"""What goes with a threaded client: when it is shut down or dropped, at the end, and in a fork."""

import contextlib
import gc
import multiprocessing
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from typing import TypeVar

import pytest
import trustme

from gear_wire.errors import ConnectionError, InterruptedError
from gear_wire.link.threads.connection import Connection
from gear_wire.link.tls import TLSFiles
from gear_wire.packet import Packet
from gear_wire.packets import EchoReq, Noop
from support.greeting_client import GREETING, GreetingClient
from support.scripted_server import Peer, ScriptedServer, scripted_server
from support.swallowing import swallowing_port

MUCH = EchoReq(bytes(8 << 20))
Used = TypeVar("Used")
forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")


class Client(GreetingClient):
    """A NOOP raises what it is told to."""

    raises: BaseException | None = None

    def handleNoop(self, packet: Packet) -> object:
        super().handleNoop(packet)
        if self.raises is not None:
            raise self.raises
        return None


def connected(server: ScriptedServer) -> Client:
    client = Client()
    client.addServer("127.0.0.1", server.port)
    client.waitForServer(10)
    server.wait_for(lambda: server.messages)
    return client


def wait_until(done: Callable[[], object], seconds: float = 10) -> None:
    """Wait for something of which no event tells."""
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def ended(server: ScriptedServer) -> None:
    """Wait until the server has seen the end of its connections."""
    wait_until(lambda: all(peer.sock.fileno() < 0 for peer in server.peers))


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if "Gearman" in thread.name]


class Slow:
    """Has a scripted server read nothing for a while, once it has heard a NOOP."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.reading = threading.Event()

    def answer(self, peer: Peer, message: object) -> None:
        if isinstance(message, Noop):
            self.asked.set()
            assert self.reading.wait(20)

    def send_much(self, connection: Connection) -> None:
        """Send more than the kernels take while the server does not read."""
        connection.sendPacket(Packet(b"\0REQ", 6, b""))
        assert self.asked.wait(10)
        connection.sendEchoReq(MUCH.payload)


# Shutting down


def test_leaving_the_block_shuts_it_down() -> None:
    with scripted_server() as server:
        with Client() as client:
            client.addServer("127.0.0.1", server.port)
            client.waitForServer(10)
        assert not client.running
        assert threads() == []
        ended(server)


def test_shutting_down_over_a_slow_reader() -> None:
    slow = Slow()
    with scripted_server(slow.answer) as server:
        client = connected(server)
        connection = client.getConnection()
        slow.send_much(connection)
        threading.Timer(0.2, slow.reading.set).start()
        client.shutdown()
        server.wait_for(lambda: MUCH in server.messages)


def test_shutting_down_over_a_slow_reader_that_speaks_tls(tmp_path: Path) -> None:
    authority = trustme.CA()
    files = TLSFiles(*(str(tmp_path / name) for name in ("key", "cert", "ca")))
    certificate = authority.issue_cert("127.0.0.1")
    certificate.private_key_pem.write_to_path(files.key)
    certificate.cert_chain_pems[0].write_to_path(files.cert)
    authority.cert_pem.write_to_path(files.ca)
    slow = Slow()
    with scripted_server(slow.answer, files.server_context()) as server:
        client = Client()
        client.addServer("127.0.0.1", server.port, files.key, files.cert, files.ca)
        client.waitForServer(10)
        connection = client.getConnection()
        slow.send_much(connection)
        threading.Timer(0.2, slow.reading.set).start()
        client.shutdown()
        server.wait_for(lambda: MUCH in server.messages)


def test_shutting_down_over_who_never_reads_takes_as_long_as_was_said() -> None:
    slow = Slow()
    with scripted_server(slow.answer) as server:
        client = connected(server)
        connection = client.getConnection()
        slow.send_much(connection)
        begun = time.monotonic()
        client.shutdown(0.5)
        assert 0.4 < time.monotonic() - begun < 4
        slow.reading.set()


def test_shutting_down_while_a_handler_hangs_takes_as_long_as_was_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("gear_wire.link.threads.loop.JOIN_TIMEOUT", 0.5)
    going = threading.Event()

    class Hanging(Client):
        def handleNoop(self, packet: Packet) -> object:
            super().handleNoop(packet)
            return going.wait(60)

    with scripted_server() as server, Hanging() as client:
        client.addServer("127.0.0.1", server.port)
        client.waitForServer(10)
        server.wait_for(lambda: server.peers)
        server.peers[0].send(Noop())
        assert client.seen.get(timeout=10) == "noop"
        begun = time.monotonic()
        client.shutdown(0.5)
        assert time.monotonic() - begun < 10
        going.set()


# Whatever a handler raises


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), GeneratorExit()])
def test_whatever_a_handler_raises_is_logged_and_disturbs_nothing(
    error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    with scripted_server() as server:
        client = connected(server)
        client.raises = error
        for _ in range(2):
            server.peers[0].send(Noop())
            assert client.seen.get(timeout=10) == "noop"
        assert client.getConnection().echo(b"x", 10) == b"x"
        client.shutdown()
    assert caplog.text.count("Exception while handling") == 2


# Threads that cannot be started


def test_a_thread_that_cannot_be_started_is_asked_for_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    start = threading.Thread.start
    refused: list[str] = []

    def refuse(thread: threading.Thread) -> None:
        if thread.name == "Gearman client connect" and not refused:
            refused.append(thread.name)
            raise RuntimeError("can't start new thread")
        start(thread)

    with scripted_server() as server:
        client = connected(server)
        monkeypatch.setattr(threading.Thread, "start", refuse)
        server.drop()
        server.wait_for(lambda: len(server.messages) == 2)
        assert refused
        client.waitForServer(10)
        assert client.getConnection().echo(b"x", 10) == b"x"
        client.shutdown()
    assert "no more threads" in caplog.text


def test_shutting_down_while_no_thread_can_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    start = threading.Thread.start
    refused = threading.Event()

    def refuse(thread: threading.Thread) -> None:
        if thread.name.startswith("Gearman"):
            refused.set()
            raise RuntimeError("can't start new thread")
        start(thread)

    with scripted_server() as server:
        client = connected(server)
        monkeypatch.setattr(threading.Thread, "start", refuse)
        server.drop()
        assert refused.wait(10)
        client.shutdown()
    assert threads() == []


# Dropping


def drop_and_collect(kept: list[Client]) -> None:
    kept.clear()
    gc.collect()


def test_one_that_is_dropped_warns_and_takes_its_threads_along() -> None:
    with scripted_server() as server:
        kept = [connected(server)]
        with pytest.warns(ResourceWarning, match="was dropped without shutdown"):
            drop_and_collect(kept)
        ended(server)
        wait_until(lambda: threads() == [])
        assert len(server.peers) == 1


def test_one_that_is_dropped_while_it_connects() -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
        kept = [Client()]
        kept[0].addServer("127.0.0.1", port)
        with pytest.warns(ResourceWarning, match="was dropped without shutdown"):
            drop_and_collect(kept)
            wait_until(lambda: threads() == [])


def test_one_that_is_dropped_while_others_hold_its_connection() -> None:
    with scripted_server() as server:
        kept = [connected(server)]
        connection = kept[0].getConnection()
        with pytest.warns(ResourceWarning, match="was dropped without shutdown"):
            drop_and_collect(kept)
        wait_until(lambda: threads() == [])
        with pytest.raises(ConnectionError):
            connection.echo(timeout=10)


def test_one_that_was_shut_down_or_never_connected_is_dropped_in_silence(
    recwarn: pytest.WarningsRecorder,
) -> None:
    with scripted_server() as server:
        connected(server).shutdown()
    Client()
    gc.collect()
    assert [str(warning.message) for warning in recwarn] == []


# The end of the interpreter

PROGRAM = """
import sys, threading, time
from gear_wire.link.threads.client import BaseClient
from gear_wire.packet import Packet
from gear_wire.session import Session

class Client(BaseClient):
    def _new_session(self, connection):
        return Session()

    def handleNoop(self, packet):
        print("noop", flush=True)
        HANDLER

client = Client("end")
client.addServer("127.0.0.1", PORT)
client.waitForServer(10)
"""


@contextlib.contextmanager
def program(
    server: ScriptedServer, rest: str, handler: str = "pass"
) -> Iterator[subprocess.Popen[str]]:
    """Run a program that is connected, and kill it in the end if it still runs."""
    source = PROGRAM.replace("PORT", str(server.port)).replace("HANDLER", handler) + rest
    process = subprocess.Popen(
        [sys.executable, "-c", source],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("end", ["", "sys.exit(0)", "raise SystemExit", "del client"])
def test_a_program_that_ends_sends_what_was_said(end: str) -> None:
    slow = Slow()
    rest = f"""
connection = client.getConnection()
client.sendPacket(Packet(b"\\0REQ", 6, b""), connection)
connection.sendEchoReq(bytes({len(MUCH.payload)}))
{end}
"""
    with scripted_server(slow.answer) as server, program(server, rest) as process:
        assert slow.asked.wait(20)
        threading.Timer(0.3, slow.reading.set).start()
        assert process.communicate(timeout=30) == ("", "")
        assert process.returncode == 0
        server.wait_for(lambda: MUCH in server.messages)


def test_a_program_that_ends_does_not_wait_for_a_handler_that_hangs() -> None:
    hangs = "threading.Event().wait()"
    with scripted_server() as server, program(server, "input()\n", hangs) as process:
        assert process.stdout is not None
        server.wait_for(lambda: server.peers)
        server.peers[0].send(Noop())
        assert process.stdout.readline() == "noop\n"
        assert process.communicate("\n", timeout=20) == ("", "")
        assert process.returncode == 0


# Other processes


def sockets_to(port: int) -> list[int]:
    """Return the descriptors of this process that are connections to a port."""
    found = []
    for descriptor in range(3, 256):
        with contextlib.suppress(OSError), socket.socket(fileno=os.dup(descriptor)) as sock:
            with contextlib.suppress(OSError):
                if sock.getpeername() == ("127.0.0.1", port):
                    found.append(descriptor)
    return found


def selectors() -> int:
    """Return how many selectors this process has."""
    if not os.path.isdir("/proc/self/fd"):
        return 0
    count = 0
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            count += "eventpoll" in os.readlink(f"/proc/self/fd/{name}")
    return count


@contextlib.contextmanager
def forked(target: Callable[[Used, Pipe], None], used: Used) -> Iterator[Pipe]:
    """Use something in a child; it stays until the block is left, and must end well."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("fork").Process(target=target, args=(used, theirs))
    process.start()
    try:
        yield ours
        ours.send("go")
        process.join(20)
        assert process.exitcode == 0
    finally:
        process.kill()
        process.join()
        ours.close()
        theirs.close()


def received(pipe: Pipe) -> object:
    assert pipe.poll(20)
    return pipe.recv()


def stay(client: Client, pipe: Pipe) -> None:
    """Tell what was inherited, and stay."""
    connections = [connection.connected for connection in client.inactive_connections]
    pipe.send((sockets_to(client.inactive_connections[0].port), selectors(), connections))
    pipe.recv()


def connect_anew(client: Client, pipe: Pipe) -> None:
    """Use the client, and tell what came back."""
    pipe.send(client.getConnection().echo(b"from the child", 10))
    pipe.recv()
    client.shutdown()


def wait_anew(client: Client, pipe: Pipe) -> None:
    client.waitForServer(10)
    pipe.send(client.getConnection().echo(b"from the child", 10))
    pipe.recv()
    client.shutdown()


def shut_down(client: Client, pipe: Pipe) -> None:
    client.shutdown()
    try:
        client.waitForServer(10)
    except InterruptedError:
        pipe.send("shut down")
    pipe.recv()


def drop(client: Client, pipe: Pipe) -> None:
    del client
    gc.collect()
    pipe.send("dropped")
    pipe.recv()


@forks
def test_a_child_has_nothing_of_its_parents_connections() -> None:
    with scripted_server() as server:
        client = connected(server)
        with forked(stay, client) as pipe:
            assert received(pipe) == ([], 0, [False])
            assert client.getConnection().echo(b"x", 10) == b"x"
            client.shutdown()
            ended(server)  # though the child lives
            assert len(server.peers) == 1


@forks
@pytest.mark.parametrize("use", [connect_anew, wait_anew])
def test_a_child_connects_anew_when_it_is_first_used(
    use: Callable[[Client, Pipe], None],
) -> None:
    with scripted_server() as server:
        client = connected(server)
        with forked(use, client) as pipe:
            assert received(pipe) == b"from the child"
            assert len(server.peers) == 2
            server.wait_for(lambda: len(server.messages) == 3)
            assert server.messages == [GREETING, GREETING, EchoReq(b"from the child")]
            assert client.getConnection().echo(b"x", 10) == b"x"
        assert client.getConnection().echo(b"y", 10) == b"y"
        assert len(server.peers) == 2
        client.shutdown()


def broadcast(client: Client, pipe: Pipe) -> None:
    client.broadcast(Packet(b"\0REQ", 6, b""))
    pipe.send("sent")
    pipe.recv()
    client.shutdown()


@forks
def test_a_child_broadcasts_over_connections_of_its_own() -> None:
    with scripted_server() as server:
        client = connected(server)
        with forked(broadcast, client) as pipe:
            assert received(pipe) == "sent"
            server.wait_for(lambda: server.messages == [GREETING, GREETING, Noop()])
        client.shutdown()


@forks
@pytest.mark.parametrize("end", [shut_down, drop])
def test_what_a_child_ends_does_not_end_its_parents(end: Callable[[Client, Pipe], None]) -> None:
    with scripted_server() as server:
        client = connected(server)
        with forked(end, client) as pipe:
            assert received(pipe)
            assert client.getConnection().echo(b"x", 10) == b"x"
        assert client.getConnection().echo(b"y", 10) == b"y"
        assert len(server.peers) == 1
        client.shutdown()


@forks
def test_locks_that_others_hold_at_the_fork_do_not_hang_the_child() -> None:
    with scripted_server() as server:
        client = connected(server)
        held, done = threading.Event(), threading.Event()

        def hold() -> None:
            with client.broadcast_lock, client.connections_condition:
                held.set()
                done.wait(30)

        holder = threading.Thread(target=hold)
        holder.start()
        assert held.wait(10)
        try:
            with forked(connect_anew, client) as pipe:
                assert received(pipe) == b"from the child"
        finally:
            done.set()
            holder.join()
        client.shutdown()


@forks
def test_a_child_does_not_keep_its_parents_attempts_to_connect_from_ending() -> None:
    with swallowing_port() as port:
        client = Client()
        client.addServer("127.0.0.1", port)
        with forked(stay, client) as pipe:
            received(pipe)
            begun = time.monotonic()
            client.shutdown()
            assert time.monotonic() - begun < 3
            assert threads() == []


def use_alone(connection: Connection, pipe: Pipe) -> None:
    """Use a connection that the parent made."""
    try:
        connection.echo(b"from the child", 10)
    except ConnectionError as error:
        pipe.send(str(error))
    connection.connect()
    pipe.send(connection.echo(b"from the child", 10))
    pipe.recv()
    connection.disconnect()


@forks
def test_a_connection_on_its_own_is_not_connected_in_a_child() -> None:
    with scripted_server() as server:
        connection = Connection("127.0.0.1", server.port)
        connection.connect()
        with forked(use_alone, connection) as pipe:
            assert "is not connected" in str(received(pipe))
            assert received(pipe) == b"from the child"
            assert connection.echo(b"x", 10) == b"x"
        connection.disconnect()
