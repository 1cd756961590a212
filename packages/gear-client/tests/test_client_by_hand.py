"""Handlers that a program calls itself, with packets that it makes, as unit tests do."""

from collections.abc import Callable

import pytest

from gear_client import Client, Job
from gear_wire.errors import UnknownJobError
from gear_wire.packet import Packet
from gear_wire.packets import (
    BasePacket,
    StatusRes,
    WorkComplete,
    WorkData,
    WorkException,
    WorkFail,
    WorkStatus,
    WorkWarning,
)
from gear_wire.table import BY_STRUCT
from gear_wire.types import Handle

H1 = Handle(b"H:1")
EXPECTED: list[tuple[BasePacket, dict[str, object]]] = [
    (WorkComplete(H1, b"x"), {"complete": True, "failure": False, "data": [b"x"]}),
    (WorkFail(H1), {"complete": True, "failure": True}),
    (WorkException(H1, b"why"), {"complete": True, "failure": True, "exception": b"why"}),
    (WorkData(H1, b"x\0y"), {"complete": False, "data": [b"x\0y"]}),
    (WorkWarning(H1, b"x"), {"warning": True, "data": [b"x"]}),
    (WorkStatus(H1, b"1", b"4"), {"numerator": b"1", "fraction_complete": 0.25}),
    (StatusRes(H1, b"1", b"0", b"1", b"2"), {"known": True, "running": False}),
]
Make = Callable[[BasePacket, Job], Packet]


class Connection:
    """Not a connection, but good enough for 0.16."""

    def __init__(self, job: Job) -> None:
        self.related_jobs: dict[bytes, object] = {H1: job}

    def sendPacket(self, packet: Packet) -> None:
        """Send nothing."""


class Double:
    """Not a packet, but good enough for 0.16."""

    def __init__(self, packet: Packet, job: Job) -> None:
        self.packet = packet
        self.job = job
        self.connection = None

    def getJob(self) -> Job:
        return self.job

    def getArgument(self, index: int, last: bool = False) -> bytes:
        return self.packet.getArgument(index, last)


def plain(value: BasePacket) -> Packet:
    info = BY_STRUCT[type(value)]
    return Packet(b"\0RES", info.number, b"\0".join(info.values(value)))


def replaced(value: BasePacket, job: Job) -> Packet:
    packet = plain(value)
    packet.getJob = lambda: job  # type: ignore[method-assign]  # as programs do
    return packet


def over_a_double(value: BasePacket, job: Job) -> Packet:
    packet = plain(value)
    packet.connection = Connection(job)
    return packet


def double(value: BasePacket, job: Job) -> Packet:
    return Double(plain(value), job)  # type: ignore[return-value]  # as programs do


@pytest.mark.parametrize("make", [replaced, over_a_double, double])
@pytest.mark.parametrize(("value", "expected"), EXPECTED)
def test_a_packet_changes_the_job_that_it_names(
    make: Make, value: BasePacket, expected: dict[str, object]
) -> None:
    job = Job("reverse", b"")
    job.handle = H1
    packet = make(value, job)
    client = Client()
    handler = getattr(client, BY_STRUCT[type(value)].handler)
    assert handler(packet) is job
    assert {name: getattr(job, name) for name in expected} == expected
    if isinstance(packet.connection, Connection):
        assert bool(packet.connection.related_jobs) is not job.complete
    client.shutdown()


@pytest.mark.parametrize(("value", "expected"), EXPECTED)
def test_a_packet_over_no_connection_names_no_job(
    value: BasePacket, expected: dict[str, object]
) -> None:
    client = Client()
    with pytest.raises(UnknownJobError, match="no connection"):
        client.handlePacket(plain(value))
    client.shutdown()


@pytest.mark.parametrize("number", [17, 19, 27, 42])  # echo, error, option, status by unique
def test_what_names_no_job_raises_nothing(number: int) -> None:
    client = Client()
    client.handlePacket(Packet(b"\0RES", number, b"a\0b\0c\0d\0e\0f"))
    client.shutdown()


def test_a_job_that_is_none() -> None:
    client = Client()
    packet = plain(WorkFail(H1))
    packet.getJob = lambda: "a job"  # type: ignore[assignment,method-assign,return-value]
    with pytest.raises(TypeError, match=r"no gear\.Job"):
        client.handleWorkFail(packet)
    client.shutdown()
