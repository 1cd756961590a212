"""The worker's view of a job: what to do, and the packets that tell of it."""

import logging
import traceback
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self, cast

from gear_wire.codec import to_frame
from gear_wire.errors import ConnectionError, DisconnectError, InvalidDataError
from gear_wire.jobs import BaseJob, to_payload
from gear_wire.packet import Packet, PacketConnection
from gear_wire.packets import (
    BasePacket,
    JobAssign,
    JobAssignAll,
    JobAssignUnique,
    WorkComplete,
    WorkData,
    WorkException,
    WorkFail,
    WorkStatus,
    WorkWarning,
)
from gear_wire.types import FunctionName, Handle

Assigned = JobAssign | JobAssignUnique | JobAssignAll
Sender = Callable[[BasePacket], None]
ENDINGS: Final = (WorkComplete, WorkFail, WorkException)
"""The reports that end a job."""


class AssignedJob(BaseJob):
    """What the jobs of both faces share: an assignment, and the packets that tell of it.

    A copy of a job, also one that was pickled, is a value: it came over no connection, and what it
    would report is refused.

    Args:
        handle: The job handle.
        name: The function to run.
        arguments: The data for it.
        unique: The job's unique; None when it has none.

    Attributes:
        reducer: The function that combines the job's parts; None when there is none. Known only to
            workers that ask with GRAB_JOB_ALL.
    """

    _ended = False
    _log = logging.getLogger("gear.Worker")

    def __init__(
        self,
        handle: bytes | None,
        name: str | bytes,
        arguments: str | bytes,
        unique: str | bytes | None = None,
    ) -> None:
        super().__init__(name, arguments, unique, handle)
        self.reducer: FunctionName | None = None

    @classmethod
    def from_packet(cls, packet: Assigned) -> Self:
        """Return the job that a packet assigns."""
        unique = None if isinstance(packet, JobAssign) else packet.unique or None
        job = cls(packet.handle, packet.function, packet.payload, unique)
        if isinstance(packet, JobAssignAll):
            job.reducer = packet.reducer or None
        return job

    def _copied_attributes(self) -> dict[str, object]:
        # All but the way to the server: a copy must not end what another one works on.
        attributes = super()._copied_attributes()
        for name in ("_sender", "_link", "_session", "_log"):
            attributes.pop(name, None)
        return attributes

    def _reported(self, packet: BasePacket) -> None:
        if isinstance(packet, ENDINGS):
            self._ended = True

    def _unreported(self, error: BaseException | None) -> list[BasePacket]:
        """Return what is left to report at the end of the job's block, and log why.

        gearmand and geard end a job with WORK_EXCEPTION; Perl's server waits for the WORK_FAIL.

        Args:
            error: What was raised in the block.
        """
        if error is None:
            if self._ended:
                return []
            self._log.error("Nothing was reported of %r: it failed", self)
            return [self._fail()]
        if isinstance(error, Exception):
            self._log.error("Exception in %r", self, exc_info=error)
        else:
            self._log.warning("%r was interrupted by %s", self, type(error).__name__)
        if self._ended:
            return []
        text = "".join(traceback.format_exception_only(error)).strip()
        return [self._exception(text.encode(errors="backslashreplace")), self._fail()]

    def _not_reported(self, reason: Exception) -> None:
        self._log.warning("The end of %r was not reported: %s", self, reason)

    @property
    def _handle(self) -> Handle:
        return Handle(self.handle or b"")

    def _data(self, data: str | bytes) -> WorkData:
        return WorkData(self._handle, to_payload(data))

    def _warning(self, data: str | bytes) -> WorkWarning:
        return WorkWarning(self._handle, to_payload(data))

    def _status(self, numerator: float, denominator: float) -> WorkStatus:
        return WorkStatus(
            self._handle, to_digits(numerator, "numerator"), to_digits(denominator, "denominator")
        )

    def _complete(self, data: str | bytes) -> WorkComplete:
        return WorkComplete(self._handle, to_payload(data))

    def _fail(self) -> WorkFail:
        return WorkFail(self._handle)

    def _exception(self, data: str | bytes) -> WorkException:
        return WorkException(self._handle, to_payload(data))


def to_digits(number: object, what: str) -> bytes:
    """Return a number as it is sent: as it is written, whatever its class."""
    text = number.decode(errors="replace") if isinstance(number, bytes) else str(number)
    try:
        float(text)
    except ValueError:
        error = InvalidDataError if isinstance(number, str | bytes) else TypeError
        raise error(f"the {what} of a status is a number, not {number!r}") from None
    return text.encode()


class WorkerJob(AssignedJob):
    """A job that was assigned to this worker; its methods may be called from any thread.

    Each raises a ConnectionError when the connection over which the job came is gone: the server
    has taken the job back.

    As a context manager it sees to it that the job ends with the block::

        while True:
            with worker.getJob() as job:
                job.sendWorkComplete(work(job.arguments))

    An exception that leaves the block is logged, and reported with WORK_EXCEPTION and WORK_FAIL
    unless the job has ended; the loop goes on. KeyboardInterrupt, SystemExit and the like are
    reported and go on their way. A block that ends without having ended its job fails it.
    """

    _sender: Sender | None = None

    def attach(self, connection: object, sender: Sender, log: logging.Logger) -> None:
        """Say how to report to the server; for the worker that the job was assigned to.

        Args:
            connection: The connection over which the job came.
            sender: What sends a packet over it.
            log: The worker's logger.
        """
        self.connection: object | None = connection
        self._sender = sender
        self._log = log

    def __enter__(self) -> Self:
        """Return the job itself; leaving the block ends it."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        """Report what was raised, unless the job has ended; True for an Exception."""
        try:
            for packet in self._unreported(error):
                self._send(packet)
        except ConnectionError as reason:
            self._not_reported(reason)
        return isinstance(error, Exception)

    def _send(self, packet: BasePacket) -> None:
        if self._sender is not None:
            self._sender(packet)
        elif self.connection is not None:
            # Made by a program, which had it sent over the connection that it gave the job.
            frame = to_frame(packet)
            cast(PacketConnection, self.connection).sendPacket(Packet.from_frame(frame))
        else:
            raise DisconnectError(f"{self!r} came over no connection")
        self._reported(packet)

    def sendWorkData(self, data: str | bytes = b"") -> None:
        """Send a part of the result, or news, to the client: WORK_DATA."""
        self._send(self._data(data))

    def sendWorkWarning(self, data: str | bytes = b"") -> None:
        """Send a warning to the client: WORK_WARNING."""
        self._send(self._warning(data))

    def sendWorkStatus(self, numerator: float, denominator: float) -> None:
        """Tell client and server how far the job has come: WORK_STATUS."""
        self._send(self._status(numerator, denominator))

    def sendWorkComplete(self, data: str | bytes = b"") -> None:
        """End the job well, with the result or the last part of it: WORK_COMPLETE."""
        self._send(self._complete(data))

    def sendWorkFail(self) -> None:
        """End the job without a result: WORK_FAIL."""
        self._send(self._fail())

    def sendWorkException(self, data: str | bytes = b"") -> None:
        """End the job with an exception described by `data`: WORK_EXCEPTION."""
        self._send(self._exception(data))


class BinaryWorkerJob(WorkerJob):
    """A worker's job whose name is bytes."""

    @property  # type: ignore[override]  # bytes is what this class is for
    def name(self) -> FunctionName:
        """The name of the function, as bytes."""
        return self._name

    @name.setter
    def name(self, name: str | bytes) -> None:
        BaseJob.name.fset(self, name)  # type: ignore[attr-defined]  # mypy sees no fset
