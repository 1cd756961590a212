"""The packet table, against the numbers and arguments of the protocol written out."""

import msgspec
import pytest

from gear_wire import constants, packets
from gear_wire.enums import Magic, PacketType, Precedence
from gear_wire.packets import BasePacket, packet_type
from gear_wire.table import BY_KEY, BY_STRUCT, BY_TYPE, PacketInfo, frame_key
from gear_wire.types import FunctionName, Handle, UniqueKey

SUBMIT = ("function", "unique", "payload")
REDUCE = ("function", "unique", "reducer", "aggregate", "payload")
STATE = ("known", "running", "numerator", "denominator")
CALENDAR = ("minute", "hour", "day_of_month", "month", "day_of_week")
PROTOCOL: dict[int, tuple[str, tuple[str, ...]]] = {
    1: ("CAN_DO", ("function",)),
    2: ("CANT_DO", ("function",)),
    3: ("RESET_ABILITIES", ()),
    4: ("PRE_SLEEP", ()),
    6: ("NOOP", ()),
    7: ("SUBMIT_JOB", SUBMIT),
    8: ("JOB_CREATED", ("handle",)),
    9: ("GRAB_JOB", ()),
    10: ("NO_JOB", ()),
    11: ("JOB_ASSIGN", ("handle", "function", "payload")),
    12: ("WORK_STATUS", ("handle", "numerator", "denominator")),
    13: ("WORK_COMPLETE", ("handle", "payload")),
    14: ("WORK_FAIL", ("handle",)),
    15: ("GET_STATUS", ("handle",)),
    16: ("ECHO_REQ", ("payload",)),
    17: ("ECHO_RES", ("payload",)),
    18: ("SUBMIT_JOB_BG", SUBMIT),
    19: ("ERROR", ("code", "text")),
    20: ("STATUS_RES", ("handle", *STATE)),
    21: ("SUBMIT_JOB_HIGH", SUBMIT),
    22: ("SET_CLIENT_ID", ("client_id",)),
    23: ("CAN_DO_TIMEOUT", ("function", "timeout")),
    24: ("ALL_YOURS", ()),
    25: ("WORK_EXCEPTION", ("handle", "payload")),
    26: ("OPTION_REQ", ("option",)),
    27: ("OPTION_RES", ("option",)),
    28: ("WORK_DATA", ("handle", "payload")),
    29: ("WORK_WARNING", ("handle", "payload")),
    30: ("GRAB_JOB_UNIQ", ()),
    31: ("JOB_ASSIGN_UNIQ", ("handle", "function", "unique", "payload")),
    32: ("SUBMIT_JOB_HIGH_BG", SUBMIT),
    33: ("SUBMIT_JOB_LOW", SUBMIT),
    34: ("SUBMIT_JOB_LOW_BG", SUBMIT),
    35: ("SUBMIT_JOB_SCHED", ("function", "unique", *CALENDAR, "payload")),
    36: ("SUBMIT_JOB_EPOCH", ("function", "unique", "when", "payload")),
    37: ("SUBMIT_REDUCE_JOB", REDUCE),
    38: ("SUBMIT_REDUCE_JOB_BACKGROUND", REDUCE),
    39: ("GRAB_JOB_ALL", ()),
    40: ("JOB_ASSIGN_ALL", ("handle", "function", "unique", "reducer", "payload")),
    41: ("GET_STATUS_UNIQUE", ("unique",)),
    42: ("STATUS_RES_UNIQUE", ("unique", *STATE, "client_count")),
}


def test_the_table_is_the_protocol() -> None:
    table = {number: (info.number.name, info.arguments) for number, info in BY_TYPE.items()}
    assert table == PROTOCOL
    assert set(PacketType) == set(PROTOCOL)


@pytest.mark.parametrize("info", BY_STRUCT.values(), ids=lambda info: info.struct.__name__)
def test_a_row_of_the_table(info: PacketInfo) -> None:
    assert BY_TYPE[info.number] is info
    assert [BY_KEY[frame_key(magic, info.number)] for magic in Magic] == [info, info]
    assert info.greedy == ("payload" in info.arguments)
    assert info.handler == f"handle{info.struct.__name__}"
    values = tuple(b"%d" % index for index in range(len(info.arguments)))
    packet = info.struct(*values)
    assert info.values(packet) == values
    assert packet == info.struct(**dict(zip(info.arguments, values, strict=True)))
    assert packet_type(info.struct) is info.number


def test_the_key_is_the_head_of_the_bytes() -> None:
    assert frame_key(Magic.RES, 20).to_bytes(8) == b"\0RES\0\0\0\x14"


def test_packets_are_frozen_values() -> None:
    packet = packets.JobCreated(Handle(b"H:1"))
    assert {packet: 1}[packets.JobCreated(Handle(b"H:1"))] == 1
    with pytest.raises(AttributeError, match="immutable"):
        setattr(packet, "handle", b"H:2")  # noqa: B010  (mypy refuses the plain assignment)


def test_packets_as_json() -> None:
    packet: BasePacket = packets.SubmitJob(FunctionName(b"reverse"), UniqueKey(b""), b"test")
    data = msgspec.json.encode(packet)
    assert data == b'{"type":7,"function":"cmV2ZXJzZQ==","unique":"","payload":"dGVzdA=="}'
    assert msgspec.json.decode(data, type=packets.SubmitJob) == packet


def test_the_documented_constants_are_plain_values() -> None:
    assert (constants.REQ, constants.RES) == (b"\0REQ", b"\0RES")
    for number, (name, _) in PROTOCOL.items():
        assert getattr(constants, name) == number
        assert type(getattr(constants, name)) is int
        assert constants.types[number] == name
    assert len(constants.types) == len(PROTOCOL)


def test_precedences_have_the_numbers_of_gear() -> None:
    named = (constants.PRECEDENCE_NORMAL, constants.PRECEDENCE_LOW, constants.PRECEDENCE_HIGH)
    assert [int(precedence) for precedence in named] == [0, 1, 2]
    assert list(named) == list(Precedence)


def test_every_name_that_the_constants_export_is_there() -> None:
    assert {name for name in vars(constants) if name.isupper() and name != "TYPE_CHECKING"} | {
        "types"
    } == set(constants.__all__)
