"""Workers of other libraries: which job they get next, and what happens to those they lose."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import gear
from gear_wire.packet import Packet
from support.daemon import Server, start_geard
from support.faces import ThreadFace, connected, reverse

from .programs import PROGRAMS, StartWorker

pytestmark = [pytest.mark.peer, pytest.mark.timeout(40)]

WAIT = 20


class Listener(gear.Client):
    """Tells when the first data comes, and in which order jobs end."""

    def __init__(self) -> None:
        super().__init__("listener")
        self.heard = threading.Event()
        self.ended: list[bytes] = []

    def handleWorkData(self, packet: Packet) -> gear.Job:
        job = super().handleWorkData(packet)
        self.heard.set()
        return job

    def handleWorkComplete(self, packet: Packet) -> gear.Job:
        job = super().handleWorkComplete(packet)
        self.ended.append(job.arguments)
        return job


@pytest.fixture
def listener(server: Server) -> Iterator[Listener]:
    """A client that is connected."""
    client = Listener()
    client.addServer(server.host, server.port)
    client.waitForServer()
    yield client
    client.shutdown()


@pytest.fixture
def face(server: Server) -> Iterator[ThreadFace]:
    """Workers of gear's."""
    with connected("threads", [(server.host, server.port)]) as face:
        assert isinstance(face, ThreadFace)
        yield face


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_job_of_a_worker_that_dies_goes_to_another(
    program: str,
    server: Server,
    listener: Listener,
    face: ThreadFace,
    start_worker: StartWorker,
    prefix: str,
) -> None:
    worker = start_worker(program, server)
    job = gear.Job(f"{prefix}hang", b"ab")
    listener.submitJob(job)
    assert listener.heard.wait(WAIT)
    worker.process.kill()
    face.serve(f"{prefix}hang", reverse)
    assert job.result(WAIT) == b"hereba"


# gearmand wakes the others before the job is there to be had, and a worker that answers at once
# finds nothing and sleeps on.
@pytest.mark.parametrize("server", ["geard"], indirect=True)
@pytest.mark.parametrize("program", PROGRAMS)
def test_the_job_of_a_worker_that_is_too_slow_goes_to_another(
    program: str,
    server: Server,
    listener: Listener,
    face: ThreadFace,
    start_worker: StartWorker,
    prefix: str,
) -> None:
    start_worker(program, server)
    job = gear.Job(f"{prefix}late", b"ab")
    listener.submitJob(job)
    assert listener.heard.wait(WAIT)
    face.serve(f"{prefix}late", reverse)
    assert job.result(WAIT) == b"hereba"
    if program in ("libgearman", "php"):
        # It hears that its own result came too late, and goes on; Perl's ends, 0.16's reconnects.
        after = gear.Job(f"{prefix}reverse", b"ab")
        listener.submitJob(after)
        assert after.result(WAIT) == b"ba"


def test_libgearman_gives_a_job_back(
    server: Server, listener: Listener, start_worker: StartWorker, prefix: str
) -> None:
    start_worker("libgearman", server)
    job = gear.Job(f"{prefix}flaky", b"")
    listener.submitJob(job)
    assert job.result(WAIT) == b"again"


@pytest.mark.parametrize("program", PROGRAMS)
def test_precedence(
    program: str, server: Server, listener: Listener, start_worker: StartWorker, prefix: str
) -> None:
    jobs = []
    for name, precedence in (
        (b"low", gear.PRECEDENCE_LOW),
        (b"normal", gear.PRECEDENCE_NORMAL),
        (b"high", gear.PRECEDENCE_HIGH),
    ):
        jobs.append(gear.Job(f"{prefix}reverse", name))
        listener.submitJob(jobs[-1], precedence=precedence)
    start_worker(program, server)
    for job in jobs:
        assert job.result(WAIT) == job.arguments[::-1]
    assert listener.ended == [b"high", b"normal", b"low"]


# Perl's worker comes back too, but looks at its connections every ten seconds only.
@pytest.mark.parametrize("program", ["libgearman", "php", "gear016"])
def test_a_worker_comes_back_to_a_server_that_was_started_again(
    program: str, tmp_path: Path, start_worker: StartWorker, prefix: str
) -> None:
    first = start_geard(tmp_path)
    try:
        start_worker(program, first)
        with connected("threads", [(first.host, first.port)]) as face:
            assert face.submit(f"{prefix}reverse", b"ab").result() == b"ba"
    finally:
        first.stop()
    second = start_geard(tmp_path, port=first.port)
    try:
        with connected("threads", [(second.host, second.port)]) as face:
            assert face.submit(f"{prefix}reverse", b"cd").result() == b"dc"
    finally:
        second.stop()


def answer(listener: Listener, name: str) -> bytes | None:
    """Return a job's result, or the exception with which it failed."""
    job = gear.Job(name, b"ab")
    listener.submitJob(job)
    try:
        return job.result(2)
    except gear.JobFailedError as failure:
        return failure.exception


@pytest.mark.parametrize("server", ["geard"], indirect=True)
def test_perl_goes_on_after_a_function_that_dies(
    server: Server, listener: Listener, start_worker: StartWorker, prefix: str
) -> None:
    start_worker("perl", server)
    assert b"dead\n" in (answer(listener, f"{prefix}die") or b"")
    assert answer(listener, f"{prefix}reverse") == b"ba"


@pytest.mark.parametrize("server", ["geard"], indirect=True)
def test_perl_returns_nothing(
    server: Server, listener: Listener, start_worker: StartWorker, prefix: str
) -> None:
    start_worker("perl", server)
    assert answer(listener, f"{prefix}nothing") == b""
    assert answer(listener, f"{prefix}reverse") == b"ba"
