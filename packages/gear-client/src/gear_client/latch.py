"""What a thread waits on for one answer; which answers there are is in `expectations`."""

import threading


class Latch:
    """Something that happens once and is waited for by one thread.

    A bare lock does for it, at a tenth of the cost of a `threading.Event`.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lock.acquire()

    def open(self) -> None:
        """Let the thread go on; only once."""
        self._lock.release()

    def isOpen(self) -> bool:
        """Tell whether it is open, before anyone has waited for it."""
        return not self._lock.locked()

    def wait(self, timeout: float | None) -> bool:
        """Wait until it is open, for so many seconds at the most; False when the time is up."""
        return self._lock.acquire(timeout=-1 if timeout is None else max(0.0, timeout))
