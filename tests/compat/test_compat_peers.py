"""What one connection costs gear.Server, and another: peers that are no good, and loads."""

import importlib.metadata
import re
import socket
import struct
import threading
import time
from collections.abc import Iterator
from types import FrameType
from typing import TYPE_CHECKING

import pytest

import gear
import gear.constants as c
from support.lines import HOST, Line, Lines

if TYPE_CHECKING:
    from _typeshed import TraceFunction


# Peers that are no good


def test_a_dead_sleeper_costs_nobody_else_anything(server: gear.Server, line: Lines) -> None:
    """In 0.16, an error while writing to one connection ended another."""
    client, worker, sleepers = line(), line(), [line() for _ in range(10)]
    for sleeper in (*sleepers, worker):
        sleeper.say(c.CAN_DO, b"f")
        sleeper.say(c.PRE_SLEEP)
        assert sleeper.alive()
    for sleeper in sleepers:
        sock = sleeper.connection.conn
        assert sock is not None
        # Closed with a reset instead of an end: the next write to it fails.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sleeper.connection.disconnect()
    handles = [client.submit(b"f", b"", b"") for _ in range(5)]
    assert worker.hear() == ("NOOP", b"")
    assert client.alive()
    for handle in handles:
        assert worker.grab() == handle
        worker.say(c.WORK_COMPLETE, handle, b"done")
        assert client.hear() == ("WORK_COMPLETE", handle + b"\0done")


def test_who_does_not_read_is_cut_off() -> None:
    """0.16 kept for it whatever came."""
    server = gear.Server(0, host=HOST, settings=gear.ServerSettings(max_send_queue=1 << 20))
    client, worker, stalled = (Line(server.port) for _ in range(3))
    worker.say(c.CAN_DO, b"f")
    handle = stalled.submit(b"f", b"", b"")
    worker.grab()
    part = bytes(1 << 20)
    for _ in range(50):
        worker.say(c.WORK_DATA, handle, part)
    assert server.waitFor(lambda: len(server.active_connections) == 2, 20)
    assert client.alive()
    assert worker.alive()
    for one in (client, worker, stalled):
        one.connection.disconnect()
    server.shutdown()


def test_many_connect_at_once(server: gear.Server) -> None:
    """0.16 let one wait to be accepted."""
    socks = [socket.socket() for _ in range(100)]
    with server.lock:  # nobody is accepted meanwhile
        for sock in socks:
            sock.settimeout(20)
            sock.connect((HOST, server.port))
    for sock in socks:
        sock.sendall(b"version\n")
    for sock in socks:
        assert sock.recv(100).startswith(b"OK ")
        sock.close()


def test_a_server_listens_on_all_addresses() -> None:
    """0.16 took the first one alone."""
    server = gear.Server(0)
    addresses = [HOST, "::1"] if has_ipv6() else [HOST]
    for address in addresses:
        connection = gear.Connection(address, server.port)
        connection.connect()
        assert connection.echo(b"x", 20) == b"x"
        connection.disconnect()
    server.shutdown()


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as sock:
            sock.bind(("::1", 0))
    except OSError:
        return False
    return True


@pytest.mark.parametrize("keepalive", [False, True])
def test_keepalive_of_accepted_connections(keepalive: bool) -> None:
    server = gear.Server(0, host=HOST, keepalive=keepalive, tcp_keepidle=60)
    one = Line(server.port)
    assert one.alive()
    (peer,) = server.active_connections
    with socket.socket(fileno=socket.dup(peer.conn.fileno())) as sock:
        assert bool(sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)) is keepalive
        if keepalive:
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 60
    one.connection.disconnect()
    server.shutdown()


# What it costs


class Steps:
    """Counts the lines of Python that the threads started meanwhile run."""

    def __init__(self) -> None:
        self.count = 0

    def trace(self, frame: FrameType, event: str, argument: object) -> "TraceFunction":
        if event == "line":
            self.count += 1
        return self.trace


@pytest.fixture
def steps() -> Iterator[Steps]:
    steps = Steps()
    threading.settrace(steps.trace)
    yield steps
    threading.settrace(None)


def test_a_grab_costs_the_same_however_many_jobs_others_have(steps: Steps) -> None:
    """In 0.16 it looked at every job of every function: 20 times the cost for 20 times the jobs."""
    server = gear.Server(0, host=HOST)
    threading.settrace(None)
    client, worker = Line(server.port), Line(server.port)
    worker.say(c.CAN_DO, b"mine")
    costs = []
    for others in (10, 2000):
        for number in range(others):
            client.submit(b"other-%d" % (number % 50), b"", b"", ptype=c.SUBMIT_JOB_BG)
        assert worker.alive()
        before = steps.count
        for ptype in (c.GRAB_JOB, c.GRAB_JOB_UNIQ):
            assert worker.ask(ptype) == ("NO_JOB", b"")
        worker.say(c.PRE_SLEEP)
        assert worker.alive()
        costs.append(steps.count - before)
    assert 0 < costs[1] < 2 * costs[0]
    for one in (client, worker):
        one.connection.disconnect()
    server.shutdown()


def test_one_job_at_a_time_waits_for_no_timer(server: gear.Server, line: Lines) -> None:
    """0.16 left Nagle's algorithm on: 23 jobs a second, one after the other."""
    client, worker = line(), line()
    worker.say(c.CAN_DO, b"f")
    fastest = 60.0
    for _ in range(50):
        begun = time.monotonic()
        handle = client.submit(b"f", b"", b"")
        worker.grab()
        worker.say(c.WORK_DATA, handle, b"a")
        worker.say(c.WORK_COMPLETE, handle, b"b")
        client.hear()
        client.hear()
        fastest = min(fastest, time.monotonic() - begun)
    assert fastest < 0.03  # that of 0.16: more than 0.04, the delay of an acknowledgement
    (peer, _) = server.active_connections
    with socket.socket(fileno=socket.dup(peer.conn.fileno())) as sock:
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_nothing_is_needed_that_python_brings() -> None:
    """0.16 needed six, extras, pbr and python-daemon."""
    parts = ["wire", "client", "worker", "admin", "server"]
    distributions = {"gear", *(f"gear-{part}" for part in parts)}
    needed = {
        re.split(r"[ ;<>=\[]", requirement)[0]
        for name in distributions
        for requirement in importlib.metadata.requires(name) or []
        if "extra ==" not in requirement
    }
    assert needed - distributions == {"msgspec", "uvloop"}
