"""Counts connections, in all and per address, and decides which are let in."""

import logging
import time
from typing import Final

from gear_server.engine.counters import Counters
from gear_server.network.descriptors import descriptor_limit
from gear_server.settings import ServerSettings
from gear_wire.loglimit import LogLimit

_SHARE: Final = 3, 4
"""The part of all connections that one address may have, unless it is set: others find room."""


def _is_local(host: str) -> bool:
    # A socket of systemd's may take IPv4 as IPv6.
    return host.startswith(("127.", "::ffff:127.")) or host == "::1"


class Admission:
    """One connection that was let in, from before its TLS handshake until it is closed.

    Attributes:
        host: Its address.
        port: Its port.
    """

    __slots__ = ("_doors", "host", "port")

    def __init__(self, doors: "Doors", host: str, port: int) -> None:
        self._doors: Doors | None = doors
        self.host: str = host
        self.port: int = port

    def leave(self) -> None:
        """Stop counting it; no effect if that was done before."""
        doors, self._doors = self._doors, None
        if doors is not None:
            doors.leave(self.host)


class Doors:
    """Lets connections in, as long as there are not too many.

    One address may have as many as `max_connections_per_address` says. Unless that is set, it may
    have three quarters of those that the settings and the process's limit of open files allow, so
    that no single machine shuts out all others. This machine itself is exempt then: its programs,
    or all clients of a proxy that runs on it, cannot be told apart by address.

    Args:
        settings: The limits.
        counters: Where refusals are counted.
        log: Logs refusals.
    """

    def __init__(self, settings: ServerSettings, counters: Counters, log: logging.Logger) -> None:
        self._most = settings.max_connections
        self._most_per_address = settings.max_connections_per_address
        part, whole = _SHARE
        most = min(self._most, descriptor_limit() or self._most)
        self._share = max(1, most * part // whole)
        self._counters = counters
        self._refusals = LogLimit(log, "Refused connections")
        self._by_host: dict[str, int] = {}
        self.open: int = 0

    def admit(self, host: str, port: int) -> Admission | None:
        """Let a connection in, or return None: it is to be closed at once."""
        mine = self._by_host.get(host, 0)
        if self.open >= self._most:
            self._refuse(
                "Refused connection from %s port %s: %d connections are open: max_connections",
                host, port, self.open,
            )  # fmt: skip
        elif mine >= (self._most_per_address or self._share) and (
            self._most_per_address or not _is_local(host)
        ):
            self._refuse(
                "Refused connection from %s port %s: it has %d connections: "
                "max_connections_per_address",
                host, port, mine,
            )  # fmt: skip
        else:
            self._by_host[host] = mine + 1
            self.open += 1
            return Admission(self, host, port)
        return None

    def _refuse(self, message: str, host: str, port: int, number: int) -> None:
        self._counters.connections_refused += 1
        self._refusals.log(time.monotonic(), logging.WARNING, message, host, port, number)

    def leave(self, host: str) -> None:
        """Stop counting a connection; called by its `Admission`."""
        self.open -= 1
        left = self._by_host[host] - 1
        if left:
            self._by_host[host] = left
        else:
            del self._by_host[host]

    def close(self) -> None:
        """Log how many refusals were not logged."""
        self._refusals.finish()
