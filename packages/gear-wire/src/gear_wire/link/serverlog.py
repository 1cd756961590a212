"""What is logged of the connection to one server, and why it is not there; for both faces."""

import logging
import time
from collections.abc import Iterable

from gear_wire.link.address import ServerAddress
from gear_wire.loglimit import LogLimit


class ServerLog:
    """Tells of one server once when it cannot be reached, and once when it is back.

    Those are warnings, which a program that set up no logging sees too; attempts between them are
    DEBUG. A connection that is lost and made again at once is INFO, unless the server broke the
    protocol: that is an error. A server that does so again and again has a limited number of lines.

    Args:
        log: The logger of the client.
        server: The server.

    Attributes:
        server: The server.
        reason: Why it is not connected, as far as it is known; empty while it is.
    """

    def __init__(self, log: logging.Logger, server: ServerAddress) -> None:
        self._log = log
        self._limit = LogLimit(log, f"Connections to {server} that came or went")
        self._failures = 0
        self.server: ServerAddress = server
        self.reason: str = ""

    def failed(self, reason: str) -> None:
        """Log that an attempt to connect failed.

        Args:
            reason: Why.
        """
        self.reason = reason
        self._failures += 1
        if self._failures == 1:
            self._log.warning("Cannot connect to %s: %s; retrying", self.server, reason)
        else:
            self._log.debug(
                "Cannot connect to %s: %s (attempt %d)", self.server, reason, self._failures
            )

    def connected(self) -> None:
        """Log that the server is connected."""
        failures, self._failures, self.reason = self._failures, 0, ""
        if failures:
            self._log.warning("Connected to %s after %d failed attempts", self.server, failures)
        else:
            self._write(logging.INFO, "Connected to %s", self.server)

    def lost(self, reason: str, wrong: bool = False) -> None:
        """Log that the connection was lost.

        Args:
            reason: Why.
            wrong: Whether it was ended because the server sent something wrong.
        """
        self.reason = reason
        if wrong:
            self._write(logging.ERROR, "Left %s because of what it sent: %s", self.server, reason)
        else:
            self._write(logging.INFO, "Lost the connection to %s: %s", self.server, reason)

    def _write(self, level: int, message: str, *arguments: object) -> None:
        self._limit.log(time.monotonic(), level, message, *arguments)


def why_unconnected(logs: Iterable[ServerLog]) -> str:
    """Return why none of some servers is connected, each with its last reason."""
    reasons = [f"{log.server}: {log.reason or 'no answer yet'}" for log in logs]
    return "; ".join(reasons) or "no server was added"
