"""What one end of a connection knows and sends; sockets and waiting are in `link`."""

from typing import Final

from gear_wire.errors import ProtocolError
from gear_wire.escape import quoted
from gear_wire.jobs import BaseJob
from gear_wire.packets import (
    BasePacket,
    GetStatus,
    GetStatusUnique,
    GrabJob,
    GrabJobAll,
    GrabJobUniq,
    OptionReq,
)
from gear_wire.table import BY_STRUCT

MAX_HANDLE_SIZE: Final = 512
"""The longest job handle believed, in bytes; gearmand's have at most 63."""
SUBMISSIONS: Final[tuple[type[BasePacket], ...]] = tuple(
    kind for kind in BY_STRUCT if kind.__name__.startswith("Submit")
)
"""The packets that submit a job."""
_QUESTIONS: Final[tuple[type[BasePacket], ...]] = (
    *SUBMISSIONS,
    GrabJob,
    GrabJobUniq,
    GrabJobAll,
    GetStatus,
    GetStatusUnique,
    OptionReq,
)


def long_handle(handle: bytes) -> ProtocolError:
    """Return the error for a handle that is too long to be kept: no server gives such."""
    return ProtocolError(f"a job handle of {len(handle)} bytes: {quoted(handle, 40)}")


def name_of(packet: BasePacket) -> str:
    """Return the name that the protocol has for a packet."""
    return BY_STRUCT[type(packet)].number.name


class Session:
    """The state of one connection, as a pure machine: packets in, packets out.

    A face calls one method, then sends all that `packets_to_send` returns, in that order and in the
    same critical section: answers are expected in the order on the wire.

    Only what was asked for is believed. A packet that answers nothing is a ProtocolError, for which
    the face ends the connection: who sends one such packet may send any.

    Attributes:
        by_hand: Whether the program itself asked something that only the program can account for:
            what may be an answer to that is ignored, and no error.
        open: Whether the connection stands; what is asked of a session afterwards has no answer.
    """

    def __init__(self) -> None:
        self._outbox: list[BasePacket] = []
        self.by_hand: bool = False
        self.open: bool = True

    def queue(self, packet: BasePacket) -> None:
        """Queue a packet for the other side."""
        self._outbox.append(packet)

    def spoke(self, packet: BasePacket | None) -> None:
        """Note what the program sends past the session: its answer is expected too.

        Args:
            packet: What is sent; None for something that is not in the protocol.
        """
        if packet is None or isinstance(packet, _QUESTIONS):
            self.by_hand = True

    def packets_to_send(self) -> list[BasePacket]:
        """Return the queued packets, and forget them."""
        packets, self._outbox = self._outbox, []
        return packets

    def greet(self) -> None:
        """Queue the greeting of a fresh connection; called on each connect."""

    def apply(self, packet: BasePacket) -> object:
        """Apply a packet from the server, and return what it changed.

        Raises:
            ProtocolError: It answers nothing that was asked.
        """
        raise NotImplementedError

    def refuse(self, packet: BasePacket | str) -> None:
        """Raise ProtocolError for a packet that nobody asked for, unless the program may have.

        Args:
            packet: The packet, or what to call it.
        """
        if not self.by_hand:
            name = packet if isinstance(packet, str) else name_of(packet)
            raise ProtocolError(f"{name} that nobody asked for")

    def lost(self, reason: str = "") -> list[BaseJob]:
        """End everything that is awaited: the connection is gone.

        Args:
            reason: Why, as far as it is known.

        Returns:
            The jobs that ran there beside those that are known by their handles.
        """
        self.open = False
        self._outbox.clear()
        return []
