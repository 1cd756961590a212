"""Whether to look for what comes next before sleeping; who looks is in `reading` and `busypoll`."""

from typing import Final

SPIN: Final = 0.0001
"""Seconds of a look: who is nearby answers sooner than a processor that sleeps wakes, and waking it
takes as much of a processor's time as looking does."""
MOST_SKIPPED: Final = 255
"""Waits in a row without a look, when all looks were in vain."""


class Spin:
    """An adaptive spin: it learns from each look whether the next one pays.

    Each time in vain, twice as many waits go by before the next look: peers that are far away,
    or have no processor while one looks, cost a look in 256 waits.
    """

    def __init__(self) -> None:
        self._skipped = 0
        self._left = 0

    def due(self) -> bool:
        """Tell whether to look this time."""
        if not self._left:
            return True
        self._left -= 1
        return False

    def note(self, found: bool) -> None:
        """Take note of what came of a look."""
        self._skipped = 0 if found else min(MOST_SKIPPED, self._skipped * 2 + 1)
        self._left = self._skipped
