"""Whether to poll for a moment before sleeping; used by `reading` and geard's `busypoll`."""

from typing import Final

SPIN: Final = 0.0001
"""Seconds to poll: a nearby peer replies faster than an idle CPU wakes up, and waking it takes as
much CPU time as polling does."""
MOST_SKIPPED: Final = 255
"""Waits in a row without polling, after polling that found nothing."""


class Spin:
    """An adaptive spin: each result decides when polling is tried next.

    After each failure twice as many waits pass without polling: peers that are far away, or get
    no CPU while this side polls, cost one poll in 256 waits.
    """

    def __init__(self) -> None:
        self._skipped = 0
        self._left = 0

    def due(self) -> bool:
        """Tell whether to poll this time."""
        if not self._left:
            return True
        self._left -= 1
        return False

    def note(self, found: bool) -> None:
        """Record whether polling found something."""
        self._skipped = 0 if found else min(MOST_SKIPPED, self._skipped * 2 + 1)
        self._left = self._skipped
