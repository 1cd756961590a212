"""Who reads a client's connection: its poll thread, or for a moment a thread that waits."""

import threading
import time
from collections.abc import Callable

from gear_wire.link.spin import SPIN, Spin
from gear_wire.link.threads.channel import Channel
from gear_wire.link.threads.loop import READ, PollLoop, Ready


class Reading:
    """The right to read a socket, which one thread has at a time.

    Normally the poll thread has it. A thread that waits for an answer may take it for a moment, and
    the loop ignores the socket meanwhile: a reply that comes at once then costs no thread switch
    instead of two.

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
        """Read for `SPIN` seconds at most, until something is done, if that has paid lately.

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
