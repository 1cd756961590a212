"""Ends what takes too long without progress, at next to no cost for what does not."""

from collections.abc import Callable, Hashable
from typing import Final, Generic, Protocol, TypeVar

PROGRESS: Final = 256 << 10
"""Bytes that buy as much time again: so a large packet may come over a slow link."""
AT_ONCE: Final = 64
"""How many things that are late are ended in one turn of the loop."""
BREAK: Final = 0.001
"""Seconds until the next ones are."""
_COARSENESS: Final = 16
"""How often at most it looks at things in the time that each has."""

_Kind = TypeVar("_Kind", bound=Hashable)


class Clock(Protocol):
    """An event loop, as far as its time goes."""

    def time(self) -> float:
        """Return the time in seconds."""

    def call_later(self, delay: float, callback: Callable[[], None]) -> object:
        """Call something later."""


class Patience(Generic[_Kind]):
    """Waits for things that must move or end within a time, such as packets that have begun.

    All have the same time, so whatever began first is due first: one timer serves all, and it runs
    only while there is something to wait for.

    Args:
        clock: The event loop.
        seconds: The time; 0 for no limit.
        moved: Returns how many bytes of something have come or gone, a number that grows.
        overdue: Called with what is late; it is not waited for any more.

    Attributes:
        seconds: As given.
    """

    def __init__(
        self,
        clock: Clock,
        seconds: float,
        moved: Callable[[_Kind], int],
        overdue: Callable[[_Kind], None],
    ) -> None:
        self.seconds: float = seconds
        self._clock = clock
        self._moved = moved
        self._overdue = overdue
        self._waiting: dict[_Kind, tuple[float, int]] = {}
        self._scheduled = False

    def begin(self, what: _Kind) -> None:
        """Begin to wait for something, unless it is waited for already."""
        if not self.seconds or what in self._waiting:
            return
        self._waiting[what] = self._clock.time() + self.seconds, self._moved(what)
        if not self._scheduled:
            self._schedule(self.seconds)

    def end(self, what: _Kind) -> None:
        """Wait for something no longer."""
        self._waiting.pop(what, None)

    def _schedule(self, seconds: float) -> None:
        self._scheduled = True
        self._clock.call_later(seconds, self._look)

    def _look(self) -> None:
        self._scheduled = False
        now = self._clock.time()
        due: list[tuple[_Kind, int]] = []
        left = 0.0
        for what, (end, before) in self._waiting.items():
            left = end - now
            if left > 0 or len(due) == AT_ONCE:
                break
            due.append((what, before))
        for what, before in due:
            if self._waiting.pop(what, None) is None:
                continue
            if self._moved(what) - before >= PROGRESS:
                self.begin(what)
            else:
                self._overdue(what)
        if self._waiting and not self._scheduled:
            self._schedule(max(left, self.seconds / _COARSENESS) if left > 0 else BREAK)
