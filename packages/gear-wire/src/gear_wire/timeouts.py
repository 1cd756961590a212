"""Timeouts as callers give them; waiting is in `link` and in the faces."""

import math
from typing import Final

from gear_wire.errors import InvalidDataError

LONGEST: Final = 1e9
"""Seconds, some thirty years: about the most that system calls take."""


def check_timeout(timeout: float | None) -> float | None:
    """Return a timeout that can be waited for; zero or negative expires immediately.

    Args:
        timeout: Seconds; None for no limit, as is anything over `LONGEST`.

    Raises:
        TypeError: It is not a number.
        InvalidDataError: It is NaN.
    """
    if timeout is None:
        return None
    if not isinstance(timeout, int | float):
        raise TypeError(
            f"a timeout is a number of seconds or None, not {type(timeout).__name__}: {timeout!r}"
        )
    if timeout >= LONGEST:
        return None
    if math.isnan(timeout):
        raise InvalidDataError(f"a timeout is a number of seconds or None, not {timeout!r}")
    return timeout
