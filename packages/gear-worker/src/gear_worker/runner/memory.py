"""How much memory a process has in use."""

import os
import sys


def memory_in_use() -> float:
    """Return the MiB that this process has in use; where that is unknown, the most it had."""
    try:
        with open("/proc/self/statm", "rb") as file:
            pages = int(file.read().split()[1])
    except OSError:
        import resource  # which not every system has

        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most / (1 << 20 if sys.platform == "darwin" else 1 << 10)
    return pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20)
