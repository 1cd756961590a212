"""The documented Packet."""

import pytest

from gear_wire import constants
from gear_wire.errors import InvalidDataError, ProtocolError, UnknownJobError
from gear_wire.framing import FrameReader
from gear_wire.jobs import BaseJob
from gear_wire.packet import Packet
from gear_wire.packets import JobCreated, WorkStatus
from gear_wire.types import Handle


class Connection:
    """The least that a packet needs of a connection."""

    def __init__(self) -> None:
        self.related_jobs: dict[bytes, object] = {}

    def sendPacket(self, packet: Packet) -> None:
        raise AssertionError("nobody sends here")


STATUS = Packet(constants.RES, constants.WORK_STATUS, b"H:1\x001\x002")


def test_its_parts() -> None:
    assert (STATUS.code, STATUS.ptype, STATUS.data) == (b"\0RES", 12, b"H:1\x001\x002")
    assert STATUS.connection is None
    assert STATUS.decoded == WorkStatus(Handle(b"H:1"), b"1", b"2")
    assert STATUS.toBinary() == b"\0RES\0\0\0\x0c\0\0\0\x07H:1\x001\x002"


def test_from_a_frame_and_back() -> None:
    connection = Connection()
    (frame,) = FrameReader().feed(STATUS.toBinary())
    packet = Packet.from_frame(frame, connection)  # type: ignore[arg-type]  # a packet is a Frame
    assert packet == STATUS
    assert packet.connection is connection


def test_arguments() -> None:
    assert [STATUS.getArgument(index) for index in range(3)] == [b"H:1", b"1", b"2"]
    assert STATUS.getArgument(1, last=True) == b"1\x002"
    with pytest.raises(InvalidDataError, match=r"WORK_STATUS .* has no argument 3"):
        STATUS.getArgument(3)
    assert Packet(constants.REQ, constants.CAN_DO, b"").getArgument(0) == b""


def test_the_job_that_it_names() -> None:
    connection, job = Connection(), BaseJob("reverse", b"")
    connection.related_jobs[b"H:1"] = job
    packet = Packet(constants.RES, constants.WORK_COMPLETE, b"H:1\0data", connection)
    assert packet.getJob() is job
    other = Packet(constants.RES, constants.WORK_COMPLETE, b"H:2\0data", connection)
    with pytest.raises(UnknownJobError, match="H:2"):
        other.getJob()
    with pytest.raises(UnknownJobError, match="no connection"):
        STATUS.getJob()


def test_packets_are_equal_by_their_bytes() -> None:
    twin = Packet(constants.RES, constants.WORK_STATUS, b"H:1\x001\x002", Connection())
    assert twin == STATUS
    assert hash(twin) == hash(STATUS)
    assert twin != Packet(constants.REQ, constants.WORK_STATUS, b"H:1\x001\x002")
    assert twin != "packet"


def test_packets_of_no_known_type() -> None:
    packet = Packet(constants.REQ, 101, b"x\0y")
    assert packet.toBinary() == b"\0REQ\0\0\0\x65\0\0\0\x03x\0y"
    assert packet.getArgument(1) == b"y"
    assert "type: 101" in repr(packet)
    with pytest.raises(ProtocolError, match="unknown packet type 101"):
        packet.decoded  # noqa: B018  (reading it is what raises)


def test_what_it_says_of_itself() -> None:
    assert "type: WORK_STATUS handle: b'H:1'" in repr(STATUS)
    assert "handle" not in repr(Packet(constants.REQ, constants.ECHO_REQ, b"secret"))


@pytest.mark.parametrize("code", [b"", b"\0RE", b"REQ\0", b"\0REQQ"])
def test_a_code_that_is_no_magic(code: bytes) -> None:
    with pytest.raises(InvalidDataError, match="not the magic"):
        Packet(code, 1, b"")


@pytest.mark.parametrize("ptype", [-1, 1 << 32])
def test_a_number_that_is_no_type(ptype: int) -> None:
    with pytest.raises(InvalidDataError, match=f"type of a packet.*{ptype}"):
        Packet(constants.REQ, ptype, b"")


@pytest.mark.parametrize("data", [5, None, ["x"]])
def test_data_that_is_no_bytes(data: object) -> None:
    with pytest.raises(TypeError, match="must be bytes"):
        Packet(constants.REQ, 1, data)  # type: ignore[arg-type]  # what the test is about


def test_decoded_is_read_once() -> None:
    packet = Packet(constants.RES, constants.JOB_CREATED, b"H:1")
    assert packet.decoded == JobCreated(Handle(b"H:1"))
    assert packet.decoded is packet.decoded
