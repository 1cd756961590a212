"""A text command and its reply, for threads; the commands are in `gear_admin`.

``cancel job`` is here because a client sends it too.
"""

import threading
from typing import ClassVar, Final

from gear_wire.errors import InvalidDataError
from gear_wire.jobs import to_bytes
from gear_wire.text import command, parse_line
from gear_wire.timeouts import check_timeout

_DOTS: Final = (b".\n", b".\r\n")
_ENDS: Final = tuple(b"\n" + dot for dot in _DOTS)


def _first_line(data: bytes) -> int:
    """Return where the first line ends, or 0 when it has not come whole."""
    return data.find(b"\n") + 1


def _is_answer(line: bytes) -> bool:
    """Tell whether a line is a reply by itself: ``OK``, ``OK ...`` or ``ERR ...``.

    A function called OK makes lines of ``status`` that begin alike, but with a tab.
    """
    words = line.rstrip(b"\r\n").split(b" ", 1)
    return words[0] in (b"OK", b"ERR") and b"\t" not in line


class AdminRequest:
    """A command of the administrative protocol and its reply; subclass it to make one.

    ``command`` is all that a subclass must give. Its reply ends with a line of one dot, or is one
    line that begins with OK or ERR.

    Args:
        arguments: The words after the command.

    Attributes:
        command: What is sent.
        arguments: The words after it.
        response: The whole reply as bytes; None before it came.

    Raises:
        NotImplementedError: The class gives no command.
        InvalidDataError: An argument is empty, or holds white space or a NUL.
    """

    command: ClassVar[bytes | None] = None
    one_line: ClassVar[bool] = False

    def __init__(self, *arguments: str | bytes) -> None:
        if self.command is None:
            raise NotImplementedError("AdminRequest must be subclassed: it has no command")
        what = f"an argument of {self.command.decode(errors='replace')!r}"
        self.arguments: tuple[bytes, ...] = tuple(to_bytes(word, what) for word in arguments)
        self.response: bytes | None = None
        self.settled: threading.Event = threading.Event()
        self._begun = False
        self._scanned = 0
        self.getCommand()

    def __repr__(self) -> str:
        return f"<gear.{type(self).__name__} 0x{id(self):x} command: {self.command!r}>"

    def getCommand(self) -> bytes:
        """Return the line to send."""
        return command(self.command or b"", *self.arguments)

    def begin(self) -> None:
        """Forget an earlier response: the request is about to be sent, anew if need be."""
        self.response = None
        self.settled.clear()
        self._begun = False
        self._scanned = 0

    def may_end(self, text: bytes) -> bool:
        """Tell whether `isComplete` must look at what has come.

        Args:
            text: The lines that have come since the last call.
        """
        first, self._begun = not self._begun, True
        # A subclass with an end of its own looks each time.
        own = type(self).isComplete is not AdminRequest.isComplete
        return first or own or text.startswith(_DOTS) or any(end in text for end in _ENDS)

    def isComplete(self, data: bytes) -> tuple[bool, bytes | None]:
        """Tell whether the reply is there, and take it as `response`.

        Args:
            data: All that came since the reply began; it grows from call to call.

        Returns:
            Whether the reply is complete, and the bytes that came after it.
        """
        end = self._end(data)
        if not end:
            return False, None
        self.response = data[:end]
        return True, data[end:]

    def _end(self, data: bytes) -> int:
        line_end = _first_line(data)
        if line_end and (self.one_line or self._is_answer(data[:line_end])):
            return line_end
        if data.startswith(_DOTS):
            return line_end
        # What was scanned before is not scanned again: `status` may have a million lines.
        start = max(0, self._scanned - 4) if len(data) >= self._scanned else 0
        self._scanned = len(data)
        ends = [found + len(end) for end in _ENDS if (found := data.find(end, start)) >= 0]
        return min(ends, default=0)

    def _is_answer(self, line: bytes) -> bool:
        return _is_answer(line)

    def setComplete(self) -> None:
        """Wake whoever waits for the response."""
        self.settled.set()

    def waitForResponse(self, timeout: float | None = None) -> bool:
        """Wait until the reply has come; returns at once when it has.

        Args:
            timeout: Seconds to wait; None for no limit.

        Returns:
            Whether it has come in time.
        """
        return self.settled.wait(check_timeout(timeout))

    def reply(self) -> bytes:
        """Return the response; InvalidDataError when there is none yet."""
        if self.response is None:
            raise InvalidDataError(f"{self!r} has no response yet: send it first")
        return self.response


class CancelJobAdminRequest(AdminRequest):
    """``cancel job``: takes a queued job back.

    Args:
        handle: The job handle.
    """

    command: ClassVar[bytes | None] = b"cancel job"
    one_line: ClassVar[bool] = True

    def __init__(self, handle: str | bytes) -> None:
        super().__init__(handle)

    def check(self) -> None:
        """Raise ServerError unless the job was cancelled."""
        parse_line(self.reply())
