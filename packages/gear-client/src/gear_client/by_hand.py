"""Packets that programs hand to a client's handlers themselves, as their tests do."""

from typing import Final, Protocol

from gear_client.changes import CHANGES
from gear_client.jobs import Job
from gear_wire.packet import Packet, read_as
from gear_wire.packets import BasePacket, WorkComplete, WorkException, WorkFail

_GET_JOB: Final = Packet.getJob
_ENDS: Final = (WorkComplete, WorkException, WorkFail)


class HandMade(Protocol):
    """What the handlers of a client need of a packet that programs make themselves."""

    @property
    def connection(self) -> object:
        """Where it came from."""

    def getJob(self) -> object:
        """Return the job that it is about."""

    def getArgument(self, index: int, last: bool = False) -> bytes:
        """Return one argument."""


def names_its_job(packet: HandMade) -> bool:
    """Tell whether `getJob` was replaced by something that knows the job."""
    return getattr(packet.getJob, "__func__", None) is not _GET_JOB


def apply_by_hand(packet: HandMade, kind: type[BasePacket]) -> Job:
    """Apply a packet to the job that its `getJob` returns, as 0.16 did with all packets.

    Args:
        packet: The packet, or something with its methods.
        kind: What it is.

    Returns:
        The job.

    Raises:
        UnknownJobError: It came over no connection, or over one that knows no such job.
        TypeError: What it returns is no job of a client.
    """
    job = packet.getJob()
    if not isinstance(job, Job):
        raise TypeError(f"{packet!r} is about {job!r}, which is no gear.Job")
    CHANGES[kind](job, packet.decoded if isinstance(packet, Packet) else read_as(packet, kind))
    if issubclass(kind, _ENDS):
        jobs: object = getattr(packet.connection, "related_jobs", None)
        if isinstance(jobs, dict):
            jobs.pop(job.handle, None)
    return job
