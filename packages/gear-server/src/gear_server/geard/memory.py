"""Tunes memory management for many queued jobs and for large payloads."""

import ctypes
import gc
import sys
import threading
from collections.abc import Callable
from typing import Final

from gear_server.network.resident import resident

_TRIM_THRESHOLD: Final = -1, 256 << 20
_MMAP_THRESHOLD: Final = -3, 8 << 20
"""Numbers of mallopt(3), with how many bytes.

Larger blocks are mapped, and returned to the system when freed: a growing table of a million jobs
leaves tables of 20 and 10 MiB behind.
"""


TRIM_CHECK: Final = 10.0
"""Seconds between checks whether there is memory to give back."""
TRIM_SIZE: Final = 64 << 20
"""Bytes that are not worth giving back: the next burst needs them again."""
TRIM_PATIENCE: Final = 6
"""Checks for which a busy server keeps what it does not need."""


def relax_collector() -> None:
    """Make garbage collections rare.

    Queued jobs are many long-lived objects; with the default thresholds the collector traverses
    them over and over, for a tenth of the time. The server makes no reference cycles.
    """
    gc.freeze()
    gc.set_threshold(50_000, 10, 10)


def keep_heap() -> None:
    """Make glibc keep the memory of large payloads instead of mapping new pages for each.

    Does nothing with other C libraries, which have no such setting.
    """
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        for parameter, value in (_TRIM_THRESHOLD, _MMAP_THRESHOLD):
            mallopt(parameter, value)


class Trimmer:
    """Gives memory back to the system after a burst.

    glibc keeps what is freed below a block in use: 600 MB of 720 after half a million jobs of
    1 KiB. Trimming the heap leaves 60 MB, but nobody can allocate meanwhile, for 0.2 ms per MB. So
    it is done once after each burst, when no jobs come and go, or else after a minute.

    Args:
        used: Returns the bytes that the server knows to be in use.
        done: Returns a number that changes as long as jobs come and go.
    """

    def __init__(self, used: Callable[[], int], done: Callable[[], int]) -> None:
        self._used = used
        self._done = done
        self._last_done = done()
        self._kept = resident() - used()
        self._waited = 0
        self._stop = threading.Event()

    def start(self) -> None:
        """Check from time to time, in a thread; no effect with other C libraries than glibc."""
        if sys.platform.startswith("linux") and hasattr(ctypes.CDLL(None), "malloc_trim"):
            threading.Thread(target=self._run, name="geard memory", daemon=True).start()

    def close(self) -> None:
        """Check no more."""
        self._stop.set()

    def _run(self) -> None:
        while not self._stop.wait(TRIM_CHECK):
            self.check()

    def check(self) -> None:
        """Give back what was freed, if it is much and the time is good."""
        busy = self._last_done != (done := self._done())
        self._last_done = done
        spare = resident() - self._used()
        self._kept = min(self._kept, spare)
        if spare < self._kept + TRIM_SIZE:
            self._waited = 0
            return
        self._waited += 1
        if not busy or self._waited >= TRIM_PATIENCE:
            self._waited = 0
            ctypes.CDLL(None).malloc_trim(0)
            self._kept = resident() - self._used()
