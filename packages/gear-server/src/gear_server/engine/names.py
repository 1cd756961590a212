"""Which names and ids the server takes, and how it shows them in the tables of the text protocol.

The tables have a row a line, and columns separated by tabs or blanks; they are read by programs and
on terminals. What would break a row, or make one up, is refused when it comes; only uniques, which
programs make of anything, are taken as they are and escaped when they are shown.
"""

import re
from typing import Final

import msgspec

CLIENT_ID_SIZE: Final = 127
"""Bytes of a client's id that are kept, as in gearmand."""
# The last are the control characters of Latin-1 in UTF-8, which terminals obey too.
_CONTROL: Final = re.compile(rb"[\0-\x1f\x7f]|\xc2[\x80-\x9f]")
_NOT_IN_FUNCTIONS: Final = re.compile(rb" |" + _CONTROL.pattern)
_NOT_IN_CLIENT_IDS: Final = re.compile(rb" :|" + _CONTROL.pattern)
_END_OF_TABLE: Final = b"."


class Refusal(msgspec.Struct, frozen=True):
    """Why something is refused; an exception would cost more than all else.

    Attributes:
        code: The code, one of libgearman's.
        text: The reason.
    """

    code: bytes
    text: bytes

    def line(self) -> bytes:
        """Return it as the answer to a text command."""
        return b"ERR %b %b\r\n" % (self.code, self.text.replace(b" ", b"+"))


CONTROL: Final = Refusal(b"INVALID_ARGUMENTS", b"Control characters are not allowed")
_BAD_FUNCTION: Final = Refusal(
    b"INVALID_FUNCTION_NAME", b"Function name with blanks or control characters"
)
_LONG_FUNCTION: Final = Refusal(b"ARGUMENT_TOO_LARGE", b"Function name too large")
_BAD_CLIENT_ID: Final = Refusal(
    b"INVALID_ARGUMENT", b"Client id with control characters, or a colon after a blank"
)


def has_control(text: bytes) -> bool:
    """Return whether a text has control characters."""
    return _CONTROL.search(text) is not None


def refused_function(name: bytes, longest: int) -> Refusal | None:
    """Return why a function cannot have a name; None if it can.

    Args:
        name: The name.
        longest: Bytes that it may have.
    """
    if len(name) > longest:
        return _LONG_FUNCTION
    return None if _NOT_IN_FUNCTIONS.search(name) is None else _BAD_FUNCTION


def refused_client_id(client_id: bytes) -> Refusal | None:
    """Return why a connection cannot have an id; None if it can. Ids with blanks are in use."""
    return None if _NOT_IN_CLIENT_IDS.search(client_id) is None else _BAD_CLIENT_ID


def _escape(found: re.Match[bytes]) -> bytes:
    return b"".join(b"\\x%02x" % byte for byte in found[0])


def shown_unique(unique: bytes) -> bytes:
    r"""Return a unique as a row of its own: control characters, and a lone dot, as ``\x2e``."""
    if unique == _END_OF_TABLE:
        return b"\\x2e"
    return _CONTROL.sub(_escape, unique)
