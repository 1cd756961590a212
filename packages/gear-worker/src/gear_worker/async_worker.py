"""`AsyncWorker`: takes jobs on asyncio, over the same sessions as `worker`."""

import asyncio
import collections
import functools
import logging
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterable

from gear_wire.errors import InterruptedError, TimeoutError
from gear_wire.jobs import to_function_name
from gear_wire.link.aio.client import AsyncBaseClient
from gear_wire.link.aio.link import AsyncLink
from gear_wire.link.aio.within import within
from gear_wire.link.deadline import CLOSE_TIMEOUT, Deadline
from gear_wire.packets import BasePacket, Error
from gear_worker.async_job import AsyncWorkerJob
from gear_worker.functions import FunctionRecord, check_records
from gear_worker.jobs import Assigned
from gear_worker.session import GRAB_PATIENCE, Assignments, WorkerSession


def _make_job(
    links: list[AsyncLink],
    log: logging.Logger,
    session: WorkerSession[AsyncWorkerJob],
    packet: Assigned,
) -> AsyncWorkerJob:
    job = AsyncWorkerJob.from_packet(packet)
    link = next(known for known in links if known.session is session)
    job.attach(link, session, log)
    return job


class AsyncWorker(AsyncBaseClient):
    """Takes jobs from servers on one asyncio loop, in as many tasks as call `get_job`.

    ``async for job in worker`` gives one job after the other until the worker is closed.

    Args:
        client_id: How this worker introduces itself; the name of the host by default.
        grab_all: Whether to ask for jobs with GRAB_JOB_ALL, which tells the reducer of those that
            have one; gearmand and geard know it, gear 0.16's and Perl's servers do not.
        heartbeat: Seconds without traffic after which a server is asked for an echo; if nothing
            comes in as many seconds again, the connection is made anew. None for never.
    """

    _kind = "AsyncWorker"

    def __init__(
        self,
        client_id: str | bytes | None = None,
        *,
        grab_all: bool = False,
        heartbeat: float | None = None,
    ) -> None:
        super().__init__(client_id or socket.gethostname(), heartbeat=heartbeat)
        # A method of the worker here would keep it alive as long as it is connected.
        make_job = functools.partial(_make_job, self.links, self.log)
        self._assignments: Assignments[AsyncWorkerJob] = Assignments(make_job, grab_all)
        self._waiters: collections.deque[asyncio.Future[None]] = collections.deque()
        self._interrupted = False

    @property
    def functions(self) -> dict[bytes, FunctionRecord]:
        """What the worker can do, by name."""
        return self._assignments.functions

    def _new_session(self, link: AsyncLink) -> WorkerSession[AsyncWorkerJob]:
        return WorkerSession(self.client_id, self._assignments, link.related_jobs)

    def _log_error(self, link: AsyncLink, error: Error) -> None:
        if not (isinstance(link.session, WorkerSession) and link.session.expects(error.code)):
            super()._log_error(link, error)

    def _applied(self, link: AsyncLink, packet: BasePacket, result: object) -> None:
        if isinstance(result, AsyncWorkerJob):
            self._wake()

    def _wake(self) -> None:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return

    # Functions

    def register(self, name: str | bytes, timeout: float | None = None) -> None:
        """Tell all servers, now and when they reconnect, that this worker can do a function.

        Args:
            name: The function's name; text is sent as UTF-8.
            timeout: Seconds that one of its jobs may run before the server takes it back; None
                for no limit.

        Raises:
            InvalidDataError: The name is empty or holds a NUL, or the timeout is not positive.
        """
        self._check_loop()
        self._assignments.register(FunctionRecord(name, timeout))
        self._send_queued()

    def unregister(self, name: str | bytes) -> None:
        """Tell all servers that a function can no longer be done; KeyError if it never could."""
        self._check_loop()
        self._assignments.unregister(to_function_name(name))
        self._send_queued()

    def set_functions(self, functions: Iterable[FunctionRecord]) -> None:
        """Have these functions and no others; an empty list stops the work from coming."""
        self._check_loop()
        self._assignments.replace(check_records(functions))
        self._send_queued()

    # Jobs

    async def get_job(self, timeout: float | None = None) -> AsyncWorkerJob:
        """Wait for a job and return it; several tasks may wait at once.

        A task that is cancelled loses no job: what came for it goes to the next.

        Args:
            timeout: Seconds to wait; None for no limit.

        Raises:
            InterruptedError: The worker was closed.
            TimeoutError: No job came in time.
        """
        deadline = Deadline(timeout)
        self._check_open()
        if self._assignments.draining:
            raise InterruptedError(f"{self!r} is being drained")
        self._assignments.wait()
        self._send_queued()
        try:
            async with within(deadline, "no job came"):
                while not self._assignments.jobs:
                    patience = self._assignments.tick(time.monotonic())
                    self._send_queued()
                    await self._woken(patience)
                    self._check_open()
                    if self._interrupted:
                        raise InterruptedError(f"{self!r} is being drained")
                return self._assignments.jobs.popleft()
        finally:
            self._assignments.leave()
            if self._assignments.jobs:
                self._wake()

    async def _woken(self, patience: float) -> None:
        """Wait until a job has come, or something else has happened, or for some seconds."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        try:
            await asyncio.wait((waiter,), timeout=patience)
        finally:
            if not waiter.done():
                self._waiters.remove(waiter)

    async def __aiter__(self) -> AsyncIterator[AsyncWorkerJob]:
        """Give one job after the other until the worker is closed."""
        while True:
            try:
                job = await self.get_job()
            except InterruptedError:
                return
            yield job

    async def drain(self, timeout: float | None = None) -> bool:
        """Finish what runs, then close the worker.

        No more jobs are asked for. Every `get_job`, those that wait and later ones, raises
        InterruptedError, and ``async for`` ends; but one that waits may still get a job that a
        server gave before it could hear of this. Then this waits until all jobs that were taken
        have ended. A job that came and was not taken goes back to its server, as do those that
        still run in the end. It waits for the tasks that work: let another one call it.

        Args:
            timeout: Seconds to wait; None for no limit.

        Returns:
            Whether all jobs that were taken have ended.

        Raises:
            GearmanError: The worker belongs to another event loop.
        """
        self._check_loop()
        deadline = Deadline(timeout)
        assignments = self._assignments
        assignments.drain(self._announce)
        patience = Deadline.sooner(GRAB_PATIENCE, deadline)
        await self._wait_until(lambda: not assignments.coming, patience)
        self._interrupt()
        ended = await self._wait_until(lambda: not assignments.running or self._closing, deadline)
        await self.close(Deadline.sooner(CLOSE_TIMEOUT, deadline).left())
        return ended and not assignments.cut_off

    async def _wait_until(self, condition: Callable[[], bool], deadline: Deadline) -> bool:
        """Wait until something is true, or the time is up; returns whether it is true."""
        try:
            async with within(deadline, "not drained"):
                while not condition():
                    await self._changed.wait()
        except TimeoutError:
            return False
        return True

    def _interrupt(self) -> None:
        self._interrupted = True
        while self._waiters:
            self._wake()

    def _on_closing(self) -> None:
        """Wake whoever waits for a job with InterruptedError."""
        self._interrupt()
