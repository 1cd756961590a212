"""What a client logs of the packets that servers send, on threads and on asyncio."""

import logging
import time
from collections.abc import Iterable

from gear_wire.errors import UnknownJobError
from gear_wire.escape import escaped
from gear_wire.loglimit import LogLimit


class Complaints:
    """Logs what a server can cause, at a limited rate for each subject."""

    def __init__(self) -> None:
        self._limits: dict[str, LogLimit] = {}

    def note_error(self, log: logging.Logger, server: object, parts: Iterable[bytes]) -> None:
        """Log an ERROR.

        Args:
            log: The client's logger; programs may assign another at any time.
            server: The connection over which it came.
            parts: Its code and its text.
        """
        error = ": ".join(map(escaped, parts))
        self._log(log, "Errors from servers", "Server %r: %s", server, error)

    def note_exception(self, log: logging.Logger, error: BaseException, packet: object) -> None:
        """Log an exception that was raised while a packet was handled.

        Args:
            log: The client's logger.
            error: What was raised.
            packet: The packet, or what to call it.
        """
        if isinstance(error, UnknownJobError):
            # No fault of the server's: gearmand still tells of jobs that are cancelled.
            self._log(log, "Packets about unknown jobs", "%s", error)
            return
        self._log(
            log, "Exceptions in handlers", "Exception while handling %s", packet, exc_info=error
        )

    def _log(
        self,
        log: logging.Logger,
        subject: str,
        message: str,
        *arguments: object,
        exc_info: BaseException | None = None,
    ) -> None:
        limit = self._limits.get(subject)
        if limit is None or limit.logger is not log:
            limit = self._limits[subject] = LogLimit(log, subject)
        limit.log(time.monotonic(), logging.ERROR, message, *arguments, exc_info=exc_info)

    def finish(self) -> None:
        """Tell how many lines were left out so far."""
        for limit in list(self._limits.values()):
            limit.finish()
