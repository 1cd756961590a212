"""Who reads a client's connection: its poll thread, or for a moment a thread that waits."""

import threading
import time
from collections.abc import Callable
from typing import Final

from gear_wire.link.channel import Channel
from gear_wire.link.loop import READ, PollLoop, Ready

SPIN: Final = 0.0001
"""Seconds that a thread looks for its answer: a server nearby answers sooner than a processor that
sleeps wakes, and waking it takes as much of a processor's time as looking does."""
MOST_SKIPPED: Final = 255
"""Waits in a row without a look, when all looks were in vain."""


class Spin:
    """Whether it pays to look for an answer before sleeping: it learns from each try.

    Each time in vain, twice as many waits go by before the next look: a server that is far away,
    or has no processor while one looks, costs a look in 256 waits.
    """

    def __init__(self) -> None:
        self._skipped = 0
        self._left = 0

    def due(self) -> bool:
        """Tell whether to look this time."""
        if not self._left:
            return True
        self._left -= 1
        return False

    def note(self, found: bool) -> None:
        """Take note of what came of a look."""
        self._skipped = 0 if found else min(MOST_SKIPPED, self._skipped * 2 + 1)
        self._left = self._skipped


class Reading:
    """The right to read a socket, which one thread has at a time.

    The poll thread has it. A thread that waits for an answer takes it for a moment, and the loop
    leaves the socket alone meanwhile: an answer that comes at once wakes no thread, where it would
    wake two, one after the other.

    Args:
        loop: The loop whose thread reads.
        channel: The socket, open.
        ready: Reads and handles what is there, on the thread that has the right.
    """

    def __init__(self, loop: PollLoop, channel: Channel, ready: Ready) -> None:
        self._loop = loop
        self._channel = channel
        self._ready = ready
        # Whoever reads may find the connection lost, and end it.
        self._lock = threading.RLock()
        self._ended = False
        self._spin = Spin()
        loop.add(channel.sock, self._poll)

    def _poll(self, events: int) -> None:
        if self._lock.acquire(blocking=False):
            try:
                self._ready(events)
            finally:
                self._lock.release()

    def spin(self, done: Callable[[], bool], alone: Callable[[], bool]) -> None:
        """Read for `SPIN` seconds at most, until something is done, if that seems to pay.

        Without the client's lock. An exception that a signal raises meanwhile, such as
        KeyboardInterrupt, may lose what was just read: it breaks the connection.

        Args:
            done: Tells whether it is; looked at after each read.
            alone: Tells whether no other thread waits for what is read: of several, one that
                spins would keep the others from running.
        """
        if not (alone() and self._spin.due() and self._lock.acquire(blocking=False)):
            return
        try:
            if not self._ended:
                self._look(done, alone)
        except BaseException:
            self._channel.interrupt()
            raise
        finally:
            self._lock.release()

    def _look(self, done: Callable[[], bool], alone: Callable[[], bool]) -> None:
        try:
            if not self._loop.pause(self._channel.sock):
                return
            end = time.monotonic() + SPIN
            while not done() and alone() and time.monotonic() < end:
                self._ready(READ)
            self._spin.note(done() and alone())
        finally:
            self._loop.resume(self._channel.sock)

    def end(self) -> None:
        """Close the socket, once nobody reads it."""
        with self._lock:
            self._ended = True
            # The selector must forget a socket before its number is free for another.
            self._loop.remove(self._channel.sock)
            self._channel.close()
