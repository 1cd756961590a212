"""Calls to be made at given times, by a caller that knows the time."""

import heapq
from collections.abc import Callable, Iterator

Due = Callable[[float], None]


class Timer:
    """A call to be made at a time.

    Attributes:
        call: What to call with the time; None once it has been called or cancelled.
    """

    __slots__ = ("call",)

    def __init__(self, call: Due) -> None:
        self.call: Due | None = call


class Timers:
    """Calls in the order of their times; of equal times, the one scheduled first comes first."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Timer]] = []
        self._made = 0
        self._cancelled = 0

    def __len__(self) -> int:
        return len(self._heap) - self._cancelled

    def at(self, when: float, call: Due) -> Timer:
        """Schedule a call."""
        self._made += 1
        timer = Timer(call)
        heapq.heappush(self._heap, (when, self._made, timer))
        return timer

    def cancel(self, timer: Timer) -> None:
        """Cancel a timer; no effect if it has fired.

        Its callback is released at once. Cancelled entries leave the heap together when they are
        more than half of it: a constant number of steps each.
        """
        if timer.call is None:
            return
        timer.call = None
        self._cancelled += 1
        if self._cancelled * 2 > len(self._heap):
            self._heap = [entry for entry in self._heap if entry[2].call is not None]
            heapq.heapify(self._heap)
            self._cancelled = 0

    def due(self, now: float) -> Iterator[Due]:
        """Yield the calls that are due, in order."""
        while self._heap and self._heap[0][0] <= now:
            timer = heapq.heappop(self._heap)[2]
            call, timer.call = timer.call, None
            if call is None:
                self._cancelled -= 1
            else:
                yield call

    @property
    def next(self) -> float | None:
        """The time of the next call; None if there is none."""
        while self._heap and self._heap[0][2].call is None:
            heapq.heappop(self._heap)
            self._cancelled -= 1
        return self._heap[0][0] if self._heap else None
