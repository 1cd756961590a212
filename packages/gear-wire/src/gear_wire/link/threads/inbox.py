"""What was read of a connection that no poll thread reads, until somebody takes it."""

import collections
import threading
from collections.abc import Callable, Iterable

from gear_wire.link.deadline import Deadline
from gear_wire.link.threads.inbound import Inbound


class Inbox:
    """Has the threads that wait for something take turns at reading, one at a time for all.

    Args:
        read: Reads once what comes before a deadline, and returns what is to be kept of it.
    """

    def __init__(self, read: Callable[[Deadline], Iterable[Inbound]]) -> None:
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

        self.read_until(done, Deadline(None))
        return taken[0]

    def read_until(self, done: Callable[[], bool], deadline: Deadline) -> bool:
        """Read until something is done, or let another thread read meanwhile.

        Args:
            done: Tells whether it is; looked at after each read.
            deadline: How long.

        Returns:
            Whether it was done in time; raises what reading raises.
        """
        with self._changed:
            while not done():
                if deadline.expired():
                    return False
                if self._reading:
                    self._changed.wait(deadline.left())
                else:
                    self._read_once(deadline)
        return True

    def _read_once(self, deadline: Deadline) -> None:
        self._reading = True
        self._changed.release()
        try:
            self._items.extend(self._read(deadline))
        finally:
            self._changed.acquire()
            self._reading = False
            self._changed.notify_all()
