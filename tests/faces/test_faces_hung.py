"""A server that hangs holds up no job of another, on either face: real processes, stopped."""

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import gear
from support.geard_program import HOST, Geard
from support.work_loops import LOOPS

SOON = 5.0
"""Seconds; a worker counts on a server that does not answer for half of one."""


@pytest.fixture
def geards(tmp_path: Path) -> Iterator[list[Geard]]:
    programs = []
    try:
        for name in ("hanging", "healthy"):
            folder = tmp_path / name
            folder.mkdir()
            programs.append(Geard(folder).started())
        yield programs
    finally:
        for program in programs:
            program.__exit__(None, None, None)


def stop(program: Geard) -> None:
    """Stop a process, as a machine that hangs does, until it is told to go on."""
    program.process.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, program.process.pid, os.WSTOPPED | os.WNOWAIT)


def client_of(program: Geard) -> gear.Client:
    client = gear.Client("client")
    client.addServer(HOST, program.port)
    client.waitForServer(20)
    return client


@pytest.mark.parametrize("kind", LOOPS)
def test_jobs_of_the_other_server_are_done_at_once(kind: str, geards: list[Geard]) -> None:
    hanging = geards[0]
    begun, go_on = threading.Event(), threading.Event()

    def work(arguments: bytes) -> bytes:
        if arguments == b"first":
            begun.set()
            assert go_on.wait(20)
        return arguments.upper()

    clients = [client_of(program) for program in geards]
    loop = LOOPS[kind]([(HOST, program.port) for program in geards], work)
    first = gear.Job("work", b"first")
    clients[0].submitJob(first)
    assert begun.wait(20)
    # The worker sleeps at the other one, so that it is this one that it asks next.
    stop(hanging)
    go_on.set()
    for number in range(5):
        job = gear.Job("work", b"job %d" % number)
        clients[1].submitJob(job)
        assert job.result(SOON) == b"JOB %d" % number
    hanging.process.send_signal(signal.SIGCONT)
    assert first.result(20) == b"FIRST"
    last = gear.Job("work", b"last")
    clients[0].submitJob(last)
    assert last.result(20) == b"LAST"
    loop.close()
    for client in clients:
        client.shutdown()
