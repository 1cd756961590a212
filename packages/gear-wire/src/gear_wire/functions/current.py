"""The job that a function runs for, as the function sees it."""

import contextvars
from typing import Final, Protocol

from gear_wire.errors import GearmanError


class CurrentJob(Protocol):
    """The job that runs; `current_job` returns it inside a function.

    Attributes:
        name: The function's name.
        handle: The job handle.
        unique: The job's unique; None when it has none.
        arguments: The payload, as it came.
        attempt: The number of this try, from 1.
        state: What the app's lifespan yielded; None without one.
    """

    name: str
    handle: bytes
    unique: bytes | None
    arguments: bytes
    attempt: int
    state: object

    @property
    def time_left(self) -> float | None:
        """The seconds until the function's timeout; None without one."""

    def status(self, numerator: float, denominator: float) -> None:
        """Tell client and server how far the job has come: WORK_STATUS."""

    def warning(self, text: str | bytes) -> None:
        """Send a warning to the client: WORK_WARNING."""

    def data(self, data: str | bytes) -> None:
        """Send a part of the result, or news, to the client: WORK_DATA."""


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
