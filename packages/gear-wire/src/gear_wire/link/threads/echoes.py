"""The ECHO_REQs of one connection that wait for their ECHO_RES."""

import threading
import uuid

from gear_wire.jobs import convert_to_bytes


class Echo:
    """An ECHO_REQ that waits for its ECHO_RES.

    Args:
        data: What to send; something unique for None.

    Attributes:
        data: What is sent.
        reply: What came back; None while nothing has.
        settled: Set when it has come, or never will.
    """

    def __init__(self, data: str | bytes | None) -> None:
        self.data: bytes = uuid.uuid4().bytes if data is None else convert_to_bytes(data)
        self.reply: bytes | None = None
        self.settled: threading.Event = threading.Event()


class Echoes:
    """The echoes that wait; the caller holds the connection's lock."""

    def __init__(self) -> None:
        self._waiting: list[Echo] = []

    def add(self, echo: Echo) -> None:
        """Await an answer."""
        self._waiting.append(echo)

    def discard(self, echo: Echo) -> None:
        """Await it no longer."""
        if echo in self._waiting:
            self._waiting.remove(echo)

    def take(self, data: bytes) -> bool:
        """Wake the oldest that waits for this data; False when none does."""
        for echo in self._waiting:
            if echo.data == data:
                self._waiting.remove(echo)
                echo.reply = data
                echo.settled.set()
                return True
        return False

    def reset(self) -> None:
        """Wake all, without an answer."""
        for echo in self._waiting:
            echo.settled.set()
        self._waiting.clear()
