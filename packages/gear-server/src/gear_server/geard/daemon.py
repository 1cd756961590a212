"""Puts a process in the background; what it does there is in `program`."""

import os
import sys
from collections.abc import Callable
from typing import Final

from gear_wire.errors import ConfigurationError

_READY: Final = b"\1"


def check_platform() -> None:
    """Check that there can be daemons; raises ConfigurationError if not."""
    if not hasattr(os, "fork"):
        raise ConfigurationError("there are no daemons on this platform: use -d")


def daemonize() -> Callable[[], None]:
    """Go on in the background, with neither terminal nor standard streams.

    The process that was started waits until the function returned here is called, then ends with
    code 0; when the background process ends before, with code 1.

    Returns:
        What to call when all that can fail at the start has been done.

    Raises:
        ConfigurationError: The platform has no such processes.
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
