"""The worker's jobs: what they know and what they send."""

from collections.abc import Callable

import pytest

from gear_wire.errors import ConnectionError
from gear_wire.packets import (
    BasePacket,
    WorkComplete,
    WorkData,
    WorkException,
    WorkFail,
    WorkStatus,
    WorkWarning,
)
from gear_wire.types import Handle
from gear_worker import BinaryWorkerJob, TextWorkerJob, WorkerJob

H1 = Handle(b"H:1")


def sending(job: WorkerJob) -> list[BasePacket]:
    """Return the list that what a job sends is put into."""
    sent: list[BasePacket] = []
    job._sender = sent.append
    return sent


@pytest.mark.parametrize(
    ("send", "packet"),
    [
        (lambda job: job.sendWorkData(b"a\0b"), WorkData(H1, b"a\0b")),
        (lambda job: job.sendWorkData("ä"), WorkData(H1, "ä".encode())),
        (lambda job: job.sendWorkData(), WorkData(H1, b"")),
        (lambda job: job.sendWorkWarning(b"x"), WorkWarning(H1, b"x")),
        (lambda job: job.sendWorkStatus(1, 2), WorkStatus(H1, b"1", b"2")),
        (lambda job: job.sendWorkStatus(0.5, 1), WorkStatus(H1, b"0.5", b"1")),
        (lambda job: job.sendWorkComplete(b"x"), WorkComplete(H1, b"x")),
        (lambda job: job.sendWorkComplete(), WorkComplete(H1, b"")),
        (lambda job: job.sendWorkFail(), WorkFail(H1)),
        (lambda job: job.sendWorkException(b"x"), WorkException(H1, b"x")),
    ],
)
def test_what_it_sends(send: Callable[[WorkerJob], None], packet: BasePacket) -> None:
    job = WorkerJob(b"H:1", "reverse", b"test")
    sent = sending(job)
    send(job)
    assert sent == [packet]


def test_its_parts() -> None:
    job = WorkerJob(b"H:1", b"reverse", b"test", b"u")
    assert (job.handle, job.name, job.arguments, job.unique) == (b"H:1", "reverse", b"test", b"u")
    assert job.reducer is None
    assert WorkerJob(b"H:1", b"reverse", b"").unique is None


def test_a_job_that_came_over_no_connection() -> None:
    with pytest.raises(ConnectionError, match="came over no connection"):
        WorkerJob(b"H:1", "reverse", b"").sendWorkComplete()


def test_data_that_is_no_data() -> None:
    job = WorkerJob(b"H:1", "reverse", b"")
    sent = sending(job)
    with pytest.raises(TypeError, match="must be bytes or str, not dict"):
        job.sendWorkData({})  # type: ignore[arg-type]  # what the test is about
    assert sent == []


def test_a_text_job() -> None:
    job = TextWorkerJob(b"H:1", b"reverse", "käse".encode(), "ü".encode())
    assert (job.arguments, job.unique, job.name) == ("käse", "ü", "reverse")
    job.arguments, job.unique = "a", "b"
    assert (job.binary_arguments, job.binary_unique) == (b"a", b"b")
    job.unique = None
    assert job.unique is None


def test_a_text_job_gives_back_what_is_no_text() -> None:
    job = TextWorkerJob(b"H:1", b"echo", b"\xff\0\xfe")
    sent = sending(job)
    job.sendWorkComplete(job.arguments)
    assert sent == [WorkComplete(H1, b"\xff\0\xfe")]


def test_a_binary_job() -> None:
    job = BinaryWorkerJob(b"H:1", b"reverse", b"")
    assert job.name == b"reverse"
    job.name = "count"
    assert job.name == b"count"
