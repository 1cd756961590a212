"""A person at a terminal of their own, for programs that draw on it."""

import os
import pty
import select
import subprocess
import sys
import termios
import time
from collections.abc import Mapping, Sequence
from fcntl import ioctl
from struct import pack

WAIT = 60.0


class Person:
    """Has a terminal, reads what is shown there, and types.

    Attributes:
        keys: The descriptor that a program reads and writes.
        seen: All that was shown.
    """

    def __init__(self, columns: int = 80, lines: int = 24) -> None:
        self._hand, self.keys = pty.openpty()
        ioctl(self.keys, termios.TIOCSWINSZ, pack("HHHH", lines, columns, 0, 0))
        self.seen = b""
        self.before: list[object] = termios.tcgetattr(self.keys)

    def restored(self) -> bool:
        """Tell whether the terminal is as it was, and the screen too."""
        shown = self.seen.rfind(b"\x1b[?1049h") < self.seen.rfind(b"\x1b[?1049l")
        return shown and termios.tcgetattr(self.keys) == self.before

    def start(
        self, command: Sequence[str], environ: Mapping[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        """Start a program in a session of its own, whose terminal this is."""
        helper = "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); "
        helper += "os.execvp(sys.argv[1], sys.argv[1:])"
        return subprocess.Popen(
            [sys.executable, "-c", helper, *command],
            stdin=self.keys, stdout=self.keys, stderr=self.keys, start_new_session=True,
            env=os.environ | {"TERM": "xterm-256color"} | dict(environ or {}),
        )  # fmt: skip

    def type(self, keys: str) -> None:
        os.write(self._hand, keys.encode())

    def wait_for(self, text: str) -> None:
        """Read until a text is shown; what was shown before it is forgotten."""
        self.wait_until(text.encode())
        self.seen = self.seen[self.seen.index(text.encode()) + len(text.encode()) :]

    def wait_until(self, text: bytes) -> None:
        """Read until a text is shown."""
        end = time.monotonic() + WAIT
        while text not in self.seen:
            assert time.monotonic() < end, f"{text!r} is not in {self.seen[-3000:]!r}"
            if select.select([self._hand], [], [], 0.1)[0]:
                self.seen += os.read(self._hand, 65536)

    def end(self, process: subprocess.Popen[bytes]) -> int:
        """Read until a program has ended; returns its exit code."""
        end = time.monotonic() + WAIT
        while process.poll() is None:
            assert time.monotonic() < end, self.seen[-3000:]
            if select.select([self._hand], [], [], 0.05)[0]:
                self.seen += os.read(self._hand, 65536)
        while select.select([self._hand], [], [], 0)[0]:
            self.seen += os.read(self._hand, 65536)
        return process.wait()

    def close(self) -> None:
        for descriptor in (self._hand, self.keys):
            os.close(descriptor)
