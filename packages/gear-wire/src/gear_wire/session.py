"""What one end of a connection knows and sends; sockets and waiting are in `link`."""

from gear_wire.jobs import BaseJob
from gear_wire.packets import BasePacket


class Session:
    """The state of one connection, as a pure machine: packets in, packets out.

    A face calls one method, then sends all that `packets_to_send` returns, in that order and in the
    same critical section: answers are expected in the order on the wire.
    """

    def __init__(self) -> None:
        self._outbox: list[BasePacket] = []

    def queue(self, packet: BasePacket) -> None:
        """Queue a packet for the other side."""
        self._outbox.append(packet)

    def packets_to_send(self) -> list[BasePacket]:
        """Return the queued packets, and forget them."""
        packets, self._outbox = self._outbox, []
        return packets

    def greet(self) -> None:
        """Queue the greeting of a fresh connection; called on each connect."""

    def apply(self, packet: BasePacket) -> object:
        """Apply a packet from the server, and return what it changed."""
        raise NotImplementedError

    def lost(self) -> list[BaseJob]:
        """End everything that is awaited: the connection is gone.

        Returns:
            The jobs that ran there beside those that are known by their handles.
        """
        self._outbox.clear()
        return []
