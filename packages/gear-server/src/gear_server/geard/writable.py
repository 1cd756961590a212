"""Checks whether a file could be written, without touching it."""

import errno
import os


def check_writable(path: str) -> None:
    """Check that a file can be opened for writing, or created.

    Args:
        path: The file; it is neither created nor changed.

    Raises:
        OSError: The error that opening it would raise.
    """
    if os.path.isdir(path):
        raise OSError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    if os.path.exists(path):
        _require(path, os.W_OK)
    else:
        folder = os.path.dirname(path) or "."
        os.stat(folder)
        if not os.path.isdir(folder):
            raise OSError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path)
        _require(folder, os.W_OK | os.X_OK)


def _require(path: str, mode: int) -> None:
    if not os.access(path, mode):
        raise OSError(errno.EACCES, os.strerror(errno.EACCES), path)
