"""Sends measurements to a statsd server, and cares for no answer."""

import contextlib
import socket

from gear_wire.errors import ConfigurationError
from gear_wire.link.address import check_port


class Statsd:
    """A statsd client over UDP.

    Args:
        host: The statsd server.
        port: Its port.
        prefix: What all keys begin with; None for nothing.

    Raises:
        ConfigurationError: The host has no address, or the port is out of range.
    """

    def __init__(self, host: str, port: int | str, prefix: str | None) -> None:
        number = check_port(port)
        try:
            addresses = socket.getaddrinfo(host, number, type=socket.SOCK_DGRAM)
        except (OSError, UnicodeError) as error:
            raise ConfigurationError(f"cannot find the statsd server {host}: {error}") from error
        family, kind, protocol, _, address = addresses[0]
        self._socket = socket.socket(family, kind, protocol)
        self._socket.setblocking(False)
        self._address = address
        self._prefix = f"{prefix}." if prefix else ""

    def _send(self, key: str, value: str) -> None:
        with contextlib.suppress(OSError):
            self._socket.sendto(f"{self._prefix}{key}:{value}".encode(), self._address)

    def gauge(self, key: str, value: int) -> None:
        """Send how much of something there is."""
        self._send(key, f"{value}|g")

    def incr(self, key: str) -> None:
        """Count something."""
        self._send(key, "1|c")

    def timing(self, key: str, milliseconds: float) -> None:
        """Send how long something took."""
        self._send(key, f"{milliseconds:.3f}|ms")

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()
