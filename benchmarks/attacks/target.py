"""The server as its attackers see it, and how long they have."""

import contextlib
import select
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from benchmarks.attacks.packets import Splitter
from benchmarks.servers import HOST

CHUNK = 1 << 18
PAUSE = 0.01
"""Seconds until someone who was cut off comes back."""


class TimeUpError(Exception):
    """The attack is over."""


@dataclass
class Target:
    """The server under attack.

    Attributes:
        port: Its port on the loopback interface.
        divisor: Of all counts; 1 for the attack as it is told.
        until: When the attack, or its preparation, is over.
    """

    port: int
    divisor: int = 1
    until: float = field(default_factory=time.monotonic)

    def count(self, full: int) -> int:
        """Return how many of something this run has."""
        return max(1, full // self.divisor)

    def give(self, seconds: float) -> None:
        """Allow so much time from now on."""
        self.until = time.monotonic() + seconds

    def left(self) -> float:
        """Return the seconds that are left.

        Raises:
            TimeUpError: There are none.
        """
        left = self.until - time.monotonic()
        if left <= 0:
            raise TimeUpError
        return left

    def rest(self, seconds: float = 3600.0) -> None:
        """Wait, at most until the attack is over.

        Raises:
            TimeUpError: It is over.
        """
        time.sleep(min(seconds, self.left()))
        self.left()

    @contextlib.contextmanager
    def as_far_as_possible(self) -> Iterator[None]:
        """Go on after the block when the server cuts it off in there, or the time is up."""
        with contextlib.suppress(OSError, TimeUpError):
            yield

    @contextlib.contextmanager
    def line(self) -> Iterator["Line"]:
        """Connect; the connection is closed at the end of the block."""
        with socket.create_connection((HOST, self.port), self.left()) as sock:
            yield Line(self, sock)

    def lines(self, number: int, stack: contextlib.ExitStack) -> list["Line"]:
        """Connect so often; a stack closes the connections."""
        return [stack.enter_context(self.line()) for _ in range(number)]

    def again_and_again(self, act: Callable[["Line"], object]) -> None:
        """Attack over new connections, one after another: who is cut off comes back.

        Raises:
            TimeUpError: The attack is over.
        """
        while True:
            with contextlib.suppress(OSError), self.line() as line:
                act(line)
            self.rest(PAUSE)


class Line:
    """A connection of an attacker.

    Args:
        target: Says when the attack is over.
        sock: The socket.
    """

    def __init__(self, target: Target, sock: socket.socket) -> None:
        self._target = target
        self.socket = sock
        self._splitter = Splitter()

    def send(self, data: bytes, *, reading: bool = True) -> None:
        """Send everything, however long that takes, and meanwhile drop what comes.

        Args:
            data: What is sent.
            reading: Whether it reads at all.

        Raises:
            OSError: The server cut it off.
            TimeUpError: The attack is over.
        """
        view = memoryview(data)
        fd = self.socket.fileno()
        readers = [fd] if reading else []
        while view:
            readable, writable, _ = select.select(readers, [fd], [], self._target.left())
            if readable:
                self.read()
            if writable:
                with contextlib.suppress(BlockingIOError):
                    view = view[self.socket.send(view, socket.MSG_DONTWAIT) :]

    def flood(self, data: bytes, *, reading: bool = True) -> None:
        """Send the same again and again, until it is cut off or the attack is over."""
        while True:
            self.send(data, reading=reading)

    def read(self) -> bytes:
        """Return what is here, at least something.

        Raises:
            OSError: The server closed the connection.
            TimeUpError: The attack is over.
        """
        self.socket.settimeout(self._target.left())
        try:
            data = self.socket.recv(CHUNK)
        except TimeoutError:
            raise TimeUpError from None
        if not data:
            raise ConnectionResetError("the server closed the connection")
        return data

    def packets(self) -> list[tuple[int, bytes]]:
        """Return the packets of the next read."""
        return self._splitter.feed(self.read())

    def drain(self, quiet: float = 0.3) -> None:
        """Drop what comes until nothing does for so many seconds."""
        while select.select([self.socket], [], [], min(quiet, self._target.left()))[0]:
            self.read()
