"""What a thread waits on for one answer; which answers there are is in `expectations`."""

import threading

from gear_wire.link.deadline import Deadline


class Latch:
    """Something that happens once and that one thread waits for.

    A bare lock is enough for that, at a tenth of the cost of a `threading.Event`.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lock.acquire()

    def open(self) -> None:
        """Wake the thread; may be called only once."""
        self._lock.release()

    def is_open(self) -> bool:
        """Tell whether it is open, before anyone has waited for it."""
        return not self._lock.locked()

    def wait(self, deadline: Deadline) -> bool:
        """Wait until it is open; False when the time is up."""
        left = deadline.left()
        return self._lock.acquire(timeout=-1 if left is None else left)
