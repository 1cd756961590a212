"""The packet table: number, name, struct, arguments and handler of every packet.

It is derived from `packets` alone; nothing here is typed twice.
"""

import operator
from collections.abc import Callable
from typing import Final

import msgspec

from gear_wire import packets
from gear_wire.enums import Magic, PacketType
from gear_wire.packets import BasePacket, packet_type

Arguments = Callable[[BasePacket], tuple[bytes, ...]]


class PacketInfo(msgspec.Struct, frozen=True):
    """One row of the table.

    Attributes:
        number: The packet's number and standard name.
        struct: The class of its values.
        arguments: The names of its arguments, in order.
        greedy: Whether the last argument is the rest of the packet, NULs included.
        handler: The documented method that handles it, such as ``handleJobCreated``.
        values: Reads the arguments of a value, in order.
    """

    number: PacketType
    struct: type[BasePacket]
    arguments: tuple[str, ...]
    greedy: bool
    handler: str
    values: Arguments


def _values(fields: tuple[str, ...]) -> Arguments:
    if not fields:
        return lambda packet: ()
    if len(fields) == 1:
        only = operator.attrgetter(fields[0])
        return lambda packet: (only(packet),)
    return operator.attrgetter(*fields)


def _info(struct: type[BasePacket]) -> PacketInfo:
    fields = struct.__struct_fields__
    return PacketInfo(
        number=packet_type(struct),
        struct=struct,
        arguments=fields,
        greedy=fields[-1:] == ("payload",),
        handler="handle" + struct.__name__,
        values=_values(fields),
    )


BY_STRUCT: Final[dict[type[BasePacket], PacketInfo]] = {
    struct: _info(struct)
    for struct in vars(packets).values()
    if isinstance(struct, type) and issubclass(struct, BasePacket) and struct is not BasePacket
}
BY_TYPE: Final[dict[int, PacketInfo]] = {int(info.number): info for info in BY_STRUCT.values()}


def frame_key(magic: Magic, ptype: int) -> int:
    """Return the first eight bytes of a packet, its magic and its type, as one integer."""
    return int.from_bytes(magic.value) << 32 | ptype


BY_KEY: Final[dict[int, PacketInfo]] = {
    frame_key(magic, number): info for number, info in BY_TYPE.items() for magic in Magic
}
