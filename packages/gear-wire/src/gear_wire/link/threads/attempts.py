"""The threads that connect to servers, one for each that is not connected."""

import socket
import threading
from collections.abc import Callable
from typing import Final

from gear_wire.link.deadline import Deadline
from gear_wire.link.inherited import let_go_when_forked

JOIN_TIMEOUT: Final = 5.0
"""Seconds that stopping waits for a look-up of a host name, which nothing can interrupt."""


class Attempts:
    """Tries to connect until it succeeds, in a thread a server.

    Args:
        condition: Notified when it is to stop; guards what is here.

    Attributes:
        cancel: A socket that becomes readable when attempts shall end.
    """

    def __init__(self, condition: threading.Condition) -> None:
        self._condition = condition
        self._threads: list[threading.Thread] = []
        self._stopped = False
        ends = socket.socketpair()
        self.cancel: socket.socket = ends[0]
        self._canceller = ends[1]
        let_go_when_forked(*ends)

    def start(self, attempt: Callable[[], bool], delay: Callable[[], float], wait: bool) -> bool:
        """Begin with a server, in a thread of its own; under the condition.

        Args:
            attempt: Tries once; tells whether no more attempts are needed.
            delay: Returns the seconds until the next.
            wait: Whether to wait before the first too.

        Returns:
            False when the system has no more threads to give.
        """
        thread = threading.Thread(
            target=self._run,
            args=(attempt, delay, wait),
            name="Gearman client connect",
            daemon=True,
        )
        self._threads.append(thread)
        try:
            thread.start()
        except RuntimeError:
            self._threads.remove(thread)
            return False
        return True

    def _run(self, attempt: Callable[[], bool], delay: Callable[[], float], wait: bool) -> None:
        try:
            while wait or not attempt():
                wait = False
                with self._condition:
                    if self._condition.wait_for(lambda: self._stopped, delay()):
                        return
        finally:
            with self._condition:
                self._threads.remove(threading.current_thread())
                self._close_unused()

    def _close_unused(self) -> None:
        """Close what attempts are cancelled by, when there are none and will be none."""
        if self._stopped and not self._threads:
            self.cancel.close()

    def stop(self) -> Callable[[], None]:
        """Make all attempts end; under the condition. Returns what waits until they have."""
        self._stopped = True
        threads = self._threads[:]
        self._condition.notify_all()
        self._canceller.close()
        self._close_unused()
        return lambda: self._join(threads)

    def _join(self, threads: list[threading.Thread]) -> None:
        deadline = Deadline(JOIN_TIMEOUT)
        for thread in threads:
            if thread is not threading.current_thread():
                thread.join(deadline.left())
