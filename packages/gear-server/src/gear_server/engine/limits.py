"""The limits on what peers may leave with a server, and the log of what was refused."""

import logging
from typing import Final

import msgspec

from gear_server.engine.counters import Counters
from gear_server.engine.names import Refusal
from gear_server.engine.state import Peer
from gear_server.settings import ServerSettings
from gear_wire.loglimit import LogLimit

JOB_SIZE: Final = 392
"""Bytes of a queued job without its arguments and its unique."""
CLIENT_SIZE: Final = 300
"""Bytes more for each client that waits for a job."""
TIMER_SIZE: Final = 650
"""Bytes more of a job for later, or of a running job with a time limit."""


class Limit(msgspec.Struct, frozen=True):
    """A limit, and what is said when it is exceeded.

    Attributes:
        counter: The counter of what was refused because of it.
        subject: What was refused, for the log.
        refusal: What the peer is told.
    """

    counter: str
    subject: str
    refusal: Refusal


def _queue_error(text: bytes) -> Refusal:
    return Refusal(b"QUEUE_ERROR", text)


def _too_many(text: bytes) -> Refusal:
    return Refusal(b"TOO_MANY_FUNCTIONS", text)


JOBS: Final = Limit(
    "over_max_jobs", "Submissions over --max-jobs", _queue_error(b"Server has too many jobs")
)
MEMORY: Final = Limit(
    "over_max_memory",
    "Submissions over --max-memory",
    _queue_error(b"Server has no memory for more jobs"),
)
QUEUE: Final = Limit(
    "over_max_queue",
    "Submissions over --max-queue or maxqueue",
    _queue_error(b"Job queue is full"),
)
NEW_FUNCTION: Final = Limit(
    "over_max_functions",
    "Submissions over --max-functions",
    _queue_error(b"Server has too many functions"),
)
FUNCTIONS: Final = Limit(
    "over_max_functions",
    "Functions over --max-functions",
    _too_many(b"Server has too many functions"),
)
PER_WORKER: Final = Limit(
    "over_max_functions_per_worker",
    "Functions over --max-functions-per-worker",
    _too_many(b"Worker has too many functions"),
)
REGISTRATIONS: Final = Limit(
    "over_max_registrations",
    "Functions over --max-registrations",
    _too_many(b"All workers together have too many functions"),
)
NOT_STORED: Final = Limit(
    "refused", "Background jobs that cannot be stored", _queue_error(b"Job cannot be stored")
)
TOO_MUCH_UNWRITTEN: Final = Limit(
    "refused",
    "Background jobs while too many wait to be stored",
    _queue_error(b"Too many jobs are waiting to be stored"),
)


class Limits:
    """What jobs take of the memory, and how much they may.

    Args:
        settings: The settings of the server.
        counters: Counts what was refused.
        log: The logger of the server.

    Attributes:
        used: Bytes that all jobs take, with their arguments, uniques, clients and timers.
        memory: How much that may be.
        jobs: How many jobs there may be.
        per_worker: How many functions one worker may register.
        registrations: How many functions all workers together may, each counting its own.
    """

    def __init__(self, settings: ServerSettings, counters: Counters, log: logging.Logger) -> None:
        self.used: int = 0
        self.memory: int = settings.max_memory
        self.jobs: int = settings.max_jobs
        self.per_worker: int = settings.max_functions_per_worker
        self.registrations: int = settings.max_registrations
        self._counters = counters
        self._log = log
        self._logs: dict[Limit, LogLimit] = {}

    def note(self, limit: Limit, peer: Peer, now: float) -> None:
        """Count and log that something was refused; the log has one line of a kind at a time."""
        setattr(self._counters, limit.counter, getattr(self._counters, limit.counter) + 1)
        lines = self._logs.get(limit)
        if lines is None:
            lines = self._logs[limit] = LogLimit(self._log, limit.subject, lines=1)
        lines.log(now, logging.WARNING, "%s: refused one of %r", limit.subject, peer)
