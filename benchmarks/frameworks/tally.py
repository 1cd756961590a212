"""The function that all of them run: it does nothing but count, where `drive` can see it."""

import mmap
import os
import struct
import threading
from pathlib import Path

FOLDER = "MEASURED_FOLDER"
"""The environment variable that names the folder with a file for each process that counts."""

_NUMBER = struct.Struct("<q")


class Tally:
    """How often one process ran the function: a number in a file that is mapped to memory."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._count = 0
        self._page: mmap.mmap | None = None

    def add(self) -> None:
        """Count one more; the file is made by the process that runs the first, maybe a fork."""
        with self._lock:
            if self._page is None:
                with Path(os.environ[FOLDER], str(os.getpid())).open("w+b") as file:
                    file.truncate(_NUMBER.size)
                    self._page = mmap.mmap(file.fileno(), _NUMBER.size)
            self._count += 1
            _NUMBER.pack_into(self._page, 0, self._count)


def total(folder: Path) -> int:
    """Return how often all processes together ran the function."""
    numbers = (path.read_bytes() for path in folder.iterdir())
    return sum(_NUMBER.unpack(number)[0] for number in numbers if number)


_tally = Tally()


def measured(number: int) -> int:
    """Return what it was given."""
    _tally.add()
    return number


async def measured_async(number: int) -> int:
    """Do the same as a coroutine."""
    _tally.add()
    return number
