"""Turns signals into events that one thread waits for."""

import signal
import socket
from collections.abc import Iterable, Iterator
from typing import Final, Self

DONE: Final = 0
"""What `Signals.done` adds to the signals."""


def _note(number: int, frame: object) -> None:
    """Do nothing: Python has already written the number to the descriptor."""


class Signals:
    """The signals that arrive in a `with` block, in order; for the main thread only.

    Python writes the number of each to a socket, whichever thread was interrupted: no signal is
    lost between two waits, and none has to be blocked in other threads.

    Args:
        numbers: The signals.
    """

    def __init__(self, numbers: Iterable[int]) -> None:
        self._numbers = tuple(numbers)

    def __enter__(self) -> Self:
        """Start collecting them."""
        self._reading, self._writing = socket.socketpair()
        self._writing.setblocking(False)
        self._old_descriptor = signal.set_wakeup_fd(self._writing.fileno())
        self._old_handlers = {number: signal.signal(number, _note) for number in self._numbers}
        return self

    def __exit__(self, *error: object) -> None:
        """Restore the previous handlers."""
        for number, handler in self._old_handlers.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._old_descriptor)
        self._reading.close()
        self._writing.close()

    def __iter__(self) -> Iterator[int]:
        """Wait for the next, again and again."""
        while True:
            yield self._reading.recv(1)[0]

    def done(self) -> None:
        """Add `DONE`, from any thread."""
        try:
            self._writing.send(bytes([DONE]))
        except OSError:
            pass  # the waiting is over
