"""The log of jobs: who submits them, who gets them, how they end; off, but for some functions."""

import logging
from collections.abc import Iterable, Iterator
from typing import Final, Literal

from gear_server.engine.chores import SLICE
from gear_server.engine.state import Function, Peer, ServerJob
from gear_wire.framing import Frame

LOGGER: Final = "gear.Server.jobs"
MOST_PATTERNS: Final = 100
"""Patterns that text commands may leave: each new function is compared with all of them."""
EVERYTHING: Final = b"*"
_DIGITS: Final = 6

Outcome = Literal[
    "completed", "failed", "exception", "cancelled", "abandoned", "exhausted", "stopped", "moved"
]
"""How a job ends: as its worker says, or because nobody waits for it any more, no attempts are
left, the server stops, or another server has it."""


def covers(pattern: bytes, name: bytes) -> bool:
    """Return whether a pattern matches a name, or whatever another pattern does."""
    if pattern.endswith(EVERYTHING):
        return name.startswith(pattern[:-1])
    return pattern == name


class JobLog:
    """Logs the jobs of functions that are `Function.logged`, and says which are.

    A pattern is a name, or the beginning of names with a ``*``. Of those that match, the one that
    was switched last counts. Lines are of the level INFO, which the logger lets through if no other
    level is set for it, whatever that of the server is.

    Args:
        patterns: What is logged from the start, separated by blanks.
    """

    def __init__(self, patterns: str | None = None) -> None:
        self._log = logging.getLogger(LOGGER)
        names = (patterns or "").encode(errors="surrogateescape").split()
        self._patterns: dict[bytes, bool] = dict.fromkeys(names, True)
        self._let_through()

    # Which functions are logged

    def logs(self, name: bytes) -> bool:
        """Return whether the jobs of a function are logged."""
        for pattern, on in reversed(self._patterns.items()):
            if covers(pattern, name):
                return on
        return False

    def switch(self, pattern: bytes, on: bool) -> bool:
        """Switch the log of the functions that a pattern matches, as far as they are yet to come.

        Those that are there need `review`.

        Returns:
            Whether there was room for the pattern.
        """
        patterns = self._patterns.items()
        left = {known: value for known, value in patterns if not covers(pattern, known)}
        if on or any(covers(wider, pattern) for wider in left):
            if len(left) >= MOST_PATTERNS:
                return False
            left[pattern] = on
        self._patterns = left
        self._let_through()
        return True

    def _let_through(self) -> None:
        if self._patterns and self._log.level == logging.NOTSET:
            self._log.setLevel(logging.INFO)

    def review(self, functions: Iterable[Function]) -> Iterator[None]:
        """Look which of some functions are logged, in slices."""
        for looked, function in enumerate(functions, 1):
            function.logged = self.logs(function.name)
            if looked % SLICE == 0:
                yield

    # A job's life

    def submitted(self, peer: Peer, job: ServerJob) -> None:
        """Log that a job was accepted."""
        self._log.info(
            "Submitted %r: precedence %s, background %s, %d bytes, by %r",
            job, job.precedence.name.lower(), job.background, len(job.arguments), peer,
        )  # fmt: skip

    def joined(self, peer: Peer, job: ServerJob, background: bool) -> None:
        """Log that a submission joined a job."""
        self._log.info("Joined %r: background %s, by %r", job, background, peer)

    def assigned(self, peer: Peer, job: ServerJob, now: float) -> None:
        """Log that a worker is given a job."""
        self._log.info(
            "Assigned %r: waited %s s, to %r", job, round(now - job.queued_at, _DIGITS), peer
        )

    def ended(self, job: ServerJob, outcome: Outcome, report: Frame | None, now: float) -> None:
        """Log how a job ends, just before its worker and its clients are forgotten.

        Args:
            job: The job.
            outcome: How.
            report: The packet with which its worker ends it.
            now: The time.
        """
        since = now if job.holder is None else job.started_at
        result = 0 if report is None else max(0, len(report.body) - len(job.handle) - 1)
        self._log.info(
            "Ended %r: %s, precedence %s, background %s, %d bytes, result %d bytes, waited %s s, "
            "ran %s s, client %r, worker %r",
            job, outcome, job.precedence.name.lower(), job.background, len(job.arguments), result,
            round(since - job.queued_at, _DIGITS), round(now - since, _DIGITS),
            job.client_connection, job.holder,
        )  # fmt: skip
