"""The worker's view of a job: what to do, and the packets that tell of it."""

from collections.abc import Callable

from gear_wire.errors import ConnectionError, InvalidDataError
from gear_wire.jobs import BaseJob, to_payload
from gear_wire.packets import (
    BasePacket,
    WorkComplete,
    WorkData,
    WorkException,
    WorkFail,
    WorkStatus,
    WorkWarning,
)
from gear_wire.types import FunctionName, Handle

Sender = Callable[[BasePacket], None]


class AssignedJob(BaseJob):
    """What the jobs of both faces share: an assignment, and the packets that tell of it.

    Args:
        handle: The job handle.
        name: The function to run.
        arguments: The data for it.
        unique: The job's unique; None when it has none.

    Attributes:
        reducer: The function that combines the job's parts; None when there is none. Known only to
            workers that ask with GRAB_JOB_ALL.
    """

    def __init__(
        self,
        handle: bytes | None,
        name: str | bytes,
        arguments: str | bytes,
        unique: str | bytes | None = None,
    ) -> None:
        super().__init__(name, arguments, unique, handle)
        self.reducer: FunctionName | None = None

    @property
    def _handle(self) -> Handle:
        return Handle(self.handle or b"")

    def _data(self, data: str | bytes) -> WorkData:
        return WorkData(self._handle, to_payload(data))

    def _warning(self, data: str | bytes) -> WorkWarning:
        return WorkWarning(self._handle, to_payload(data))

    def _status(self, numerator: float, denominator: float) -> WorkStatus:
        return WorkStatus(
            self._handle, _digits(numerator, "numerator"), _digits(denominator, "denominator")
        )

    def _complete(self, data: str | bytes) -> WorkComplete:
        return WorkComplete(self._handle, to_payload(data))

    def _fail(self) -> WorkFail:
        return WorkFail(self._handle)

    def _exception(self, data: str | bytes) -> WorkException:
        return WorkException(self._handle, to_payload(data))


def _digits(number: object, what: str) -> bytes:
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
    """

    _sender: Sender | None = None

    def _send(self, packet: BasePacket) -> None:
        if self._sender is None:
            raise ConnectionError(f"{self!r} came over no connection")
        self._sender(packet)

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
