"""The job of a typed call: it keeps result, news and warnings apart; both faces have it."""

import collections
from typing import Final, TypeVar

from gear_client.jobs import Job
from gear_client.outcome import Outcome
from gear_wire.errors import JobFailedError
from gear_wire.functions import tracing
from gear_wire.functions.failures import decode_failure
from gear_wire.functions.function import AnyFunction, Function
from gear_wire.packets import BasePacket, WorkData, WorkStatus, WorkWarning

Result = TypeVar("Result")
SUBMIT_TIMEOUT: Final = 30.0
"""Seconds that a server may take to accept a call, unless the call's own time is shorter."""
Update = WorkStatus | WorkWarning | WorkData
"""What a worker tells of a job before its end."""

_MANY: Final = 1024
"""Updates that are kept for whoever has not taken them; above, the oldest are left out."""


class CallJob(Job):
    """The job of a typed call.

    A plain job has its warnings among its data, as in 0.16. The result of a function is decoded,
    so here the warnings are apart.

    Args:
        function: The function to run, with its options for calls.
        arguments: The payload.

    Attributes:
        last: The data of the WORK_COMPLETE.
        warnings: The data of each WORK_WARNING.
        updates: What came that nobody has taken yet.
        sent: The span of its submission.
    """

    def __init__(self, function: AnyFunction, arguments: bytes) -> None:
        self._streams = function.kind == "stream"
        self.sent: tracing.Span = tracing.NOTHING
        super().__init__(function.name, arguments, function.call_options.unique)

    def _reset(self) -> None:
        super()._reset()
        self.last: bytes = b""
        self.warnings: list[bytes] = []
        self.updates: collections.deque[Update] = collections.deque(maxlen=_MANY)

    def _copied_attributes(self) -> dict[str, object]:
        own = {
            "warnings": [*self.warnings],
            "updates": self.updates.copy(),
            "sent": tracing.NOTHING,
        }
        return {**super()._copied_attributes(), **own}

    def _kept(self) -> list[bytes]:
        return [*super()._kept(), *self.warnings]

    def _receive_data(self, packet: WorkData | WorkWarning) -> None:
        if isinstance(packet, WorkData):
            super()._receive_data(packet)
        elif self._admit(packet.payload):
            self.warning = True
            self.warnings.append(packet.payload)
            self._tell(packet)

    def _tell(self, update: BasePacket | None) -> None:
        # The items of a stream are no news.
        kinds = (WorkStatus, WorkWarning) if self._streams else (WorkStatus, WorkWarning, WorkData)
        if isinstance(update, kinds):
            self.updates.append(update)
        # An AsyncJob seeks the warnings that it is told of among its data.
        super()._tell(None if isinstance(update, WorkWarning) else update)

    def _end(self, outcome: Outcome, payload: bytes = b"") -> None:
        if not self.complete:
            self.last = payload
        super()._end(outcome, payload)


def result_of(job: CallJob, function: Function[..., object, Result]) -> Result:
    """Return the result of a job that has ended.

    Args:
        job: The job.
        function: The function that it called.

    Raises:
        JobFailedError: The job failed, see `failure_of`.
        InvalidDataError: What the worker sent is no result of the function.
    """
    failure = failure_of(job, function)
    if failure is not None:
        raise failure
    return function.decode_parts(job.data, job.last)


def failure_of(job: CallJob, function: AnyFunction) -> Exception | None:
    """Return what to raise for a job that failed; None for others.

    It is a RemoteError, or an exception that the function declares, for what the function raised;
    a JobFailedError where nothing is known but that it failed.
    """
    if not job.failure:
        return None
    if job.exception is None:
        return JobFailedError(f"{job._title} {job._reason}")
    return decode_failure(job.exception, function.name, function.options.raises)
