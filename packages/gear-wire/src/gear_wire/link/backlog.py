"""How much a server has a client say without taking it; pure, for both faces."""

from typing import Final

from gear_wire.errors import ProtocolError

MAX_BACKLOG: Final = 1 << 20
"""Bytes of packets that a server has caused and not taken above which it is left."""


class Backlog:
    """Counts the bytes that packets of the server caused, as long as the server does not take them.

    What a program sends waits for room. What answers the server cannot: a NOOP and a NO_JOB have a
    worker ask and sleep, so a server that reads nothing could have that queued without end.
    """

    def __init__(self) -> None:
        self._size = 0
        self._taken = 0

    def note(self, said: int, taken: int) -> None:
        """Note that something was queued because of a packet.

        Args:
            said: How many bytes.
            taken: How many bytes of all that was ever queued have left.

        Raises:
            ProtocolError: Too much has not.
        """
        self._size = max(0, self._size + said - (taken - self._taken))
        self._taken = taken
        if self._size > MAX_BACKLOG:
            raise ProtocolError(f"requests for {self._size} bytes that it does not take")
