"""PacketHandlers: which packet calls which method."""

import logging

import pytest

from gear_wire.handlers import PacketHandlers
from gear_wire.packet import Packet
from gear_wire.table import BY_TYPE, PacketInfo


class Handlers(PacketHandlers):
    """The handlers alone."""

    def __init__(self) -> None:
        self.log = logging.getLogger("gear.test.handlers")


@pytest.mark.parametrize("info", BY_TYPE.values(), ids=lambda info: info.number.name)
def test_a_packet_calls_its_handler(info: PacketInfo) -> None:
    seen: list[Packet] = []

    def handler(self: Handlers, packet: Packet) -> object:
        seen.append(packet)
        return "done"

    overridden = type("Overridden", (Handlers,), {info.handler: handler})()
    packet = Packet(b"\0RES", info.number, b"")
    assert isinstance(overridden, Handlers)
    assert overridden.handlePacket(packet) == "done"
    assert seen == [packet]


@pytest.mark.parametrize("info", BY_TYPE.values(), ids=lambda info: info.number.name)
def test_a_handler_that_nobody_overrides_says_so(
    info: PacketInfo, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        assert Handlers().handlePacket(Packet(b"\0RES", info.number, b"")) is None
    (record,) = caplog.records
    assert record.levelno == logging.INFO
    assert f"type: {info.number.name}" in record.getMessage()


def test_a_packet_of_unknown_type_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    assert Handlers().handlePacket(Packet(b"\0RES", 101, b"")) is None
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert "unknown type 101" in record.getMessage()


def test_every_handler_is_documented() -> None:
    assert all(getattr(PacketHandlers, info.handler).__doc__ for info in BY_TYPE.values())
