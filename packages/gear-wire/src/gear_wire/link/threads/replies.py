"""The text commands of one connection that wait for a reply, and the text that has come of it."""

import logging

from gear_wire.link.threads.requests import AdminRequest


class Replies:
    """Gives text to the requests in the order in which they were sent.

    Args:
        log: Where text that nobody asked for is named.

    Attributes:
        waiting: The requests that wait for a reply, oldest first.
    """

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._parts: list[bytes] = []
        self.waiting: list[AdminRequest] = []

    def take(self, text: bytes) -> list[AdminRequest]:
        """Take in whole lines of text, and return the requests that they answer."""
        answered: list[AdminRequest] = []
        self._parts.append(text)
        while self._parts:
            if not self.waiting:
                self._log.error("Received text that nobody asked for: %r", text[:80])
                self._parts.clear()
                break
            request = self.waiting[0]
            # Joined only when it may be whole: a reply may have a million lines.
            if not request.may_end(self._parts[-1]):
                break
            reply = b"".join(self._parts)
            complete, rest = request.isComplete(reply)
            if not complete:
                self._parts = [reply]
                break
            del self.waiting[0]
            self._parts = [rest] if rest else []
            answered.append(request)
        return answered

    def reset(self) -> list[AdminRequest]:
        """Forget what has come and who waits, and return those."""
        waiting = self.waiting[:]
        self.waiting.clear()
        self._parts.clear()
        return waiting
