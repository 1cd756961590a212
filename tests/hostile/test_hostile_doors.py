"""Many connections, and packets that do not end, beside a client and a worker that mean no harm."""

import contextlib
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import gear
from gear_wire.codec import encode
from gear_wire.packets import EchoReq
from support.geard_program import HOST, TIMEOUT, Geard, wait_until
from support.work_loops import ThreadLoop

JOBS = 100
MOST = 40
BEGUN = encode(EchoReq(b"x" * 1_000_000))[:2000]
"""The beginning of a packet that does not go on."""


@pytest.fixture
def geard(tmp_path: Path) -> Iterator[Geard]:
    limits = ("--max-connections", str(MOST), "--packet-timeout", "1")
    with Geard(tmp_path, *limits) as geard:
        yield geard


@pytest.fixture
def pair(geard: Geard) -> Iterator[Callable[[], None]]:
    """Has jobs done by a client and a worker that are connected from the start."""
    worker = ThreadLoop([(HOST, geard.port)], bytes.upper)
    client = gear.Client("innocent")
    client.addServer(HOST, geard.port)
    client.waitForServer(TIMEOUT)

    def work() -> None:
        for number in range(JOBS):
            job = gear.Job("work", b"job %d" % number)
            client.submitJob(job)
            assert job.wait(TIMEOUT)
            assert job.data == [b"JOB %d" % number]

    work()
    yield work
    client.shutdown()
    worker.close()
    assert worker.ended()


def test_a_crowd_at_the_door_disturbs_nobody_inside(geard: Geard, pair: Callable[[], None]) -> None:
    with contextlib.ExitStack() as closing:
        for _ in range(3):
            for _ in range(100):
                closing.enter_context(geard.connect())
            pair()
    geard.wait_for_log(f"Refused connection from {HOST} port .*: {MOST} connections are open")
    wait_until(lambda: answers(geard), "there is no room after they have left")


def answers(geard: Geard) -> bool:
    """Return whether it lets a connection in and answers."""
    try:
        return geard.ask("version").startswith("OK ")
    except ConnectionError:
        return False


def read_to_the_end(sock: socket.socket) -> bytes:
    data = b""
    while chunk := sock.recv(4096):
        data += chunk
    return data


def test_packets_that_do_not_end_disturb_nobody(geard: Geard, pair: Callable[[], None]) -> None:
    with contextlib.ExitStack() as closing:
        socks = [closing.enter_context(geard.connect()) for _ in range(MOST - 5)]
        for sock in socks:
            sock.sendall(BEGUN)
        pair()
        for sock in socks:
            assert b"TIMEOUT\0packet unfinished after 1 s" in read_to_the_end(sock)
        pair()
    geard.wait_for_log("2000 bytes of a packet came, and then too little in 1 s")
