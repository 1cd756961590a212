"""Reports the server's state to systemd, and takes over the sockets that it opened."""

import os
import socket
import time
from collections.abc import MutableMapping
from typing import Final

from gear_server.network.listening import listens
from gear_wire.errors import ConfigurationError

FIRST_DESCRIPTOR: Final = 3
READY: Final = "READY=1"
STOPPING: Final = "STOPPING=1"
SEND_TIMEOUT: Final = 1.0
"""Seconds to wait for a service manager that does not read."""


class Notifier:
    """Reports states to the service manager, if there is one.

    Args:
        address: The value of NOTIFY_SOCKET: a path, or ``@`` and an abstract name.
    """

    def __init__(self, address: str | None) -> None:
        self._address = address

    def send(self, *states: str) -> None:
        """Send states such as `READY` or ``STATUS=…``; errors are ignored."""
        if not self._address:
            return
        address = self._address
        if address.startswith("@"):
            address = f"\0{address[1:]}"
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
                sock.settimeout(SEND_TIMEOUT)
                sock.sendto("\n".join(states).encode(), address)
        except OSError:
            pass  # the server matters more than reporting on it

    def reloading(self) -> None:
        """Report that a reload begins; `READY` ends it."""
        now = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self.send("RELOADING=1", f"MONOTONIC_USEC={now}")


def inherited_sockets(
    environ: MutableMapping[str, str], first: int = FIRST_DESCRIPTOR
) -> list[socket.socket]:
    """Return the sockets that systemd opened for this process, and clear the environment of them.

    Args:
        environ: The environment.
        first: The first descriptor.

    Raises:
        ConfigurationError: One of them is not a listening TCP socket.
    """
    process = environ.pop("LISTEN_PID", "")
    count = environ.pop("LISTEN_FDS", "")
    environ.pop("LISTEN_FDNAMES", None)
    if process != str(os.getpid()) or not count.isdecimal():
        return []
    return [_listener(number) for number in range(first, first + int(count))]


def _listener(number: int) -> socket.socket:
    try:
        sock = socket.socket(fileno=number)
    except OSError as error:
        raise ConfigurationError(
            f"descriptor {number}, passed by systemd, is not a socket: {error.strerror}"
        ) from error
    if not listens(sock):
        sock.close()
        raise ConfigurationError(
            f"descriptor {number}, passed by systemd, is not a listening TCP socket"
        )
    sock.set_inheritable(False)
    sock.setblocking(False)
    return sock
