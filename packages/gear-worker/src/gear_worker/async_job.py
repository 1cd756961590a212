"""`AsyncWorkerJob`: a job that was assigned to an `AsyncWorker`."""

import logging
from types import TracebackType
from typing import Self

from gear_wire.errors import ConnectionError, DisconnectError
from gear_wire.link.aio.link import AsyncLink
from gear_wire.packets import BasePacket
from gear_worker.jobs import ENDINGS, AssignedJob
from gear_worker.session import WorkerSession


class AsyncWorkerJob(AssignedJob):
    """A job that was assigned to this worker.

    Each method waits while the server takes nothing, and raises a ConnectionError when the
    connection over which the job came is gone: the server has taken the job back.

    As an asynchronous context manager it sees to it that the job ends with the block::

        async for job in worker:
            async with job:
                await job.complete(await work(job.arguments))

    An exception that leaves the block is logged, and reported with WORK_EXCEPTION and WORK_FAIL
    unless the job has ended; the loop goes on. CancelledError, KeyboardInterrupt and the like are
    reported and go on their way. A block that ends without having ended its job fails it.
    """

    _link: AsyncLink | None = None
    _session: "WorkerSession[AsyncWorkerJob] | None" = None

    def attach(
        self, link: AsyncLink, session: "WorkerSession[AsyncWorkerJob]", log: logging.Logger
    ) -> None:
        """Say how to report to the server; for the worker that the job was assigned to.

        Args:
            link: The connection over which the job came.
            session: The protocol's state of it.
            log: The worker's logger.
        """
        self.connection: object | None = link
        self._link = link
        self._session = session
        self._log = log

    async def __aenter__(self) -> Self:
        """Return the job itself; leaving the block ends it."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        """Report what was raised, unless the job has ended; True for an Exception."""
        try:
            for packet in self._unreported(error):
                await self._send(packet)
        except ConnectionError as reason:
            self._not_reported(reason)
        return isinstance(error, Exception)

    async def _send(self, packet: BasePacket) -> None:
        if self._link is None or self._session is None:
            raise DisconnectError(f"{self!r} came over no connection")
        await self._link.drain()
        self.post(packet)
        if isinstance(packet, ENDINGS):
            await self._flush(self._link, self._session)

    def post(self, packet: BasePacket) -> None:
        """Send a report without waiting for it to leave: closing the worker does.

        Args:
            packet: A report of this job.

        Raises:
            DisconnectError: The connection over which the job came is gone.
        """
        if self._link is None or self._session is None:
            raise DisconnectError(f"{self!r} came over no connection")
        self._session.work(packet)
        self._link.send_queued()
        self._reported(packet)

    @property
    def open(self) -> bool:
        """Whether the connection over which the job came stands."""
        return self._session is not None and self._session.open

    @property
    def crowded(self) -> bool:
        """Whether the server takes nothing and much is queued already; `room` waits for that."""
        return self._link is not None and self._link.crowded

    async def room(self) -> None:
        """Wait while the server takes nothing and much is queued already."""
        if self._link is not None:
            await self._link.drain()

    async def _flush(self, link: AsyncLink, session: "WorkerSession[AsyncWorkerJob]") -> None:
        session.assignments.reporting()
        sent = False
        try:
            await link.flush()
            sent = True
        finally:
            session.assignments.reported(sent)

    async def data(self, data: str | bytes = b"") -> None:
        """Send a part of the result, or news, to the client: WORK_DATA."""
        await self._send(self._data(data))

    async def warning(self, data: str | bytes = b"") -> None:
        """Send a warning to the client: WORK_WARNING."""
        await self._send(self._warning(data))

    async def status(self, numerator: float, denominator: float) -> None:
        """Tell client and server how far the job has come: WORK_STATUS."""
        await self._send(self._status(numerator, denominator))

    async def complete(self, data: str | bytes = b"") -> None:
        """End the job well, with the result or the last part of it: WORK_COMPLETE."""
        await self._send(self._complete(data))

    async def fail(self) -> None:
        """End the job without a result: WORK_FAIL."""
        await self._send(self._fail())

    async def exception(self, data: str | bytes = b"") -> None:
        """End the job with an exception described by `data`: WORK_EXCEPTION."""
        await self._send(self._exception(data))
