"""What each packet changes of the job that it is about; which job that is, is in `session`."""

from collections.abc import Callable
from typing import Final

from gear_client.jobs import Job
from gear_client.outcome import COMPLETED, FAILED, Outcome
from gear_wire.packets import (
    BasePacket,
    StatusRes,
    WorkComplete,
    WorkData,
    WorkException,
    WorkFail,
    WorkStatus,
    WorkWarning,
)


def _complete(job: Job, packet: WorkComplete) -> None:
    job._end(COMPLETED, packet.payload)


def _fail(job: Job, packet: WorkFail) -> None:
    job._end(FAILED)


def _fail_with_exception(job: Job, packet: WorkException) -> None:
    job._end(Outcome.raised(packet.payload))


def _receive_data(job: Job, packet: WorkData | WorkWarning) -> None:
    job._receive_data(packet)


CHANGES: Final[dict[type[BasePacket], Callable[..., None]]] = {
    WorkComplete: _complete,
    WorkFail: _fail,
    WorkException: _fail_with_exception,
    WorkData: _receive_data,
    WorkWarning: _receive_data,
    WorkStatus: Job._receive_progress,
    StatusRes: Job._receive_state,
}
