"""The client's view of a job, from its submission to its end; what packets mean is in `changes`."""

import copy
import threading
from collections.abc import Callable, Iterator
from typing import ClassVar, Final, Self, TypeVar

from gear_client.outcome import Outcome
from gear_wire.errors import InvalidDataError, JobFailedError
from gear_wire.escape import escaped
from gear_wire.jobs import BaseJob, to_bytes
from gear_wire.link.deadline import Deadline
from gear_wire.packets import BasePacket, StatusRes, WorkData, WorkStatus, WorkWarning
from gear_wire.types import FunctionName

MAX_DATA_SIZE: Final = 1 << 31
"""Bytes of data that a job may have, unless told otherwise: twice the largest packet."""
_PART_COST: Final = 256
"""Bytes of memory that a part of the data takes beside itself, at the most."""

Observer = Callable[[], None]
Guard = Callable[[str], None]
Link = TypeVar("Link")


class Job(BaseJob):
    """A job to run or run by a server, updated the moment data arrives.

    It is an ordinary open class: subclass it, and hang attributes on it. Submitting a job that has
    ended begins it anew. A copy, or a pickle, is a value: it has all that is known of the job, but
    hears nothing more of it; submitted, it is a job of its own.

    Args:
        name: The function to run; text is sent as UTF-8.
        arguments: The data for it; text is sent as UTF-8.
        unique: A key by which the server coalesces equal jobs; None for none.

    Attributes:
        handle: The job handle as bytes; None before the server gave one.
        connection: The connection to the server that has the job; None before.
        exception: The data of WORK_EXCEPTION; None without one.
        warning: Whether the worker sent a WORK_WARNING.
        complete: Whether the job has ended, well or not.
        failure: Whether it ended without a result: it failed, or its server was lost.
        numerator: How far it has come, as the worker's bytes; None before it said so.
        denominator: Of how much, as the worker's bytes.
        fraction_complete: The quotient of the two; None when there is none.
        known: Whether the server knows the job, by its last STATUS_RES; None before one.
        running: Whether a worker has the job, by its last STATUS_RES; None before one.
        max_data_size: Bytes of memory that the data may take which nobody has taken out; a job
            that is sent more fails. Set it on a class of your own.
    """

    max_data_size: ClassVar[int] = MAX_DATA_SIZE
    data_type: type[list[bytes]] = list
    _data: list[bytes]
    _exception: bytes | None
    # Set for each job only when it is submitted, or once it fails.
    _guard: Guard | None = None
    _unanswered: bool = False
    _life: int = 0
    _streamed: int = 0
    _size: int = 0
    _reason: str = "failed"

    def __init__(
        self, name: str | bytes, arguments: str | bytes, unique: str | bytes | None = None
    ) -> None:
        super().__init__(name, arguments, unique)
        self._observers: list[Observer] = []
        self._reset()

    @property
    def data(self) -> list[bytes]:
        """The data that came from the worker, a part a packet, in order."""
        return self._data

    @property
    def binary_data(self) -> Iterator[bytes]:
        """The parts of the data as bytes, as they came."""
        yield from self._data

    @property
    def exception(self) -> bytes | None:
        """The data of WORK_EXCEPTION; None without one."""
        return self._exception

    @exception.setter
    def exception(self, exception: bytes | None) -> None:
        self._exception = exception

    @property
    def _title(self) -> str:
        """The job as people are told of it."""
        name = escaped(self._name)
        return f"{name} ({escaped(self.handle)})" if self.handle else name

    # Waiting

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the job has ended.

        Args:
            timeout: Seconds to wait; None for no limit.

        Returns:
            Whether it has ended.

        Raises:
            GearmanError: Called on the client's poll thread, which would wait for itself.
            InvalidDataError: It is a background job, or a copy: nobody is told of its end.
        """
        return self._wait_until(self._has_ended, Deadline(timeout))

    def result(self, timeout: float | None = None) -> bytes:
        """Wait until the job has ended and return all its data.

        Args:
            timeout: Seconds to wait; None for no limit.

        Raises:
            JobFailedError: The job failed, with the worker's exception if there is one.
            TimeoutError: It has not ended in time.
            GearmanError: Called on the client's poll thread, which would wait for itself.
            InvalidDataError: It is a background job, or a copy: nobody is told of its end.
        """
        deadline = Deadline(timeout)
        if not self._wait_until(self._has_ended, deadline):
            raise deadline.error(f"{self._title} has not ended")
        return self._result()

    def stream(self, timeout: float | None = None) -> Iterator[bytes]:
        """Give the parts of the data as they come, and take each out of `data`.

        So a large result that the worker sends in parts is never there as a whole. What is not
        taken stays in `data`: streaming may be resumed, and `result` returns the rest. One thread
        at a time may stream a job.

        Args:
            timeout: Seconds that it may take in all; None for no limit.

        Yields:
            The data of one packet, never empty.

        Raises:
            JobFailedError: The job failed; after the parts that came before.
            TimeoutError: The job has not ended in time.
            GearmanError: Called on the client's poll thread, which would wait for itself.
            InvalidDataError: It is a background job, or a copy: nobody is told of its data.
        """
        deadline = Deadline(timeout)
        while self._wait_until(self._has_more, deadline):
            if not self._data:
                self._check_failure()
                return
            yield self._pop_part()
        raise deadline.error(f"{self._title} has not ended")

    def _has_ended(self) -> bool:
        return self.complete

    def _has_more(self) -> bool:
        return bool(self._data) or self.complete

    def _wait_until(self, done: Callable[[], bool], deadline: Deadline) -> bool:
        """Wait until something of the job is so; False when the time is up."""
        if done():
            return True
        if self._guard is not None:
            self._guard("waiting for a job")
        changed = threading.Event()

        def observe() -> None:
            if done():
                changed.set()

        self._observers.append(observe)
        try:
            # It may have come true before the observer was there: look again.
            observe()
            return changed.wait(deadline.left())
        finally:
            self._observers.remove(observe)

    def _pop_part(self) -> bytes:
        part = to_bytes(self._data.pop(0), "the data of a job")
        self._streamed += 1
        self._size -= len(part) + _PART_COST
        return part

    def _result(self) -> bytes:
        self._check_failure()
        return b"".join(self.binary_data)

    def _check_failure(self) -> None:
        if self.failure:
            raise JobFailedError(f"{self._title} {self._reason}", self._exception)

    # Its life: what clients and their sessions call

    def _reset(self) -> None:
        """Forget all that is known of the job but what is submitted."""
        self._data = self.data_type()
        self._size = 0
        self._exception = None
        self.warning: bool = False
        self.complete: bool = False
        self.failure: bool = False
        self.numerator: bytes | None = None
        self.denominator: bytes | None = None
        self.fraction_complete: float | None = None
        self.known: bool | None = None
        self.running: bool | None = None

    def _begin(self, connection: object, guard: Guard) -> int:
        """Begin with a submission: a new life, unless the server has the job already.

        Args:
            connection: Where it is submitted.
            guard: Called with the words for what somebody is about to wait for, on which it raises
                if that could never come.

        Returns:
            The number of its life, for `_accept`.
        """
        # Whatever still comes of a submission without an answer is about another life.
        if self.complete or self._unanswered:
            self._life += 1
            self._streamed = 0
            self.handle = None
            self._reset()
        self._unanswered = True
        self._guard = guard
        self.connection: object | None = connection
        return self._life

    def _accept(self, handle: bytes, life: int) -> Self:
        """Note that the server has taken the job.

        Args:
            handle: What the server calls it.
            life: What `_begin` returned.

        Returns:
            The job; a copy, which nobody waits for, if the answer is to an earlier submission.
        """
        if life != self._life:
            twin = copy.copy(self)
            twin.handle = handle
            return twin
        self.handle = handle
        self._unanswered = False
        return self

    def _is_known_as(self, handle: bytes) -> bool:
        """Tell whether what comes for a handle is about the present life of the job."""
        return not self._life or self.handle == handle

    def _receive_data(self, packet: WorkData | WorkWarning) -> None:
        """Take in a part of the data."""
        # As in 0.16, what is empty is no part of the data.
        if packet.payload and not self._keep(packet.payload):
            return
        if isinstance(packet, WorkWarning):
            self.warning = True
        self._tell(packet)

    def _keep(self, part: bytes) -> bool:
        """Keep a part of the data; False when there is too much of it, and the job has failed."""
        if not self._admit(part):
            return False
        self._data.append(part)
        return True

    def _admit(self, part: bytes) -> bool:
        """Count a part that is to be kept; False when it is too much, and the job has failed."""
        self._size += len(part) + _PART_COST
        return self._size <= self.max_data_size or self._has_room(part)

    def _kept(self) -> list[bytes]:
        """Return all that is kept of what the worker sent."""
        return [*self.binary_data]

    def _has_room(self, part: bytes) -> bool:
        """Count the data anew, as programs may have taken parts out; end the job for too much."""
        if not self.complete:
            self._size = sum(len(each) + _PART_COST for each in (*self._kept(), part))
        if self._size <= self.max_data_size:
            return True
        self._end(Outcome(True, f"was sent data of over {self.max_data_size} bytes"))
        return False

    def _receive_progress(self, packet: WorkStatus) -> None:
        """Take in how far the job has come."""
        self._set_progress(packet.numerator, packet.denominator)
        self._tell(packet)

    def _receive_state(self, packet: StatusRes) -> None:
        """Take in what the server answered to a question for the job's state."""
        self.known = packet.known == b"1"
        self.running = packet.running == b"1"
        self._set_progress(packet.numerator, packet.denominator)

    def _set_progress(self, numerator: bytes, denominator: bytes) -> None:
        self.numerator, self.denominator = numerator, denominator
        try:
            self.fraction_complete = float(numerator) / float(denominator)
        except (ValueError, ZeroDivisionError):
            self.fraction_complete = None

    def _end(self, outcome: Outcome, payload: bytes = b"") -> None:
        """End the job, unless it has ended.

        Args:
            outcome: How.
            payload: The last part of the data.
        """
        if self.complete:
            return
        if payload and not self._keep(payload):
            return
        if outcome.failed:
            self.failure = True
            self._reason = outcome.reason
            if outcome.exception is not None:
                self._exception = outcome.exception
        self.complete = True
        self._tell(None)

    def _tell(self, update: BasePacket | None) -> None:
        """Tell the observers that something changed.

        Args:
            update: The packet that the worker sent; None at the end.
        """
        for observer in self._observers[:]:
            observer()

    def _copied_attributes(self) -> dict[str, object]:
        attributes = super()._copied_attributes()
        attributes |= {"_observers": [], "_data": copy.copy(self._data), "_guard": None}
        if self._guard is not None and not self.complete:
            # Somewhere a job is on its way, but it is another one: begin anew when submitted.
            attributes |= {"_guard": refuse_copy, "_unanswered": True}
        return attributes


class BinaryJob(Job):
    """A job whose name is bytes."""

    @property  # type: ignore[override]  # bytes is what this class is for
    def name(self) -> FunctionName:
        """The name of the function, as bytes."""
        return self._name

    @name.setter
    def name(self, name: str | bytes) -> None:
        BaseJob.name.fset(self, name)  # type: ignore[attr-defined]  # mypy sees no fset on a property


def submitted(job: Job, kind: type[Link]) -> tuple[bytes, Link]:
    """Return the handle of a job, and the connection over which it was submitted.

    Raises:
        InvalidDataError: It was not submitted yet, or not over a connection of this kind.
    """
    if job.handle is None:
        raise InvalidDataError(f"{job!r} has no handle yet: submit it first")
    if not isinstance(job.connection, kind):
        raise InvalidDataError(
            f"{job!r} was not submitted by this kind of client: ask for its handle instead"
        )
    return job.handle, job.connection


def refuse_background(what: str) -> None:
    """Raise InvalidDataError for a wait that would never end."""
    raise InvalidDataError(
        f"{what} that was submitted in the background: a server tells nobody of its end"
    )


def refuse_copy(what: str) -> None:
    """Raise InvalidDataError for a wait that would never end."""
    raise InvalidDataError(
        f"{what} that is a copy: wait for the job that was submitted, or submit the copy"
    )
