"""The job that a function runs for, as the function sees it."""

import contextvars
from collections.abc import Callable
from typing import Final, Protocol

from gear_wire.errors import GearmanError
from gear_wire.jobs import to_payload


class Reports(Protocol):
    """Where the reports of a running job go; none of its methods waits for an answer."""

    def status(self, numerator: float, denominator: float) -> None:
        """Send WORK_STATUS."""

    def warning(self, data: bytes) -> None:
        """Send WORK_WARNING."""

    def data(self, data: bytes) -> None:
        """Send WORK_DATA."""


class CurrentJob:
    """The job that runs; `current_job` returns it inside a function, and middleware is given it.

    Its methods may be called from threads, processes and tasks alike.

    Args:
        name: The function's name.
        handle: The job handle.
        arguments: The payload, as it came.
        reports: Where its reports go.
        unique: The job's unique; None when it has none.
        attempt: The number of this try, from 1.
        state: What the app's lifespan yielded; None without one.
        deadline: When the function's timeout ends this try, by `clock`; None without a timeout.
        clock: Returns the time now.

    Attributes:
        name: The function's name.
        handle: The job handle.
        unique: The job's unique; None when it has none.
        arguments: The payload, as it came.
        attempt: The number of this try, from 1.
        state: What the app's lifespan yielded; None without one.
        deadline: The `time.monotonic()` at which this try is ended; None without a timeout.
    """

    def __init__(
        self,
        name: str,
        handle: bytes,
        arguments: bytes,
        reports: Reports,
        *,
        unique: bytes | None = None,
        attempt: int = 1,
        state: object = None,
        deadline: float | None = None,
        clock: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self.name: str = name
        self.handle: bytes = handle
        self.arguments: bytes = arguments
        self.unique: bytes | None = unique
        self.attempt: int = attempt
        self.state: object = state
        self.deadline: float | None = deadline
        self._reports = reports
        self._clock = clock

    def __repr__(self) -> str:
        return f"<gear.CurrentJob {self.name} handle: {self.handle!r} attempt: {self.attempt}>"

    @property
    def time_left(self) -> float | None:
        """The seconds until the function's timeout, never negative; None without a timeout."""
        return None if self.deadline is None else max(0.0, self.deadline - self._clock())

    def status(self, numerator: float, denominator: float) -> None:
        """Tell client and server how far the job has come: WORK_STATUS."""
        self._reports.status(numerator, denominator)

    def warning(self, text: str | bytes) -> None:
        """Send a warning to the client: WORK_WARNING."""
        self._reports.warning(to_payload(text))

    def data(self, data: str | bytes) -> None:
        """Send news to the client: WORK_DATA; for a raw function, a part of the result."""
        self._reports.data(to_payload(data))


CURRENT: Final[contextvars.ContextVar[CurrentJob]] = contextvars.ContextVar("gear.current_job")
"""Set by whoever runs a function."""


def current_job() -> CurrentJob:
    """Return the job that the function runs for.

    Raises:
        GearmanError: No job runs here: the function was called directly.
    """
    try:
        return CURRENT.get()
    except LookupError:
        raise GearmanError("current_job() was called where no job runs") from None
