"""What waits on one connection for an answer: ECHO_REQs, and text commands with their text."""

import logging
import threading
import uuid

from gear_wire.jobs import convert_to_bytes
from gear_wire.link.threads.requests import AdminRequest


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


class Answers:
    """Gives what comes to whoever asked first; the caller holds the connection's lock.

    Args:
        log: Where text that nobody asked for is named.

    Attributes:
        requests: The text commands that wait for a reply, in the order in which they were sent.
    """

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._parts: list[bytes] = []
        self._echoes: list[Echo] = []
        self.requests: list[AdminRequest] = []

    def expect(self, request: AdminRequest) -> None:
        """Await a reply to a text command."""
        self.requests.append(request)

    def receive_text(self, text: bytes) -> list[AdminRequest]:
        """Take in whole lines of text, and return the requests that they answer."""
        answered: list[AdminRequest] = []
        self._parts.append(text)
        while self._parts:
            if not self.requests:
                self._log.error("Unexpected text reply: %r", text[:80])
                self._parts.clear()
                break
            request = self.requests[0]
            # Joined only when it may be whole: a reply may have a million lines.
            if not request.may_end(self._parts[-1]):
                break
            reply = b"".join(self._parts)
            complete, rest = request.isComplete(reply)
            if not complete:
                self._parts = [reply]
                break
            del self.requests[0]
            self._parts = [rest] if rest else []
            answered.append(request)
        return answered

    def expect_echo(self, echo: Echo) -> None:
        """Await an ECHO_RES."""
        self._echoes.append(echo)

    def forget_echo(self, echo: Echo) -> None:
        """Await it no longer."""
        if echo in self._echoes:
            self._echoes.remove(echo)

    def receive_echo(self, data: bytes) -> bool:
        """Wake the oldest that waits for this data; False when none does."""
        for echo in self._echoes:
            if echo.data == data:
                self._echoes.remove(echo)
                echo.reply = data
                echo.settled.set()
                return True
        return False

    def reset(self) -> list[AdminRequest]:
        """Forget what has come, wake all echoes without an answer; return who waited for text."""
        for echo in self._echoes:
            echo.settled.set()
        self._echoes.clear()
        self._parts.clear()
        requests = self.requests[:]
        self.requests.clear()
        return requests
