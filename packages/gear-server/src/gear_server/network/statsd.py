"""Collects metrics in memory and sends them to a statsd server periodically."""

import contextlib
import socket
from collections.abc import Iterable, Iterator
from typing import Final

from gear_server.settings import ServerSettings
from gear_wire.errors import ConfigurationError
from gear_wire.link.tls import describe

INTERVAL: Final = 1.0
"""Seconds between reports."""
DATAGRAM_SIZE: Final = 1432
"""Payload of a UDP datagram that fits into one Ethernet frame, with room for tunnels."""
SAMPLES: Final = 16
"""At least this many timings per key are sent in each report; all, if there are fewer."""


class _Timings:
    """Evenly spaced samples of the timings of one key."""

    __slots__ = ("count", "samples", "stride")

    def __init__(self) -> None:
        self.count = 0
        self.stride = 1
        self.samples: list[float] = []

    def add(self, milliseconds: float) -> None:
        if not self.count % self.stride:
            if len(self.samples) == 2 * SAMPLES:
                del self.samples[1::2]
                self.stride *= 2
            self.samples.append(milliseconds)
        self.count += 1


class Statsd:
    """A statsd client over UDP.

    Args:
        host: The statsd server.
        port: Its port.
        prefix: Prefix of all keys; None for nothing.

    Raises:
        ConfigurationError: The host has no address.
    """

    def __init__(self, host: str, port: int, prefix: str | None) -> None:
        try:
            addresses = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
        except (OSError, UnicodeError) as error:
            reason = describe(error)
            raise ConfigurationError(f"cannot find the statsd server {host}: {reason}") from error
        family, kind, protocol, _, address = addresses[0]
        self._socket = socket.socket(family, kind, protocol)
        self._socket.setblocking(False)
        self._address = address
        self._prefix = f"{prefix}." if prefix else ""
        self._gauges: dict[str, int] = {}
        self._sent_gauges: dict[str, int] = {}
        self._counters: dict[str, int] = {}
        self._timings: dict[str, _Timings] = {}

    def gauge(self, key: str, value: int) -> None:
        """Set a gauge; it is sent if its value has changed."""
        self._gauges[key] = value

    def incr(self, key: str, by: int = 1) -> None:
        """Increment a counter."""
        self._counters[key] = self._counters.get(key, 0) + by

    def timing(self, key: str, milliseconds: float) -> None:
        """Record how long something took."""
        timings = self._timings.get(key)
        if timings is None:
            timings = self._timings[key] = _Timings()
        timings.add(milliseconds)

    def flush(self) -> None:
        """Send what was collected since the last report; errors are ignored."""
        self.send(self._lines())
        self._sent_gauges = dict(self._gauges)
        self._counters.clear()
        self._timings.clear()

    def send(self, lines: Iterable[str]) -> None:
        """Send lines, each of which gets the prefix; errors are ignored."""
        datagram = b""
        for line in lines:
            data = f"{self._prefix}{line}".encode()
            if datagram and len(datagram) + 1 + len(data) > DATAGRAM_SIZE:
                self._send(datagram)
                datagram = b""
            datagram = datagram + b"\n" + data if datagram else data
        if datagram:
            self._send(datagram)

    def _lines(self) -> Iterator[str]:
        for key, value in self._gauges.items():
            if self._sent_gauges.get(key) != value:
                yield f"{key}:{value}|g"
        for key, value in self._counters.items():
            yield f"{key}:{value}|c"
        for key, timings in self._timings.items():
            # With the rate, the statsd server scales the number of samples back up.
            rate = f"|@{len(timings.samples) / timings.count:.6g}" if timings.stride > 1 else ""
            for milliseconds in timings.samples:
                yield f"{key}:{milliseconds:.3f}|ms{rate}"

    def _send(self, datagram: bytes) -> None:
        with contextlib.suppress(OSError):
            self._socket.sendto(datagram, self._address)

    def fileno(self) -> int:
        """Return the descriptor of the socket."""
        return self._socket.fileno()

    def close(self) -> None:
        """Send a last report, and close the socket."""
        self.flush()
        self._socket.close()


def open_statsd(settings: ServerSettings) -> Statsd | None:
    """Return a client for the statsd server of the settings; None if they name none.

    Raises:
        ConfigurationError: The host has no address.
    """
    if settings.statsd_host is None:
        return None
    return Statsd(settings.statsd_host, settings.statsd_port, settings.statsd_prefix)
