"""Keeps a loop from sleeping while more is likely to come at once; the loop is that of `aio`."""

import time
from collections.abc import Callable

from gear_wire.link.spin import Spin

CallSoon = Callable[[Callable[[], None]], object]


class BusyPoll:
    """Has a loop look for more, again and again, for a moment after something came.

    Where that seems to pay: see `Spin`. For a job that goes to and fro alone, each of its four
    packets would wake a processor that had just gone to sleep.

    Args:
        call_soon: Has the loop call something in its next turn.
        seconds: How long it looks after the last that came; 0 for not at all.
    """

    def __init__(self, call_soon: CallSoon, seconds: float) -> None:
        self._call_soon = call_soon
        self._seconds = seconds
        self._spin = Spin()
        self._looking = False
        self._end = 0.0

    def begin(self) -> None:
        """Look for more from now on, if that pays; called whenever something came."""
        if self._looking:
            self._spin.note(found=True)
        elif self._seconds and self._spin.due():
            self._looking = True
            self._call_soon(self._look)
        else:
            return
        self._end = time.monotonic() + self._seconds

    def _look(self) -> None:
        # A loop with a call to make looks at its sockets, and does not wait for them.
        if self._looking and time.monotonic() < self._end:
            self._call_soon(self._look)
        elif self._looking:
            self._looking = False
            self._spin.note(found=False)

    def end(self) -> None:
        """Look no more."""
        self._looking = False
        self._seconds = 0.0
