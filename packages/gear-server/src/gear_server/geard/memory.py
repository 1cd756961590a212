"""Tunes memory management for many queued jobs and for large payloads."""

import ctypes
import gc
import sys
from typing import Final

_TRIM_THRESHOLD: Final = -1, 256 << 20
_MMAP_THRESHOLD: Final = -3, 8 << 20
"""Numbers of mallopt(3), with how many bytes.

Larger blocks are mapped, and returned to the system when freed: a growing table of a million jobs
leaves tables of 20 and 10 MiB behind.
"""


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
