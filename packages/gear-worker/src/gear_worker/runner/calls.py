"""`Call`: a job that a runner has taken, and what became of a try of it."""

import random
import time
import traceback
from typing import Final, Protocol

import msgspec

from gear_wire.functions.current import CurrentJob, Reports
from gear_wire.functions.execution import Outcome
from gear_wire.functions.failures import encode_failure, timed_out
from gear_wire.functions.function import AnyFunction
from gear_wire.packets import BasePacket, WorkData, WorkStatus, WorkWarning
from gear_wire.types import Handle
from gear_worker.async_job import AsyncWorkerJob
from gear_worker.jobs import to_digits
from gear_worker.runner.lanes import FunctionLane

QUIET: Final = 64 << 10
"""Bytes that a function may report before it waits until the connection has room for more."""
PER_REPORT: Final = 1 << 10
"""What a report counts for beside its bytes."""


class Ending(msgspec.Struct, frozen=True):
    """How a try ended, as it also travels from a process of the pool.

    Attributes:
        data: The data of WORK_COMPLETE or, if it failed, of WORK_EXCEPTION.
        failed: Whether it failed.
        retry: Seconds until the next try; None if there is none.
        error: What was raised, in a line.
        trace: Where it was raised; empty for exceptions that the function declares.
    """

    data: bytes
    failed: bool = False
    retry: float | None = None
    error: str = ""
    trace: str = ""


def ending_of(function: AnyFunction, outcome: Outcome, attempt: int) -> Ending:
    """Return how a try of a function ended.

    Args:
        function: The function.
        outcome: What came of it.
        attempt: The number of the try, from 1.
    """
    error = outcome.error
    if error is None:
        return Ending(outcome.data)
    retry = outcome.retry_after(function, attempt, random.random())
    expected = outcome.final or isinstance(error, function.options.raises)
    line = "".join(traceback.format_exception_only(error)).strip()
    trace = "" if expected else "".join(traceback.format_exception(error)).strip()
    return Ending(outcome.data, True, retry, line, trace)


def failure(function: AnyFunction, error: Exception, attempt: int, final: bool = False) -> Ending:
    """Return how a try ended that the runner had to end.

    Args:
        function: The function.
        error: What is reported.
        attempt: The number of the try, from 1.
        final: Whether there is no other try.
    """
    data = encode_failure(error, function.options.raises, tracebacks=False)
    retry = None if final else Outcome(data, error).retry_after(function, attempt, random.random())
    return Ending(data, True, retry, f"{type(error).__name__}: {error}")


def too_slow(function: AnyFunction, attempt: int, final: bool = False) -> Ending:
    """Return how a try ended that took longer than the function's timeout."""
    error = timed_out(function.name, function.options.timeout)
    return failure(function, error, attempt, final)


class Call:
    """A job that a runner has taken.

    Args:
        job: The job.
        function: The function that it is for.
        lane: The function's limits; None without any.

    Attributes:
        job: As given.
        function: As given.
        lane: As given.
        attempt: The number of the present try, from 1.
        since: When it was taken, on the monotonic clock.
        occupied: Whether its place is occupied though its end was reported.
    """

    __slots__ = ("attempt", "function", "job", "lane", "occupied", "since")

    def __init__(
        self, job: AsyncWorkerJob, function: AnyFunction, lane: FunctionLane | None
    ) -> None:
        self.job: AsyncWorkerJob = job
        self.function: AnyFunction = function
        self.lane: FunctionLane | None = lane
        self.attempt: int = 1
        self.since: float = time.monotonic()
        self.occupied: bool = False

    def current(self, reports: Reports, state: object) -> CurrentJob:
        """Return the job as its function sees it, for a try that begins now."""
        job = self.job
        timeout = self.function.options.timeout
        return CurrentJob(
            self.function.name, job.handle or b"", job.binary_arguments, reports,
            unique=job.binary_unique, attempt=self.attempt, state=state,
            deadline=None if timeout is None else time.monotonic() + timeout,
            clock=time.monotonic,
        )  # fmt: skip


class Post(Protocol):
    """Takes a report of a running job."""

    def __call__(self, packet: BasePacket, /) -> object:
        """Send it, now or soon."""


class PacketReports:
    """Makes packets of a running job's reports.

    Args:
        handle: The job handle.
        post: Takes them.
    """

    __slots__ = ("_handle", "_post")

    def __init__(self, handle: bytes | None, post: Post) -> None:
        self._handle = Handle(handle or b"")
        self._post = post

    def status(self, numerator: float, denominator: float) -> None:
        """Send WORK_STATUS."""
        top, bottom = to_digits(numerator, "numerator"), to_digits(denominator, "denominator")
        self._post(WorkStatus(self._handle, top, bottom))

    def warning(self, data: bytes) -> None:
        """Send WORK_WARNING."""
        self._post(WorkWarning(self._handle, data))

    def data(self, data: bytes) -> None:
        """Send WORK_DATA."""
        self._post(WorkData(self._handle, data))
