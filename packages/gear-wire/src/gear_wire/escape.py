"""How a log line, an error or a terminal shows what a peer has sent: printable, in limited length.

Whoever chooses a name, an id or the text of an error could otherwise write log lines of their own,
or have a terminal do as they please.
"""

from typing import Final

LONGEST: Final = 200
"""Bytes or characters of one value that are shown, unless told otherwise."""


def escaped(value: bytes | str, longest: int = LONGEST) -> str:
    """Return text that a peer sent as it may be shown, in one line.

    What is not printable is written as in Python's literals: ends of lines, control characters, the
    marks that change the direction of text, bytes that are not UTF-8.

    Args:
        value: What the peer sent.
        longest: How much of it is shown at most.
    """
    start = value[:longest]
    text = start if isinstance(start, str) else start.decode(errors="backslashreplace")
    if not text.isprintable():
        text = "".join(
            each if each.isprintable() else each.encode("unicode_escape").decode() for each in text
        )
    return text + _rest(value, longest)


def quoted(value: object, longest: int = LONGEST) -> str:
    """Return the literal of what a peer sent; of long bytes or text, that of the beginning."""
    if not isinstance(value, bytes | str):
        return repr(value)
    return repr(value[:longest]) + _rest(value, longest)


class Quoted:
    """What a peer sent, as an argument of a log line: written as `quoted` writes it.

    Args:
        value: What the peer sent.

    Attributes:
        value: As given, for log lines with fields.
    """

    __slots__ = ("value",)

    def __init__(self, value: object) -> None:
        self.value: object = value

    def __str__(self) -> str:
        return quoted(self.value)


def _rest(value: bytes | str, longest: int) -> str:
    return f"... ({len(value)} in all)" if len(value) > longest else ""
