"""What waits on one connection for an answer: ECHO_REQs, and text commands with their text."""

import threading
import uuid
from typing import Final

from gear_wire.escape import quoted
from gear_wire.jobs import convert_to_bytes
from gear_wire.link.threads.requests import AdminRequest
from gear_wire.text import MAX_REPLY_SIZE

UNASKED: Final = "text that nobody asked for"


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
        max_size: The longest reply taken in, in bytes.

    Attributes:
        max_size: As given.
        requests: The text commands that wait for a reply, in the order in which they were sent.
        by_hand: Whether the program sent text itself: text that answers no request is ignored then.
        wrong: What came that cannot be taken in; empty for nothing.
    """

    def __init__(self, max_size: int = MAX_REPLY_SIZE) -> None:
        self._text = bytearray()
        self._echoes: list[Echo] = []
        self.max_size: int = max_size
        self.requests: list[AdminRequest] = []
        self.by_hand: bool = False
        self.wrong: str = ""

    def expect(self, request: AdminRequest) -> None:
        """Await a reply to a text command."""
        self.requests.append(request)

    def receive_text(self, text: bytes) -> list[AdminRequest]:
        """Take in whole lines of text, and return the requests that they answer."""
        answered: list[AdminRequest] = []
        self._text += text
        last = text
        while self._text:
            if not self.requests:
                self.wrong = self.wrong or self.check(last)
                self._text.clear()
                break
            request = self.requests[0]
            # Copied only when it may be whole: a reply may have a million lines.
            if not request.may_end(last):
                break
            complete, rest = request.isComplete(bytes(self._text))
            if not complete:
                break
            del self.requests[0]
            last = rest or b""
            self._text = bytearray(last)
            answered.append(request)
        if len(self._text) > self.max_size:
            self.wrong = f"a reply of over {self.max_size} bytes"
            self._text.clear()
        return answered

    def check(self, text: bytes = b"") -> str:
        """Return what is wrong with text that is coming, when nobody asked for any."""
        if self.requests or self.by_hand:
            return ""
        return f"{UNASKED}: {quoted(text, 40)}" if text else UNASKED

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
        self._text = bytearray()
        self.by_hand = False
        self.wrong = ""
        requests = self.requests[:]
        self.requests.clear()
        return requests
