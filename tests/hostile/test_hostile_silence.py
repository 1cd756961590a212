"""Peers that say nothing, or never finish what they say, in great number: others are served."""

import contextlib
import resource
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import gear
from gear_wire.codec import encode
from gear_wire.enums import Magic, PacketType
from gear_wire.packets import CanDo, PreSleep
from gear_wire.types import FunctionName
from support.geard_program import HOST, TIMEOUT, Geard

MANY = 2_000
SPARE = 200


@pytest.fixture
def room() -> Iterator[None]:
    """Let this process have many connections, too."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < MANY + SPARE:
        pytest.skip(f"only {hard} files may be open")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, MANY + SPARE), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def say_nothing(sock: socket.socket) -> None:
    """Connect, and that is all."""


def begin_a_packet(sock: socket.socket) -> None:
    sock.sendall(b"\0REQ" + int(PacketType.SUBMIT_JOB).to_bytes(4) + (256 << 20).to_bytes(4) + b"f")


def begin_a_header(sock: socket.socket) -> None:
    sock.sendall(b"\0REQ\0\0")


def begin_a_line(sock: socket.socket) -> None:
    sock.sendall(b"stat")


def sleep(sock: socket.socket) -> None:
    sock.sendall(encode(CanDo(FunctionName(b"f")), Magic.REQ) + encode(PreSleep(), Magic.REQ))


@pytest.mark.usefixtures("room")
@pytest.mark.parametrize(
    "say", [say_nothing, begin_a_packet, begin_a_header, begin_a_line, sleep],
    ids=lambda say: say.__name__,
)  # fmt: skip
def test_thousands_of_peers_that_say_no_more_hold_up_nobody(
    tmp_path: Path, say: Callable[[socket.socket], None]
) -> None:
    with Geard(tmp_path) as geard, contextlib.ExitStack() as stack:
        for _ in range(MANY):
            say(stack.enter_context(geard.connect()))
        client = stack.enter_context(gear.Client())
        worker = stack.enter_context(gear.Worker("worker"))
        worker.registerFunction("f")
        for either in (client, worker):
            either.addServer(HOST, geard.port)
            either.waitForServer(TIMEOUT)
        for _ in range(20):
            job = gear.Job("f", b"data")
            client.submitJob(job)
            with worker.getJob() as assigned:
                assigned.sendWorkComplete(b"done")
            assert job.result(TIMEOUT) == b"done"
        assert geard.memory() < 150 << 10
