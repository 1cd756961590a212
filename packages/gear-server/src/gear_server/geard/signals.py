"""Turns signals into events that one thread waits for; what they mean is in `program`."""

import signal
import socket
from collections.abc import Iterable, Iterator
from typing import Final, Self

DONE: Final = 0
"""What `Signals.done` adds to the signals."""


def _note(number: int, frame: object) -> None:
    """Do nothing: Python has written the number to the descriptor by now."""


class Signals:
    """The signals that arrive in a `with` block, in their order; the main thread's alone.

    Python writes the number of each to a socket, whichever thread the system interrupted: no
    signal is lost between two waits, and none has to be kept from other threads.

    Args:
        numbers: The signals.
    """

    def __init__(self, numbers: Iterable[int]) -> None:
        self._numbers = tuple(numbers)

    def __enter__(self) -> Self:
        """Begin to collect them."""
        self._reading, self._writing = socket.socketpair()
        self._writing.setblocking(False)
        self._old_descriptor = signal.set_wakeup_fd(self._writing.fileno())
        self._old_handlers = {number: signal.signal(number, _note) for number in self._numbers}
        return self

    def __exit__(self, *error: object) -> None:
        """Leave the signals to whoever had them."""
        for number, handler in self._old_handlers.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._old_descriptor)
        self._reading.close()
        self._writing.close()

    def __iter__(self) -> Iterator[int]:
        """Wait for each."""
        while True:
            yield self._reading.recv(1)[0]

    def done(self) -> None:
        """Add `DONE`, from any thread."""
        try:
            self._writing.send(bytes([DONE]))
        except OSError:
            pass  # nobody waits any more
