"""When a call must be over; made once of its `timeout`, for all that the call waits for."""

import time
from typing import Final, Self

from gear_wire.errors import TimeoutError
from gear_wire.timeouts import check_timeout

CONNECT_TIMEOUT: Final = 10.0
"""Seconds an attempt to connect may take: look-up, TCP and TLS together."""
CLOSE_TIMEOUT: Final = 5.0
"""Seconds that what was said has to leave when a client is closed."""


class Deadline:
    """The end of a call's time, on the monotonic clock.

    A call makes one and hands it to whatever it waits for: room to send, the bytes leaving, the
    answer. So the call as a whole takes no longer than its caller said.

    Args:
        timeout: Seconds from now; None for no limit, zero or negative expires immediately.

    Attributes:
        timeout: As given, for messages.

    Raises:
        TypeError: The timeout is not a number.
        InvalidDataError: The timeout is NaN.
    """

    __slots__ = ("_end", "timeout")

    def __init__(self, timeout: float | None) -> None:
        limit = check_timeout(timeout)
        self.timeout: float | None = timeout
        self._end: float | None = None if limit is None else time.monotonic() + limit

    @classmethod
    def sooner(cls, seconds: float, other: Self) -> Self:
        """Return a deadline so many seconds from now, or another one if that comes sooner."""
        left = other.left()
        return other if left is not None and left <= seconds else cls(seconds)

    def left(self) -> float | None:
        """Return the seconds that are left, never negative; None for no limit."""
        return None if self._end is None else max(0.0, self._end - time.monotonic())

    def expired(self) -> bool:
        """Tell whether the time is up."""
        return self._end is not None and time.monotonic() >= self._end

    def error(self, what: str) -> TimeoutError:
        """Return the exception to raise when the time is up.

        Args:
            what: What did not happen, such as ``no answer from ...``.
        """
        # What is left of a longer time has many digits.
        seconds = self.timeout and (round(self.timeout, 3) or self.timeout)
        return TimeoutError(f"{what} in {seconds} s")

    def __repr__(self) -> str:
        return f"<Deadline timeout: {self.timeout} left: {self.left()}>"
