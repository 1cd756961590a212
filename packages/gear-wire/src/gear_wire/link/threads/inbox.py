"""What was read of a connection that no poll thread reads, until somebody takes it."""

import collections
import threading
import time
from collections.abc import Callable, Iterable

from gear_wire.link.threads.inbound import Inbound


class Inbox:
    """Has the threads that wait for something take turns at reading, one at a time for all.

    Args:
        read: Reads once what comes within so many seconds, None for no limit, and returns what
            is to be kept of it.
    """

    def __init__(self, read: Callable[[float | None], Iterable[Inbound]]) -> None:
        self._read = read
        self._items: collections.deque[Inbound] = collections.deque()
        # Held while it is decided who reads; notified after each read.
        self._changed = threading.Condition()
        self._reading = False

    def __bool__(self) -> bool:
        """Tell whether something is there."""
        return bool(self._items)

    def clear(self) -> None:
        """Forget what is there."""
        self._items.clear()

    def discard(self, item: Inbound) -> None:
        """Forget one thing, if it is there."""
        with self._changed:
            if item in self._items:
                self._items.remove(item)

    def take(self) -> Inbound:
        """Return the oldest thing that is there, or that comes; raises what reading raises."""
        taken: list[Inbound] = []

        def done() -> bool:
            if self._items:
                taken.append(self._items.popleft())
            return bool(taken)

        self.readUntil(done, None)
        return taken[0]

    def readUntil(self, done: Callable[[], bool], timeout: float | None) -> bool:
        """Read until something is done, or let another thread read meanwhile.

        Args:
            done: Tells whether it is; looked at after each read.
            timeout: Seconds; None for no limit.

        Returns:
            Whether it was done in time; raises what reading raises.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        with self._changed:
            while not done():
                left = None if deadline is None else deadline - time.monotonic()
                if left is not None and left <= 0:
                    return False
                if self._reading:
                    self._changed.wait(left)
                else:
                    self._readFor(left)
        return True

    def _readFor(self, timeout: float | None) -> None:
        self._reading = True
        self._changed.release()
        try:
            self._items.extend(self._read(timeout))
        finally:
            self._changed.acquire()
            self._reading = False
            self._changed.notify_all()
