"""A small file with a fact about the process, for as long as it runs."""

import os
from typing import Self

from gear_server.geard.writable import check_writable
from gear_wire.errors import ConfigurationError


class RunFile:
    """A file of one line, for the duration of a `with` block; it is written atomically.

    Args:
        path: Its path; None for no file.
        line: Its content.
    """

    def __init__(self, path: str | None, line: str) -> None:
        self._path = path
        self._content = f"{line}\n"

    def check(self) -> None:
        """Check that it could be written; raises ConfigurationError if not."""
        if self._path is not None:
            try:
                if os.path.isfile(self._path):
                    check_writable(f"{self._path}.{os.getpid()}")  # which then replaces it
                else:
                    check_writable(self._path)
            except OSError as error:
                raise ConfigurationError(f"cannot write {self._path}: {error.strerror}") from error

    def __enter__(self) -> Self:
        """Write it; raises ConfigurationError when it cannot be written."""
        if self._path is not None:
            try:
                self._write(self._path)
            except OSError as error:
                raise ConfigurationError(f"cannot write {self._path}: {error.strerror}") from error
        return self

    def _write(self, path: str) -> None:
        if os.path.exists(path) and not os.path.isfile(path):
            fresh = path  # a pipe or a terminal, which cannot be replaced
        else:
            fresh = f"{path}.{os.getpid()}"
        with open(fresh, "w", encoding="utf-8") as file:
            file.write(self._content)
        if fresh != path:
            os.replace(fresh, path)

    def __exit__(self, *error: object) -> None:
        """Remove it, unless another process has replaced it."""
        path = self._path
        if path is None or not os.path.isfile(path):
            return
        try:
            with open(path, encoding="utf-8") as file:
                ours = file.read() == self._content
            if ours:
                os.unlink(path)
        except (OSError, UnicodeError):
            pass  # whoever removed or replaced the file may keep it
