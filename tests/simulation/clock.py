"""The time of a world, which passes from one call to the next."""

import heapq
from collections.abc import Callable
from typing import ParamSpec

Arguments = ParamSpec("Arguments")
Event = tuple[float, int, Callable[..., object], tuple[object, ...]]


class Clock:
    """What happens when; of equal times, what was scheduled first happens first.

    Attributes:
        now: Seconds since the beginning of the world.
        calls: How many calls were made.
    """

    def __init__(self) -> None:
        self.now = 0.0
        self.calls = 0
        self._scheduled = 0
        self._agenda: list[Event] = []

    def at(
        self,
        when: float,
        call: Callable[Arguments, object],
        *args: Arguments.args,
        **more: Arguments.kwargs,
    ) -> None:
        """Schedule a call."""
        assert not more
        self._scheduled += 1
        event: Event = (max(when, self.now), self._scheduled, call, args)
        heapq.heappush(self._agenda, event)

    def after(
        self,
        seconds: float,
        call: Callable[Arguments, object],
        *args: Arguments.args,
        **more: Arguments.kwargs,
    ) -> None:
        """Schedule a call in so many seconds."""
        self.at(self.now + seconds, call, *args, **more)

    def run_until(self, end: float) -> None:
        """Make all calls up to a time."""
        agenda = self._agenda
        while agenda and agenda[0][0] <= end:
            self.now, _, call, args = heapq.heappop(agenda)
            self.calls += 1
            call(*args)
        self.now = end
