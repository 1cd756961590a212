"""The terminal as one screen to draw on, given back as it was whatever happens."""

import contextlib
import os
import termios
import tty
from types import TracebackType
from typing import Final, Self, TextIO

_ENTER: Final = "\x1b[?1049h\x1b[?25l"
_LEAVE: Final = "\x1b[?25h\x1b[?1049l"


class Terminal:
    """A context manager: within it, the other screen is shown, and keys come as they are pressed.

    Args:
        keys: The descriptor from which keys are read.
        output: Where the screen is.
    """

    def __init__(self, keys: int, output: TextIO) -> None:
        self._keys = keys
        self._output = output
        self._before = termios.tcgetattr(keys)

    def __enter__(self) -> Self:
        """Take the terminal."""
        self.take()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Give the terminal back."""
        # It may be gone: then there is nothing to restore.
        with contextlib.suppress(OSError, termios.error):
            self.give_back()

    def take(self) -> None:
        """Show the other screen, and have keys come at once and unseen."""
        tty.setcbreak(self._keys, termios.TCSADRAIN)
        self._write(_ENTER)

    def give_back(self) -> None:
        """Restore what was there before."""
        try:
            self._write(_LEAVE)
        finally:
            termios.tcsetattr(self._keys, termios.TCSADRAIN, self._before)

    def draw(self, lines: list[str]) -> None:
        """Show lines, which fit, in place of what was shown."""
        # Each is cleared before: after one as wide as the screen, its last letter would go.
        self._write("\x1b[H" + "\n".join("\x1b[2K" + line for line in lines) + "\x1b[J")

    def read(self) -> bytes:
        """Return the keys that were pressed; none when the terminal is gone."""
        return os.read(self._keys, 1024)

    def _write(self, text: str) -> None:
        self._output.write(text)
        self._output.flush()
