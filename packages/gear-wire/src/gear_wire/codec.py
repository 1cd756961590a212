"""Packet structs to bytes and frames to packet structs, all by the one table."""

from typing import Final

from gear_wire.enums import Magic
from gear_wire.errors import InvalidDataError, ProtocolError
from gear_wire.framing import HEADER, REQUEST_MAGIC, RESPONSE_MAGIC, Frame
from gear_wire.packets import BasePacket
from gear_wire.table import BY_KEY, BY_STRUCT, PacketInfo

_MAGIC_BITS: Final = {Magic.REQ: REQUEST_MAGIC << 32, Magic.RES: RESPONSE_MAGIC << 32}
_EMPTY: Final[dict[int, BasePacket]] = {
    key: info.struct() for key, info in BY_KEY.items() if not info.arguments
}


def encode(packet: BasePacket, magic: Magic = Magic.REQ) -> bytes:
    """Return the packet as it goes over the wire.

    Args:
        packet: Any struct of `gear_wire.packets`.
        magic: REQ for what clients and workers send, RES for what servers send.

    Raises:
        InvalidDataError: An argument before the payload holds a NUL, and would be read as two.
    """
    frame = to_frame(packet, magic)
    return HEADER.pack(frame.key, len(frame.body)) + frame.body


def to_frame(packet: BasePacket, magic: Magic = Magic.REQ) -> Frame:
    """Return the packet as a frame; raises as `encode` does."""
    info = BY_STRUCT[type(packet)]
    body = b"\0".join(info.values(packet))
    separators = len(info.arguments) - 1
    if separators >= 0 and body.count(b"\0") != separators:
        _refuse_nul(info, packet)
    return Frame(_MAGIC_BITS[magic] | info.number, body)


def _refuse_nul(info: PacketInfo, packet: BasePacket) -> None:
    fields = info.arguments[:-1] if info.greedy else info.arguments
    for field in fields:
        value: bytes = getattr(packet, field)
        if b"\0" in value:
            raise InvalidDataError(
                f"{field} of {info.number.name} must not hold a NUL byte: {value[:80]!r}"
            )


def decode(frame: Frame) -> BasePacket:
    """Return the typed packet of a frame; either magic is accepted.

    Raises:
        ProtocolError: The packet's number is unknown, or arguments are missing.
    """
    key = frame.key
    empty = _EMPTY.get(key)
    if empty is not None:
        # gearmand ignores the data of a packet that takes none.
        return empty
    info = BY_KEY.get(key)
    if info is None:
        raise ProtocolError(f"unknown packet type {frame.type}")
    count = len(info.arguments)
    arguments = frame.body.split(b"\0", count - 1)
    if len(arguments) != count:
        raise ProtocolError(
            f"{info.number.name} takes {count} arguments "
            f"({', '.join(info.arguments)}), not {len(arguments)}"
        )
    if not info.greedy:
        # gear 0.16's server ends ERROR with a NUL, gearmand a WORK_FAIL that was an exception.
        arguments[-1] = arguments[-1].partition(b"\0")[0]
    return info.struct(*arguments)
