"""What is due when; nobody waits here."""

import heapq
from collections.abc import Callable, Iterator

Due = Callable[[float], None]


class Timers:
    """Calls to be made at their time; none is cancelled, each looks whether it still counts."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Due]] = []
        self._count = 0

    def at(self, when: float, due: Due) -> None:
        """Have a call made at a time."""
        self._count += 1
        heapq.heappush(self._heap, (when, self._count, due))

    def due(self, now: float) -> Iterator[Due]:
        """Give the calls whose time has come, in order."""
        while self._heap and self._heap[0][0] <= now:
            yield heapq.heappop(self._heap)[2]

    @property
    def next(self) -> float | None:
        """The time of the next call; None when there is none."""
        return self._heap[0][0] if self._heap else None
