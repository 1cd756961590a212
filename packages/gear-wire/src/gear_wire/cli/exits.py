"""The exit codes of the command lines, and what a person is told when something goes wrong."""

import builtins
import enum

from gear_wire.errors import (
    ConfigurationError,
    ConnectionError,
    InvalidDataError,
    NoConnectedServersError,
    TimeoutError,
)
from gear_wire.escape import escaped


class Exit(enum.IntEnum):
    """How a command ended."""

    OK = 0
    FAILED = 1
    """The job failed, or the server refused."""
    USAGE = 2
    """Wrong usage."""
    NO_SERVER = 3
    """No server could be reached, or it was lost."""
    TIMED_OUT = 4
    """Something took longer than ``--timeout``."""


_EXITS: tuple[tuple[type[BaseException], Exit], ...] = (
    (TimeoutError, Exit.TIMED_OUT),
    (NoConnectedServersError, Exit.NO_SERVER),
    (ConnectionError, Exit.NO_SERVER),
    (ConfigurationError, Exit.USAGE),
    (InvalidDataError, Exit.USAGE),
    (builtins.OSError, Exit.FAILED),
)


def exit_of(error: BaseException) -> Exit:
    """Return the exit code for an exception that ended a command."""
    return next((code for kind, code in _EXITS if isinstance(error, kind)), Exit.FAILED)


def describe(error: BaseException) -> str:
    """Return an exception as one line that can be printed to a terminal."""
    return one_line(str(error)) or type(error).__name__


def one_line(text: str) -> str:
    """Return text as one line that can be printed to a terminal, control characters escaped."""
    return escaped(" ".join(text.split()), len(text))
