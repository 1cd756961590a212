"""Moves the process to the background."""

import os
import sys
from collections.abc import Callable
from typing import Final

from gear_wire.errors import ConfigurationError

_READY: Final = b"\1"


def check_platform() -> None:
    """Raise ConfigurationError if this platform has no daemons."""
    if not hasattr(os, "fork"):
        raise ConfigurationError("this platform has no daemons: use -d")


def daemonize() -> Callable[[], None]:
    """Continue in the background, without a terminal or standard streams.

    The original process waits until the function returned here is called, then exits with code 0;
    if the background process ends before that, with code 1.

    Returns:
        A function to call once everything that can fail at startup is done.

    Raises:
        ConfigurationError: The platform has no daemons.
    """
    check_platform()
    reading, writing = os.pipe()
    if os.fork():
        os.close(writing)
        os._exit(0 if os.read(reading, 1) == _READY else 1)
    os.close(reading)
    os.setsid()
    if os.fork():
        os._exit(0)

    def ready() -> None:
        null = os.open(os.devnull, os.O_RDWR)
        sys.stdout.flush()
        sys.stderr.flush()
        for descriptor in range(3):
            os.dup2(null, descriptor)
        os.close(null)
        os.write(writing, _READY)
        os.close(writing)

    return ready
