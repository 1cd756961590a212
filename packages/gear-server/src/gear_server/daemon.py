"""Puts a process in the background; what it does there is in `cli`."""

import os
import sys
from collections.abc import Callable
from typing import Final

_READY: Final = b"\1"


def daemonize() -> Callable[[], None]:
    """Go on in the background, with neither terminal nor standard streams.

    The process that was started waits until the function returned here is called, then ends with
    code 0; when the background process ends before, with code 1.

    Returns:
        What to call when all that can fail at the start has been done.
    """
    reading, writing = os.pipe()
    if os.fork():
        os.close(writing)
        os._exit(0 if os.read(reading, 1) == _READY else 1)
    os.close(reading)
    os.setsid()
    if os.fork():
        os._exit(0)

    def ready() -> None:
        null = os.open(os.devnull, os.O_RDWR)
        sys.stdout.flush()
        sys.stderr.flush()
        for descriptor in range(3):
            os.dup2(null, descriptor)
        os.close(null)
        os.write(writing, _READY)
        os.close(writing)

    return ready


class PidFile:
    """A file with this process's number, removed at the end.

    Args:
        path: Where it is; None for no file.
    """

    def __init__(self, path: str | None) -> None:
        self._path = path

    def __enter__(self) -> None:
        """Write it; OSError when it cannot be written."""
        if self._path is not None:
            with open(self._path, "w", encoding="ascii") as file:
                file.write(f"{os.getpid()}\n")

    def __exit__(self, *error: object) -> None:
        """Remove it."""
        if self._path is not None and os.path.exists(self._path):
            os.unlink(self._path)
