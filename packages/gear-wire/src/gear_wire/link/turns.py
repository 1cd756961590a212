"""Reading a connection that no poll thread reads: one thread at a time, for all that wait."""

import threading
import time
from collections.abc import Callable


class Turns:
    """Lets threads that wait for something to be read take turns at reading.

    Args:
        read: Reads once what comes within so many seconds, None for no limit.

    Attributes:
        condition: Held while it is decided who reads; notified after each read.
    """

    def __init__(self, read: Callable[[float | None], None]) -> None:
        self.condition: threading.Condition = threading.Condition()
        self._read = read
        self._reading = False

    def readUntil(self, done: Callable[[], bool], timeout: float | None) -> bool:
        """Read until something is done, or let another thread read meanwhile.

        Args:
            done: Tells whether it is; looked at after each read.
            timeout: Seconds; None for no limit.

        Returns:
            Whether it was done in time; raises what reading raises.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        with self.condition:
            while not done():
                left = None if deadline is None else deadline - time.monotonic()
                if left is not None and left <= 0:
                    return False
                if self._reading:
                    self.condition.wait(left)
                else:
                    self._readFor(left)
        return True

    def _readFor(self, timeout: float | None) -> None:
        self._reading = True
        self.condition.release()
        try:
            self._read(timeout)
        finally:
            self.condition.acquire()
            self._reading = False
            self.condition.notify_all()
