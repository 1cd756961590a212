"""Packets to bytes and back, by literal bytes; random ones are in tests/properties."""

import pytest

from gear_wire.codec import decode, encode, to_frame
from gear_wire.enums import Magic
from gear_wire.errors import InvalidDataError, ProtocolError
from gear_wire.framing import Frame
from gear_wire.packets import (
    BasePacket,
    CanDo,
    EchoReq,
    Error,
    GrabJobUniq,
    JobAssignUnique,
    JobCreated,
    NoJob,
    StatusRes,
    SubmitJob,
    SubmitJobEpoch,
    WorkFail,
    WorkStatus,
)
from gear_wire.table import frame_key
from gear_wire.types import FunctionName, Handle, UniqueKey

REVERSE = FunctionName(b"reverse")
H1 = Handle(b"H:host:1")


@pytest.mark.parametrize(
    ("packet", "magic", "data"),
    [
        (CanDo(REVERSE), Magic.REQ, b"\0REQ\0\0\0\x01\0\0\0\x07reverse"),
        (GrabJobUniq(), Magic.REQ, b"\0REQ\0\0\0\x1e\0\0\0\0"),
        (NoJob(), Magic.RES, b"\0RES\0\0\0\x0a\0\0\0\0"),
        (
            SubmitJob(REVERSE, UniqueKey(b""), b"te\0st"),
            Magic.REQ,
            b"\0REQ\0\0\0\x07\0\0\0\x0ereverse\0\0te\0st",
        ),
        (JobCreated(H1), Magic.RES, b"\0RES\0\0\0\x08\0\0\0\x08H:host:1"),
        (
            JobAssignUnique(H1, REVERSE, UniqueKey(b"u"), b"x"),
            Magic.RES,
            b"\0RES\0\0\0\x1f\0\0\0\x14H:host:1\0reverse\0u\0x",
        ),
        (WorkStatus(H1, b"1", b"2"), Magic.REQ, b"\0REQ\0\0\0\x0c\0\0\0\x0cH:host:1\x001\x002"),
        (
            StatusRes(H1, b"1", b"0", b"3", b"4"),
            Magic.RES,
            b"\0RES\0\0\0\x14\0\0\0\x10H:host:1\x001\x000\x003\x004",
        ),
        (
            SubmitJobEpoch(REVERSE, UniqueKey(b""), b"7", b""),
            Magic.REQ,
            b"\0REQ\0\0\0\x24\0\0\0\x0breverse\0\x007\0",
        ),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BasePacket) else "",
)
def test_packets_and_their_bytes(packet: BasePacket, magic: Magic, data: bytes) -> None:
    assert encode(packet, magic) == data
    frame = Frame(int.from_bytes(data[:8]), data[12:])
    assert to_frame(packet, magic) == frame
    assert decode(frame) == packet


def test_clients_and_workers_send_requests_by_default() -> None:
    assert encode(NoJob())[:4] == b"\0REQ"


def test_either_magic_is_read() -> None:
    # gear 0.16's server sends a WORK_FAIL with the magic of a request.
    assert decode(Frame(frame_key(Magic.REQ, 14), b"H:1")) == WorkFail(Handle(b"H:1"))
    assert decode(Frame(frame_key(Magic.RES, 14), b"H:1")) == WorkFail(Handle(b"H:1"))


@pytest.mark.parametrize(
    ("packet", "field"),
    [
        (CanDo(FunctionName(b"a\0b")), "function of CAN_DO"),
        (SubmitJob(FunctionName(b"a\0b"), UniqueKey(b"u"), b""), "function of SUBMIT_JOB"),
        (SubmitJob(REVERSE, UniqueKey(b"\0"), b"x\0y"), "unique of SUBMIT_JOB"),
        (WorkStatus(H1, b"1", b"2\0"), "denominator of WORK_STATUS"),
        (WorkFail(Handle(b"\0")), "handle of WORK_FAIL"),
    ],
)
def test_a_nul_forges_no_argument(packet: BasePacket, field: str) -> None:
    with pytest.raises(InvalidDataError, match=f"{field} must not hold a NUL"):
        encode(packet)


def test_only_the_payload_may_hold_a_nul() -> None:
    assert encode(EchoReq(b"\0\0")).endswith(b"\0\0\0\x02\0\0")


def test_missing_arguments_are_named() -> None:
    with pytest.raises(ProtocolError, match=r"SUBMIT_JOB takes 3 .*function, unique, payload.* 2"):
        decode(Frame(frame_key(Magic.REQ, 7), b"reverse\0u"))


@pytest.mark.parametrize("number", [0, 5, 43, 101, 0x80000000, 0xFFFFFFFF])
def test_unknown_packets_are_refused(number: int) -> None:
    with pytest.raises(ProtocolError, match=f"unknown packet type {number}"):
        decode(Frame(frame_key(Magic.REQ, number), b""))


def test_data_of_a_packet_that_takes_none_is_ignored() -> None:
    assert decode(Frame(frame_key(Magic.REQ, 30), b"zzz")) == GrabJobUniq()


@pytest.mark.parametrize(
    ("number", "body", "packet"),
    [
        (19, b"0\0Permission denied\0", Error(b"0", b"Permission denied")),
        (14, b"H:1\0", WorkFail(Handle(b"H:1"))),
    ],
)
def test_a_last_argument_ends_at_a_nul(number: int, body: bytes, packet: BasePacket) -> None:
    assert decode(Frame(frame_key(Magic.RES, number), body)) == packet
