"""What one end of a connection knows and wants to say; sockets and waiting are in `link`."""

from gear_wire.jobs import BaseJob
from gear_wire.packets import BasePacket


class Session:
    """The state of one connection, as a pure machine: packets in, packets out.

    A face calls one method, then sends all that `take` returns, in that order and in the same
    critical section: the order in which answers are expected is the order on the wire.
    """

    def __init__(self) -> None:
        self._outbox: list[BasePacket] = []

    def say(self, packet: BasePacket) -> None:
        """Queue a packet for the other side."""
        self._outbox.append(packet)

    def take(self) -> list[BasePacket]:
        """Return the packets to send, and forget them."""
        packets, self._outbox = self._outbox, []
        return packets

    def greet(self) -> None:
        """Queue all that a fresh connection must say; called on each connect."""

    def apply(self, packet: BasePacket) -> object:
        """Take in a packet from the server, and return what it changed."""
        raise NotImplementedError

    def lost(self) -> list[BaseJob]:
        """Take note that the connection is gone; everything awaited on it ends.

        Returns:
            The jobs that ran there beside those that are known by their handles.
        """
        self._outbox.clear()
        return []
