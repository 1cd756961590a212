"""What can be set of an engine; what the program takes from its user is in `geard.options`."""

from typing import Final

import msgspec

from gear_wire.errors import ConfigurationError, InvalidDataError
from gear_wire.jobs import to_handle
from gear_wire.text import command

UNLIMITED: Final = -1
"""Of retries: as many as it takes."""


def check_number(name: str, value: object, least: int) -> int:
    """Return a setting that is a whole number.

    Raises:
        TypeError: It is no whole number.
        ConfigurationError: It is less than the least.
    """
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{name} must be a whole number, not {value!r}")
    if value < least:
        kind = "a positive number" if least == 1 else f"a number of at least {least}"
        raise ConfigurationError(f"{name} must be {kind}, not {value}")
    return value


def check_prefix(prefix: str | bytes) -> bytes:
    """Return what job handles begin with.

    Raises:
        ConfigurationError: It is more than one word: text commands could not name the jobs.
    """
    handle = to_handle(prefix)
    try:
        command(b"cancel job", handle)
    except InvalidDataError:
        raise ConfigurationError(
            f"job_handle_prefix must be one word of printable text, not {prefix!r}"
        ) from None
    return handle


class EngineSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What can be set.

    Attributes:
        handle_prefix: What job handles begin with, before ``:`` and a number.
        job_retries: How often a job is given out in all, when it comes back each time; 0 and 1 for
            once, -1 for no limit.
        worker_wakeup: How many sleepers a new job wakes at first; 0 for all.
        exceptions: Whether every client hears of exceptions without asking.
        cancel_running: Whether ``cancel job`` takes jobs that workers have, as gearmand's does:
            their clients hear WORK_FAIL, and the worker's result goes nowhere. gear 0.16 does not
            know such jobs.
        version: What ``version`` says.
        verbose: What ``verbose`` says.
        pid: What ``getpid`` says.

    Raises:
        TypeError: A number is none.
        ConfigurationError: A number is less than it may be.
    """

    handle_prefix: bytes = b"H:localhost"
    job_retries: int = UNLIMITED
    worker_wakeup: int = 1
    exceptions: bool = False
    cancel_running: bool = True
    version: bytes = b"1.0.0"
    verbose: bytes = b"ERROR"
    pid: int = 0

    def __post_init__(self) -> None:
        """Check the numbers."""
        check_number("job_retries", self.job_retries, UNLIMITED)
        check_number("worker_wakeup", self.worker_wakeup, 0)
