"""The thread that waits for the sockets of one client; what it does with them is in `receiver`."""

import collections
import heapq
import itertools
import logging
import selectors
import socket
import threading
import time
from collections.abc import Callable
from typing import Final

from gear_wire.errors import GearmanError
from gear_wire.link.deadline import Deadline
from gear_wire.link.inherited import let_go_when_forked
from gear_wire.link.threads.pauses import Pauses

JOIN_TIMEOUT: Final = 5.0
"""Seconds that stopping waits for a handler that still runs."""
READ: Final = selectors.EVENT_READ
WRITE: Final = selectors.EVENT_WRITE
Ready = Callable[[int], None]


class PollLoop:
    """One daemon thread around a selector; everything is done on it, other threads only ask.

    Args:
        name: The name of the thread.
        log: Where exceptions of callbacks go, SystemExit and KeyboardInterrupt too; none of them
            ends the loop.

    Attributes:
        thread: The thread.
    """

    def __init__(self, name: str, log: logging.Logger) -> None:
        self._log = log
        self._calls: collections.deque[Callable[[], object]] = collections.deque()
        self._timers: list[tuple[float, int, Callable[[], object]]] = []
        self._order = itertools.count()
        self._selector = selectors.DefaultSelector()
        self._pauses = Pauses(self._selector)
        self._wake_read, self._wake_write = socket.socketpair()
        self._wake_read.setblocking(False)
        self._wake_write.setblocking(False)
        let_go_when_forked(self._wake_read, self._wake_write)
        self._selector.register(self._wake_read, READ, self._drain)
        self._watching = threading.Lock()
        self._closed = False
        self._running = True
        self._ended = False
        self._ending = threading.Lock()
        self.thread: threading.Thread = threading.Thread(target=self._run, name=name, daemon=True)
        self.thread.start()

    def here(self) -> bool:
        """Tell whether the caller is the loop's own thread."""
        return threading.get_ident() == self.thread.ident

    def check_elsewhere(self, what: str) -> None:
        """Raise GearmanError on the loop's own thread, where waiting for an answer would hang.

        Args:
            what: What was called.
        """
        if self.here():
            raise GearmanError(
                f"{what} was called on the poll thread, in a handler: what it waits for could "
                "never happen; call it from another thread"
            )

    def call(self, callback: Callable[[], object]) -> bool:
        """Have a callback run on the loop's thread, soon; False when the loop has ended.

        From any thread.
        """
        with self._ending:
            if self._ended:
                return False
            self._calls.append(callback)
            self._wake()
        return True

    def call_later(self, seconds: float, callback: Callable[[], object]) -> None:
        """Have a callback run on the loop's thread after a time, unless the loop ends before.

        From any thread.
        """
        entry = time.monotonic() + seconds, next(self._order), callback
        self.call(lambda: heapq.heappush(self._timers, entry))

    def add(self, sock: socket.socket, ready: Ready) -> None:
        """Watch a socket for reading, until the loop ends."""
        with self._watching:
            if not self._closed:
                self._selector.register(sock, READ, ready)

    def watch(self, sock: socket.socket, events: int) -> None:
        """Change what a socket is watched for; nothing when it is not watched any more."""
        with self._watching:
            if self._closed:
                return
            try:
                key = self._selector.get_key(sock)
            except (KeyError, ValueError):
                return
            if key.events != events:
                self._selector.modify(sock, events, key.data)

    def pause(self, sock: socket.socket) -> bool:
        """Watch a socket no longer until `resume`; False where the system cannot do so at once.

        From any thread, and also while the loop waits.
        """
        with self._watching:
            return not self._closed and self._pauses.pause(sock)

    def resume(self, sock: socket.socket) -> None:
        """Watch a socket again, for what it was watched for and what `watch` said since."""
        with self._watching:
            if not self._closed:
                self._pauses.resume(sock, self._selector.get_key(sock).events)

    def remove(self, sock: socket.socket) -> None:
        """Watch a socket no longer; nothing when it is not watched."""
        with self._watching:
            try:
                self._selector.unregister(sock)
            except (KeyError, ValueError):
                pass

    def stop(self) -> None:
        """End the thread after the calls asked for; waits for it unless called on it.

        A handler that hangs is left alone after a while.
        """
        self.end()
        if not self.here() and not self.join(Deadline(JOIN_TIMEOUT)):
            self._log.warning("A handler still runs, on the thread %s", self.thread.name)

    def join(self, deadline: Deadline) -> bool:
        """Wait until the thread has ended; False when the time is up."""
        self.thread.join(deadline.left())
        return not self.thread.is_alive()

    def end(self) -> None:
        """End the thread after the calls asked for, without waiting."""
        self.call(self._end)

    def _end(self) -> None:
        self._running = False

    def _wake(self) -> None:
        try:
            self._wake_write.send(b"\0")
        except BlockingIOError:
            pass  # full: the loop wakes anyway

    def _drain(self, events: int) -> None:
        try:
            while self._wake_read.recv(4096):
                pass
        except BlockingIOError:
            pass

    def _run(self) -> None:
        try:
            while self._running:
                self._turn()
        finally:
            with self._ending:
                self._ended = True
            self._run_calls()
            with self._watching:
                self._closed = True
                self._selector.close()
                self._pauses.close()
            self._wake_read.close()
            self._wake_write.close()

    def _turn(self) -> None:
        timeout = max(0.0, self._timers[0][0] - time.monotonic()) if self._timers else None
        for key, events in self._selector.select(timeout):
            ready: Ready = key.data
            try:
                ready(events)
            except BaseException:
                self._log.exception("Exception in poll loop")
        self._run_calls()
        now = time.monotonic()  # once: what is asked for meanwhile waits for the next turn
        while self._timers and self._timers[0][0] <= now:
            self._calls.append(heapq.heappop(self._timers)[2])
            self._run_calls()

    def _run_calls(self) -> None:
        while self._calls:
            try:
                self._calls.popleft()()
            except BaseException:
                self._log.exception("Exception in poll loop")
