"""How a server begins and ends: in a block, not at all, and in a process that was forked."""

import contextlib
import gc
import multiprocessing
import multiprocessing.connection
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gear_server import Server
from gear_wire.errors import ConfigurationError, GearmanError

HOST = "127.0.0.1"
TIMEOUT = 30.0
DESCRIPTORS = Path("/proc/self/fd")
FORKS = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")


def ask(port: int, line: bytes = b"version") -> bytes:
    """Return the answer to a text command."""
    with socket.create_connection((HOST, port), TIMEOUT) as sock:
        sock.sendall(line + b"\n")
        return sock.recv(100)


def refuses(port: int) -> bool:
    try:
        socket.create_connection((HOST, port), TIMEOUT).close()
    except ConnectionRefusedError:
        return True
    return False


def test_it_ends_with_its_block() -> None:
    with Server(0, host=HOST) as server:
        assert ask(server.port).startswith(b"OK ")
    assert refuses(server.port)
    server.shutdown()


def test_it_ends_with_its_block_whatever_is_raised() -> None:
    with pytest.raises(RuntimeError, match="mine"), Server(0, host=HOST) as server:
        raise RuntimeError("mine")
    assert refuses(server.port)


@pytest.fixture
def leaves_nothing() -> Iterator[None]:
    """No thread and no descriptor is left behind."""
    Server(0, host=HOST).shutdown()  # uvloop opens a pipe for all of the process
    before = set(os.listdir(DESCRIPTORS)), set(threading.enumerate())
    yield
    gc.collect()
    assert (set(os.listdir(DESCRIPTORS)), set(threading.enumerate())) == before


def of_udp() -> list[socket.socket]:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((HOST, 0))
    return [sock]


def not_listening() -> list[socket.socket]:
    sock = socket.socket()
    sock.bind((HOST, 0))
    return [sock]


@pytest.mark.usefixtures("leaves_nothing")
@pytest.mark.parametrize("make", [of_udp, not_listening, list])
def test_sockets_that_cannot_be_listened_on_are_refused(
    make: Callable[[], list[socket.socket]],
) -> None:
    sockets = make()
    with pytest.raises(ConfigurationError, match="listen"):
        Server(sockets=sockets)
    for sock in sockets:
        assert sock.fileno() >= 0  # they are the caller's still
        sock.close()


@pytest.mark.usefixtures("leaves_nothing")
@pytest.mark.parametrize("statsd_host", [HOST, "a.invalid"])
def test_what_cannot_start_leaves_nothing(statsd_host: str) -> None:
    with socket.create_server((HOST, 0)) as taken:
        port = taken.getsockname()[1] if statsd_host == HOST else 0
        with pytest.raises((OSError, ConfigurationError), match=r"cannot (listen|find)"):
            Server(port, host=HOST, statsd_host=statsd_host)


@pytest.mark.usefixtures("leaves_nothing")
def test_a_thread_that_cannot_be_started_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threading.Thread, "start", no_thread)
    with pytest.raises(RuntimeError, match="can't start new thread"):
        Server(0, host=HOST, statsd_host=HOST)


def no_thread(thread: threading.Thread) -> None:
    raise RuntimeError("can't start new thread")


# Forked


Pipe = multiprocessing.connection.Connection


@contextlib.contextmanager
def forked(target: Callable[[Server, Pipe], None], server: Server) -> Iterator[Pipe]:
    """Run a function in a child that this process forks; gives a pipe to it."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("fork").Process(target=target, args=(server, theirs))
    process.start()
    theirs.close()
    try:
        yield ours
        ours.send("end")
    finally:
        ours.close()
        process.join(TIMEOUT)
    assert process.exitcode == 0


def sockets_of_this_process(port: int) -> list[str]:
    """Return the descriptors that have to do with a port."""
    found = []
    for name in os.listdir(DESCRIPTORS):
        with contextlib.suppress(OSError), socket.socket(fileno=os.dup(int(name))) as sock:
            address = sock.getsockname()
            if isinstance(address, tuple) and address[1] == port:
                found.append(name)
    return found


def use(server: Server, pipe: Pipe) -> None:
    """What a child may try with its parent's server."""
    pipe.send(sockets_of_this_process(server.port))
    for call in (
        lambda: server.waitFor(lambda: True),
        lambda: server.drain(1),
        lambda: server.total_jobs,
        server.getQueue,
        lambda: server.functions.add(b"f"),
        server.wakeConnections,
    ):
        try:
            call()
        except GearmanError as error:
            pipe.send(str(error))
        else:
            pipe.send("nothing is raised")
    with server:
        server.shutdown()
    with Server(0, host=HOST) as own:
        pipe.send(ask(own.port, b"getpid"))
    pipe.send(os.getpid())
    pipe.recv()


@FORKS
def test_a_child_lets_go_of_the_server_and_says_whose_it_is() -> None:
    with Server(0, host=HOST) as server:
        with socket.create_connection((HOST, server.port), TIMEOUT) as sock:
            sock.sendall(b"version\n")
            assert sock.recv(100)
            with forked(use, server) as pipe:
                assert pipe.recv() == []
                for _ in range(6):
                    assert f"belongs to process {os.getpid()}, from which" in pipe.recv()
                answer = pipe.recv()
                assert answer == b"OK %d\n" % pipe.recv()
                sock.sendall(b"getpid\n")
                assert sock.recv(100) == b"OK %d\n" % os.getpid()
                server.shutdown()  # while the child lives
                assert sock.recv(100) == b""
                Server(server.port, host=HOST).shutdown()


ENDS = """
import os, socket, sys, threading
from gear_server import Server
server = Server(0, host="127.0.0.1")
client = socket.create_connection(("127.0.0.1", server.port))
client.sendall(b"version\\n")
client.recv(100)
child = os.fork()
if not child:
    sys.exit()
_, status = os.waitpid(child, 0)
client.sendall(b"version\\n")
assert client.recv(100)
sys.exit(status)
"""


@FORKS
@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
def test_a_child_that_ends_says_nothing(loop: str, tmp_path: Path) -> None:
    path = os.environ.get("PYTHONPATH", "")
    if loop == "asyncio":
        (tmp_path / "uvloop.py").write_text("raise ImportError")
        path = f"{tmp_path}{os.pathsep}{path}"
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "ignore", "-c", ENDS],
        capture_output=True, text=True, timeout=TIMEOUT, check=False,
        env=os.environ | {"PYTHONPATH": path},
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
