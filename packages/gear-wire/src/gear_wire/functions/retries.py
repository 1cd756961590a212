"""When a function that raised is tried again; pure."""

from collections.abc import Sequence

import msgspec

from gear_wire.errors import ConfigurationError


class Retries(msgspec.Struct, frozen=True):
    """How often, and after how long, a function that raised is tried again.

    The worker that has the job keeps it meanwhile: if that worker is lost, the server gives the job
    to another, which begins with the first try.

    Args:
        count: Tries after the first one.
        backoff: Seconds before the second try.
        factor: By what the time grows from try to try.
        longest: Seconds between two tries at the most.
        jitter: The share of each time that is left to chance, from 0 to 1: so many workers that
            failed together do not come back together.
        on: The exceptions after which it is tried again; others fail at once.

    Raises:
        ConfigurationError: A number is out of range.
    """

    count: int
    backoff: float = 1.0
    factor: float = 2.0
    longest: float = 300.0
    jitter: float = 0.5
    on: tuple[type[Exception], ...] = (Exception,)

    def __post_init__(self) -> None:
        """Check the numbers."""
        if self.count < 0:
            raise ConfigurationError(f"retries must be 0 or more, not {self.count}")
        if self.backoff < 0 or self.longest < 0 or self.factor < 1:
            raise ConfigurationError(
                "retries: backoff and longest are seconds, 0 or more, and factor is at least 1"
            )
        if not 0 <= self.jitter <= 1:
            raise ConfigurationError(f"retries: jitter is from 0 to 1, not {self.jitter}")

    def delay(self, attempt: int, error: BaseException, chance: float) -> float | None:
        """Return the seconds until the next try; None when there is none.

        Args:
            attempt: The number of the try that failed, from 1.
            error: What it raised.
            chance: A random number from 0 to 1.
        """
        if attempt > self.count or not isinstance(error, self.on):
            return None
        return self._pause(attempt) * (1 - self.jitter * chance)

    def _pause(self, attempt: int) -> float:
        return min(self.longest, self.backoff * self.factor ** min(attempt - 1, 64))

    def longest_pauses(self) -> float:
        """Return the seconds that all pauses between tries take together at the most."""
        return sum(self._pause(attempt) for attempt in range(1, self.count + 1))


def to_retries(retries: "Retries | int | None") -> Retries:
    """Return what a function was given as `retries`: a number, or a whole `Retries`.

    Raises:
        ConfigurationError: The number is negative.
        TypeError: It is neither.
    """
    if isinstance(retries, Retries):
        return retries
    if retries is None:
        return Retries(0)
    if isinstance(retries, bool) or not isinstance(retries, int):
        raise TypeError(f"retries is a number or gear.Retries, not {retries!r}")
    return Retries(retries)


def check_exceptions(classes: Sequence[type[Exception]]) -> tuple[type[Exception], ...]:
    """Return exception classes as a tuple.

    Raises:
        TypeError: One of them is no subclass of Exception.
    """
    found: list[object] = [*classes]
    for known in found:
        if not isinstance(known, type) or not issubclass(known, Exception):
            raise TypeError(f"raises takes classes of exceptions, not {known!r}")
    return tuple(classes)
