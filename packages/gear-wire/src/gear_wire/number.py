"""Numbers as peers write them: in decimal ASCII digits, and not too many of them."""

import re
from typing import Final

from gear_wire.errors import InvalidDataError
from gear_wire.escape import quoted

MOST_DIGITS: Final = 20
"""Enough for 64 bits. `int` takes thousands of digits, in quadratic time, and raises for more."""
_NUMBER: Final = re.compile(rb"-?[0-9]{1,%d}" % MOST_DIGITS)


def to_number(digits: bytes) -> int:
    """Return the number that a peer wrote.

    Raises:
        InvalidDataError: It is none, or has too many digits.
    """
    if _NUMBER.fullmatch(digits) is None:
        raise InvalidDataError(f"expected a number: {quoted(digits)}")
    return int(digits)
