"""The worker's jobs: what they know and what they send."""

import copy
import logging
import pickle
import threading
from collections.abc import Callable

import pytest

from gear_wire import constants
from gear_wire.errors import ConnectionError
from gear_wire.packet import Packet
from gear_wire.packets import (
    BasePacket,
    WorkComplete,
    WorkData,
    WorkException,
    WorkFail,
    WorkStatus,
    WorkWarning,
)
from gear_wire.types import FunctionName, Handle
from gear_worker import BinaryWorkerJob, TextWorkerJob, WorkerJob

H1 = Handle(b"H:1")
LOG = logging.getLogger("gear.Worker.test")


def sending(job: WorkerJob) -> list[BasePacket]:
    """Return the list that what a job sends is put into."""
    sent: list[BasePacket] = []
    job.attach(None, sent.append, LOG)
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


class NotedConnection:
    """What a program's own tests give a job as its connection."""

    def __init__(self) -> None:
        self.sent: list[Packet] = []

    def sendPacket(self, packet: Packet) -> None:
        self.sent.append(packet)


def test_a_job_made_by_hand_sends_over_the_connection_that_it_was_given() -> None:
    job = WorkerJob(b"H:1", "reverse", b"test")
    job.connection = connection = NotedConnection()
    job.sendWorkStatus(1, 2)
    job.sendWorkComplete(b"a\0b")
    assert connection.sent == [
        Packet(constants.REQ, constants.WORK_STATUS, b"H:1\x001\x002"),
        Packet(constants.REQ, constants.WORK_COMPLETE, b"H:1\0a\0b"),
    ]


class OwnJob(TextWorkerJob):
    """A job of a program."""

    note: object = None


def copies() -> list[Callable[[OwnJob], OwnJob]]:
    return [copy.copy, copy.deepcopy, lambda job: pickle.loads(pickle.dumps(job))]


@pytest.mark.parametrize("duplicate", copies())
def test_a_copy_is_a_value(duplicate: Callable[[OwnJob], OwnJob]) -> None:
    job = OwnJob(b"H:1", "reverse", b"test", b"u")
    sent = sending(job)
    job.connection = threading.Lock()  # as a connection, nothing to be copied
    job.note = ["of a program"]
    job.reducer = FunctionName(b"sum")
    twin = duplicate(job)
    assert type(twin) is OwnJob
    assert (twin.handle, twin.name, twin.arguments, twin.unique) == (
        b"H:1", "reverse", "test", "u",
    )  # fmt: skip
    assert (twin.reducer, twin.note, twin.connection) == (b"sum", ["of a program"], None)
    with pytest.raises(ConnectionError, match="came over no connection"):
        twin.sendWorkComplete()
    job.sendWorkComplete()
    assert sent == [WorkComplete(H1, b"")]
