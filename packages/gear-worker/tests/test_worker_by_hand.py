"""Handlers that a program calls itself, with packets that it makes, as unit tests do."""

import logging
from collections.abc import Iterator

import pytest

from gear_wire import constants
from gear_wire.link.threads.connection import Connection
from gear_wire.packet import Packet
from gear_worker import Worker

ASSIGNMENTS = [
    (constants.JOB_ASSIGN, b"H:1\0work\0a\0b", None, None),
    (constants.JOB_ASSIGN_UNIQ, b"H:1\0work\0u\0a\0b", b"u", None),
    (constants.JOB_ASSIGN_UNIQ, b"H:1\0work\0\0a\0b", None, None),
    (constants.JOB_ASSIGN_ALL, b"H:1\0work\0u\0sum\0a\0b", b"u", b"sum"),
]


class Double:
    """Not a connection, but good enough for 0.16."""

    def __init__(self) -> None:
        self.related_jobs: dict[bytes, object] = {}
        self.state = "GRAB_WAIT"
        self.sent: list[Packet] = []

    def sendPacket(self, packet: Packet) -> None:
        """Note what is sent."""
        self.sent.append(packet)

    def changeState(self, state: str) -> None:
        """Note what a worker does."""
        self.state = state


@pytest.fixture
def worker() -> Iterator[Worker]:
    worker = Worker("me")
    yield worker
    worker.shutdown()


@pytest.mark.parametrize(("number", "data", "unique", "reducer"), ASSIGNMENTS)
def test_an_assignment_over_no_connection_is_a_job(
    worker: Worker, number: int, data: bytes, unique: bytes | None, reducer: bytes | None
) -> None:
    made = worker.handlePacket(Packet(constants.RES, number, data))
    job = worker.getJob(timeout=0)
    assert job is made
    assert (job.handle, job.name, job.arguments) == (b"H:1", "work", b"a\0b")
    assert (job.unique, job.reducer, job.connection) == (unique, reducer, None)


def test_a_job_reports_over_the_connection_that_its_packet_names(worker: Worker) -> None:
    connection = Double()
    worker.handleJobAssign(Packet(constants.RES, constants.JOB_ASSIGN, b"H:1\0w\0x", connection))
    with worker.getJob(timeout=0) as job:
        job.sendWorkComplete(b"done")
    assert connection.sent == [Packet(constants.REQ, constants.WORK_COMPLETE, b"H:1\0done")]


def test_a_connection_that_was_never_made(worker: Worker) -> None:
    connection = Connection("localhost")
    packet = Packet(constants.RES, constants.JOB_ASSIGN, b"H:1\0w\0x", connection)
    worker.handleJobAssign(packet)
    assert worker.getJob(timeout=0).connection is connection


@pytest.mark.parametrize("connection", [None, Double()])
@pytest.mark.parametrize(
    "number", [constants.NOOP, constants.NO_JOB, constants.ERROR, constants.ECHO_RES, 101]
)
def test_what_assigns_no_job_raises_nothing(
    worker: Worker, number: int, connection: Double | None, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        worker.handlePacket(Packet(constants.RES, number, b"a\0b", connection))
    assert bool(caplog.records) is (number in (constants.ERROR, 101))
