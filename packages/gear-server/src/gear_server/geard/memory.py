"""How the program has its memory managed: for many jobs that wait, and for large payloads."""

import ctypes
import gc
import sys
from typing import Final

_TRIM_THRESHOLD: Final = -1, 256 << 20
_MMAP_THRESHOLD: Final = -3, 8 << 20
"""Numbers of mallopt(3), with how many bytes.

Larger pieces are mapped, and given back when they are free: a table of a million jobs that has
grown leaves tables of 20 and 10 MiB behind.
"""


def relax_collector() -> None:
    """Have the garbage collector look less often.

    Jobs that wait are many objects that live long, and the usual thresholds have it look at them
    again and again, for a tenth of the time. The server makes no cycles: counting references does.
    """
    gc.freeze()
    gc.set_threshold(50_000, 10, 10)


def keep_heap() -> None:
    """Have glibc keep what large payloads used, instead of mapping new pages for each.

    Nothing elsewhere: other C libraries cannot be told.
    """
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        for parameter, value in (_TRIM_THRESHOLD, _MMAP_THRESHOLD):
            mallopt(parameter, value)
