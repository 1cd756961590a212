"""The client's view of a job; how packets change it is in `session`."""

import threading
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

from gear_wire.errors import InvalidDataError, JobFailedError, TimeoutError
from gear_wire.jobs import BaseJob
from gear_wire.packets import BasePacket
from gear_wire.timeouts import check_timeout
from gear_wire.types import FunctionName

Observer = Callable[[BasePacket | None], None]
Link = TypeVar("Link")


class Job(BaseJob):
    """A job to run or run by a server, updated the moment data arrives.

    It is an ordinary open class: subclass it, and hang attributes on it.

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
    """

    data_type: type[list[bytes]] = list

    def __init__(
        self, name: str | bytes, arguments: str | bytes, unique: str | bytes | None = None
    ) -> None:
        super().__init__(name, arguments, unique)
        self._data: list[bytes] = self.data_type()
        self._exception: bytes | None = None
        self._failed_because: str = "failed"
        self._observers: list[Observer] = []
        self._guard: Callable[[str], None] | None = None
        self.warning: bool = False
        self.complete: bool = False
        self.failure: bool = False
        self.numerator: bytes | None = None
        self.denominator: bytes | None = None
        self.fraction_complete: float | None = None
        self.known: bool | None = None
        self.running: bool | None = None

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

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the job has ended.

        Args:
            timeout: Seconds to wait; None for no limit.

        Returns:
            Whether it has ended.

        Raises:
            GearmanError: Called on the client's poll thread, which would wait for itself.
            InvalidDataError: It is a background job: nobody is told of its end.
        """
        return self._wait(timeout)

    def _wait(self, timeout: float | None) -> bool:
        limit = check_timeout(timeout)
        if self.complete:
            return True
        if self._guard is not None:
            self._guard("waiting for a job")
        ended = threading.Event()

        def observe(packet: BasePacket | None) -> None:
            if self.complete:
                ended.set()

        self._observers.append(observe)
        try:
            # The job may have ended before the observer was there: look again.
            observe(None)
            return ended.wait(limit)
        finally:
            self._observers.remove(observe)

    def result(self, timeout: float | None = None) -> bytes:
        """Wait until the job has ended and return all its data.

        Args:
            timeout: Seconds to wait; None for no limit.

        Raises:
            JobFailedError: The job failed, with the worker's exception if there is one.
            TimeoutError: It has not ended in time.
            GearmanError: Called on the client's poll thread, which would wait for itself.
            InvalidDataError: It is a background job: nobody is told of its end.
        """
        if not self._wait(timeout):
            raise TimeoutError(f"{self!r} has not ended in {timeout} s")
        return self._result()

    def _result(self) -> bytes:
        if self.failure:
            raise JobFailedError(f"{self!r} {self._failed_because}", self._exception)
        return b"".join(self.binary_data)

    def _notify(self, packet: BasePacket | None) -> None:
        for observer in self._observers[:]:
            observer(packet)


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
    if job.handle is None or not isinstance(job.connection, kind):
        raise InvalidDataError(f"{job!r} has no handle yet: submit it first")
    return job.handle, job.connection


def refuse_background(what: str) -> None:
    """Raise InvalidDataError for a wait that nobody would end."""
    raise InvalidDataError(
        f"{what} that was submitted in the background: a server tells nobody of its end"
    )


def deadline_after(timeout: float | None) -> float | None:
    """Return when so many seconds will have passed, on the monotonic clock; checks them."""
    limit = check_timeout(timeout)
    return None if limit is None else time.monotonic() + limit


def seconds_left(deadline: float | None) -> float | None:
    """Return the seconds until a deadline, never negative; None for no deadline."""
    return None if deadline is None else max(0.0, deadline - time.monotonic())
