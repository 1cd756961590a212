"""Keeps an event loop from sleeping while more input is likely to arrive at once."""

import time
from collections.abc import Callable

from gear_wire.link.spin import Spin

CallSoon = Callable[[Callable[[], None]], object]


class BusyPoll:
    """Makes a loop poll without sleeping for a moment after activity.

    As long as that pays: see `Spin`. When jobs come one at a time, each of a job's four packets
    would otherwise wake a CPU that has just gone to sleep.

    Args:
        call_soon: Makes the loop call something in its next turn.
        seconds: How long to keep polling after the last activity; 0 disables.
    """

    def __init__(self, call_soon: CallSoon, seconds: float) -> None:
        self._call_soon = call_soon
        self._seconds = seconds
        self._spin = Spin()
        self._looking = False
        self._end = 0.0

    def begin(self) -> None:
        """Start polling, if that pays; called after each activity."""
        if self._looking:
            self._spin.note(found=True)
        elif self._seconds and self._spin.due():
            self._looking = True
            self._call_soon(self._look)
        else:
            return
        self._end = time.monotonic() + self._seconds

    def _look(self) -> None:
        # A loop with a pending call polls its sockets without waiting.
        if self._looking and time.monotonic() < self._end:
            self._call_soon(self._look)
        elif self._looking:
            self._looking = False
            self._spin.note(found=False)

    def end(self) -> None:
        """Stop polling."""
        self._looking = False
        self._seconds = 0.0
