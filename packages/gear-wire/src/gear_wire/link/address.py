"""Where a server is and how to keep a connection to it alive; connecting is in `channel`."""

import socket
from typing import Final

import msgspec

from gear_wire.errors import ConfigurationError
from gear_wire.jobs import to_bytes

DEFAULT_PORT: Final = 4730
# What Linux takes; others take more, which nobody needs.
_MOST: Final = {"idle": 32767, "interval": 32767, "count": 127}


class Keepalive(msgspec.Struct, frozen=True):
    """TCP keepalive of a socket.

    Attributes:
        enabled: Whether it is on.
        idle: Seconds without traffic before the first probe.
        interval: Seconds between probes.
        count: Probes without an answer before the connection is given up.

    Raises:
        ConfigurationError: It is enabled, and one of the numbers is none that can be set.
    """

    enabled: bool = False
    idle: int = 7200
    interval: int = 75
    count: int = 9

    def __post_init__(self) -> None:
        """Check the numbers when they count."""
        if not self.enabled:
            return
        for name, most in _MOST.items():
            value = getattr(self, name)
            if not isinstance(value, int) or not 0 < value <= most:
                raise ConfigurationError(
                    f"keepalive: {name} is a number from 1 to {most}, not {value!r}"
                )

    def apply(self, sock: socket.socket) -> None:
        """Set it on a socket, as far as the platform can."""
        if not self.enabled:
            return
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        settings = {
            "TCP_KEEPIDLE": self.idle,
            "TCP_KEEPINTVL": self.interval,
            "TCP_KEEPCNT": self.count,
        }
        for name, value in settings.items():
            option = getattr(socket, name, None)
            if option is not None:
                sock.setsockopt(socket.IPPROTO_TCP, option, value)


def check_host(host: str | bytes) -> str:
    """Return a host as text.

    Raises:
        ConfigurationError: The host is empty, or no name.
        TypeError: It is neither str nor bytes.
    """
    name = to_bytes(host, "the host of a server").decode(errors="replace")
    if "\0" in name or "\ufffd" in name:
        raise ConfigurationError(f"not the name of a host: {host!r}")
    if not name:
        raise ConfigurationError("the host of a server must not be empty")
    return name


def check_port(port: int | str | bytes, least: int = 1) -> int:
    """Return a port as a number; numbers in text, as 0.16 took them, are fine.

    Args:
        port: The port.
        least: The smallest that is right: 1 to connect to, 0 to listen on any free one.

    Raises:
        ConfigurationError: It is no number or out of range.
    """
    try:
        number = -1 if isinstance(port, bool | float) else int(port)
    except (TypeError, ValueError):
        number = -1
    if not least <= number <= 65535:
        raise ConfigurationError(f"a port is a number from {least} to 65535, not {port!r}")
    return number
