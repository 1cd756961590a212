"""The documented `Packet`: a frame and the connection it came over; typed ones are in `packets`."""

from collections.abc import Mapping
from typing import Protocol, TypeVar, cast

from gear_wire.codec import decode
from gear_wire.constants import REQ, RES
from gear_wire.errors import InvalidDataError, UnknownJobError
from gear_wire.escape import quoted
from gear_wire.framing import HEADER, Frame
from gear_wire.jobs import BaseJob, to_bytes
from gear_wire.packets import BasePacket
from gear_wire.table import BY_STRUCT, BY_TYPE


class PacketConnection(Protocol):
    """What a packet needs of its connection."""

    @property
    def related_jobs(self) -> Mapping[bytes, object]:
        """The jobs of the connection by handle."""

    def sendPacket(self, packet: "Packet") -> None:
        """Send a packet to the other side."""


class Arguments(Protocol):
    """What has the arguments of a packet."""

    def getArgument(self, index: int, last: bool = False) -> bytes:
        """Return one argument."""


Struct = TypeVar("Struct", bound=BasePacket)


def read_as(packet: Arguments, kind: type[Struct]) -> Struct:
    """Return a typed packet with the arguments of one that a program made, whatever that is."""
    info = BY_STRUCT[kind]
    last = len(info.arguments) - 1
    return kind(
        *(packet.getArgument(index, info.greedy and index == last) for index in range(last + 1))
    )


class Packet:
    """One packet of the binary protocol.

    Args:
        code: The magic: `gear.constants.REQ` or `gear.constants.RES`.
        ptype: The packet's number, such as `gear.constants.WORK_COMPLETE`.
        data: The arguments, separated by NULs.
        connection: Where the packet came from, or None.

    Raises:
        InvalidDataError: The magic or the number is none.
        TypeError: The number is none, or the data neither bytes nor str.
    """

    def __init__(
        self, code: bytes, ptype: int, data: bytes, connection: PacketConnection | None = None
    ) -> None:
        if code not in (REQ, RES):
            raise InvalidDataError(
                f"not the magic of a packet, gear.constants.REQ or RES: {code!r}"
            )
        if not isinstance(ptype, int):
            raise TypeError(f"the type of a packet is a number, not {ptype!r}")
        self.code: bytes = code
        self.ptype: int = int(ptype)
        if not 0 <= self.ptype < 1 << 32:
            raise InvalidDataError(f"the type of a packet has 32 bits: {ptype!r}")
        self.data: bytes = to_bytes(data, "the data of a packet")
        self.connection: PacketConnection | None = connection
        self._decoded: BasePacket | None = None

    @classmethod
    def from_frame(cls, frame: Frame, connection: PacketConnection | None = None) -> "Packet":
        """Return the packet of a frame received over a connection."""
        return cls(frame.magic.value, frame.type, frame.body, connection)

    @property
    def decoded(self) -> BasePacket:
        """The packet as a typed value, read from the data when first asked for.

        Raises:
            ProtocolError: The number is unknown, or arguments are missing.
        """
        if self._decoded is None:
            self._decoded = decode(Frame(self._key, self.data))
        return self._decoded

    @property
    def _key(self) -> int:
        return int.from_bytes(self.code) << 32 | self.ptype

    def toBinary(self) -> bytes:
        """Return the packet as it goes over the wire."""
        return HEADER.pack(self._key, len(self.data)) + self.data

    def getArgument(self, index: int, last: bool = False) -> bytes:
        """Return one argument.

        Args:
            index: Its place, from 0; from -1 at the end.
            last: Whether it is the last one, which may hold NULs.

        Raises:
            InvalidDataError: The packet has no such argument.
        """
        place = index if index >= 0 else index + self.data.count(b"\0") + 1
        start = 0
        # Nothing but the argument is copied: what comes after a handle may be large.
        for _ in range(place):
            start = self.data.find(b"\0", start) + 1
            if not start:
                break
        if place < 0 or (place and not start):
            raise InvalidDataError(f"{self!r} has no argument {index}")
        end = -1 if last else self.data.find(b"\0", start)
        return self.data[start:] if end < 0 else self.data[start:end]

    def getJob(self) -> BaseJob:
        """Return the job of the connection that the first argument names.

        Raises:
            UnknownJobError: The connection knows no such job.
        """
        handle = self.getArgument(0)
        if self.connection is None:
            raise UnknownJobError(f"{self!r} came over no connection")
        try:
            # A server's job is no BaseJob, but has its attributes.
            return cast(BaseJob, self.connection.related_jobs[handle])
        except KeyError:
            raise UnknownJobError(f"no job {quoted(handle)} on {self.connection!r}") from None

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Packet):
            return NotImplemented
        return (self.code, self.ptype, self.data) == (other.code, other.ptype, other.data)

    def __hash__(self) -> int:
        return hash((self.code, self.ptype, self.data))

    def __repr__(self) -> str:
        info = BY_TYPE.get(self.ptype)
        name = str(self.ptype) if info is None else info.number.name
        extra = ""
        if info is not None and info.arguments[:1] == ("handle",):
            extra = f" handle: {quoted(self.getArgument(0))}"
        return f"<gear.Packet 0x{id(self):x} type: {name}{extra}>"
