"""Limits how many lines a peer can have written to the log; pure, without a clock."""

import logging
from typing import Final

LINES: Final = 10
"""How many lines about one subject are written in one interval."""
INTERVAL: Final = 10.0
"""Seconds of an interval."""


class LogLimit:
    """Writes the first few log lines about one subject in each interval, and counts the others.

    Whoever can have a line written by sending a few bytes could fill a disk with them. So each
    kind of line that a peer can cause has a limit, one for all peers: a thousand connections have
    no more lines than one. How many were left out is told in one line, with the first line after
    the interval, or by `finish`::

        self._refusals = LogLimit(log, "Refused connections")
        ...
        self._refusals.log(now, logging.WARNING, "Refused %s: %s", address, reason)

    A line of a level that is not logged costs one look and counts for nothing. Threads need no
    lock: if they race, a few lines too many or too few are written or counted.

    Args:
        logger: Where the lines go.
        subject: What they are about, as in "Refused connections: 12 more, not logged".
        lines: How many are written in one interval.
        interval: Seconds of an interval; it begins with the first line.

    Attributes:
        logger: As given; may be set anew.
    """

    def __init__(
        self, logger: logging.Logger, subject: str, lines: int = LINES, interval: float = INTERVAL
    ) -> None:
        self.logger: logging.Logger = logger
        self._subject = subject
        self._lines = lines
        self._interval = interval
        self._end = float("-inf")
        self._written = 0
        self._left_out = 0
        self._level = logging.NOTSET

    def log(
        self,
        now: float,
        level: int,
        message: str,
        *arguments: object,
        exc_info: BaseException | None = None,
    ) -> None:
        """Write a line, unless there were too many just before.

        Args:
            now: Seconds on any clock that never goes back.
            level: The line's level.
            message: Its text, with place holders as `logging` has them.
            arguments: What is put in for the place holders.
            exc_info: An exception to be written with it.
        """
        if not self.logger.isEnabledFor(level):
            return
        if now >= self._end:
            self.finish()
            self._end = now + self._interval
            self._written = 0
        if self._written < self._lines:
            self._written += 1
            self.logger.log(level, message, *arguments, exc_info=exc_info)
        else:
            self._left_out += 1
            self._level = max(self._level, level)

    def finish(self) -> None:
        """Tell how many lines were left out, if any were; as when a connection ends."""
        left_out, self._left_out = self._left_out, 0
        level, self._level = self._level, logging.NOTSET
        if left_out:
            self.logger.log(level, "%s: %d more, not logged", self._subject, left_out)
