"""How much time connections that send without end get, beside those that send now and then."""

from typing import Final

from gear_server.engine.chores import SLICE

COMPANY: Final = 0.01
"""Seconds for which a connection that has sent a little counts as active."""
SHORT: Final = 0.0001
"""Seconds for which busy connections go on in a turn, beside others that are active."""
LONG: Final = 0.002
"""And without others: a piece that is long enough to batch what it sends."""
MOST: Final = 256
"""Messages of a read that are taken at once, without others."""
SOME: Final = 16
"""Messages of a read that make no busy connection; fewer than are taken at once beside others, or
those that were slowed down for once would count as others."""
BUSY_READS: Final = 8
"""Reads for which a busy connection counts as one, whatever they bring: large packets have ends,
and small ones follow them."""
READ_TIME: Final = 0.00003
"""Seconds that the messages take that are taken at once of a busy connection's read."""
BULK: Final = 65536
"""Bytes from which a read makes its connection a busy one."""
BULK_TIME: Final = 1.5e-9
"""Seconds that a byte of such a read takes."""


class Pace:
    """Divides the time of the loop between busy connections and the others.

    A busy connection has sent more than the server takes at once. While others are active, busy
    ones go on in short pieces, and after each the others have as much time: so all busy ones
    together get half of it, and an answer waits for a piece at most.

    Attributes:
        others_at: When others than busy connections have sent something last.
    """

    def __init__(self) -> None:
        self.others_at: float = float("-inf")
        self._rest_until = 0.0

    def company(self, now: float) -> bool:
        """Return whether others are active."""
        return now - self.others_at < COMPANY

    def most(self, now: float) -> int:
        """Return how many messages of a read are taken at once."""
        return SLICE if self.company(now) else MOST

    def end(self, now: float) -> float:
        """Return until when busy connections may go on; `now` while the others have the time."""
        if not self.company(now):
            return now + LONG
        return now if now < self._rest_until else now + SHORT

    def rest(self, now: float, seconds: float) -> None:
        """Note that busy connections took so long: now the others have as much time."""
        self._rest_until = max(self._rest_until, now) + seconds
