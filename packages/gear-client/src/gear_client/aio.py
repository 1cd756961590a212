"""`AsyncClient`: submits jobs from asyncio, over the same sessions as `client`."""

import asyncio
import builtins
import collections
import uuid
from collections.abc import AsyncIterator, Callable, Generator
from datetime import datetime

from gear_client.cancellation import cancel_command, was_cancelled
from gear_client.expectations import (
    EchoRequest,
    Expectation,
    JobState,
    OptionRequest,
    StatusRequest,
    Submission,
)
from gear_client.jobs import Job, refuse_background, submitted
from gear_client.session import ClientSession
from gear_client.submissions import submit_packet
from gear_wire.constants import PRECEDENCE_NORMAL
from gear_wire.errors import (
    DisconnectError,
    GearmanError,
    TimeoutError,
)
from gear_wire.jobs import convert_to_bytes, to_handle, to_option, to_unique_key
from gear_wire.link.aio.client import AsyncBaseClient, AsyncLink
from gear_wire.link.deadline import Deadline
from gear_wire.packets import BasePacket
from gear_wire.timeouts import check_timeout


class AsyncJob(Job):
    """A job that is awaited for its result and iterated for its updates.

    ``await job`` returns the data as bytes, or raises JobFailedError. ``async for packet in job``
    gives each WorkData, WorkWarning and WorkStatus in turn, and ends when the job does.
    """

    def __init__(
        self, name: str | bytes, arguments: str | bytes = b"", unique: str | bytes | None = None
    ) -> None:
        super().__init__(name, arguments, unique)
        self._updates: collections.deque[BasePacket] = collections.deque()
        self._changed = asyncio.Event()
        self._observers.append(self._observe)

    def _observe(self, packet: BasePacket | None) -> None:
        if packet is not None and not self.complete:
            self._updates.append(packet)
        self._changed.set()

    def _wait(self, timeout: float | None) -> bool:
        if not self.complete:
            raise GearmanError("waiting for an AsyncJob would block its loop: await it instead")
        return True

    def _check_heard(self) -> None:
        """Raise InvalidDataError when nobody will tell of the job's end."""
        if self._guard is not None and not self.complete:
            self._guard("waiting for a job")

    async def _change(self) -> None:
        self._changed.clear()
        await self._changed.wait()

    def __await__(self) -> Generator[None, None, bytes]:
        """Wait until the job has ended; returns its data, raises JobFailedError."""
        return self._ended().__await__()

    async def _ended(self) -> bytes:
        self._check_heard()
        while not self.complete:
            await self._change()
        return self._result()

    async def __aiter__(self) -> AsyncIterator[BasePacket]:
        """Give the updates of the job until it ends."""
        self._check_heard()
        while True:
            while self._updates:
                yield self._updates.popleft()
            if self.complete:
                return
            await self._change()


class AsyncClient(AsyncBaseClient):
    """Submits jobs to servers from one asyncio loop.

    Args:
        client_id: How this client introduces itself to servers and names itself in logs.
        heartbeat: Seconds without traffic after which a server is asked for an echo; if nothing
            comes in as many seconds again, the connection is made anew. None for never.
    """

    _kind = "AsyncClient"

    def __init__(
        self, client_id: str | bytes = "unknown", *, heartbeat: float | None = None
    ) -> None:
        super().__init__(client_id, heartbeat=heartbeat)
        self._options: set[bytes] = set()

    def _new_session(self, link: AsyncLink) -> ClientSession:
        return ClientSession(self.client_id, sorted(self._options), link.related_jobs)

    async def submit(
        self,
        job: AsyncJob | str | bytes,
        arguments: str | bytes = b"",
        unique: str | bytes | None = None,
        *,
        background: bool = False,
        precedence: int = PRECEDENCE_NORMAL,
        when: float | datetime | None = None,
        reducer: str | bytes | None = None,
        timeout: float | None = 30,
    ) -> AsyncJob:
        """Submit a job to the server whose turn it is; returns it once the server has taken it.

        While the server takes nothing, this waits. When the connection is lost before the
        server's answer, the next server is asked: a job whose answer was lost may run twice.

        Args:
            job: The function to run, or a job made before.
            arguments: The data for it; text is sent as UTF-8.
            unique: A key by which the server coalesces equal jobs; None for none.
            background: Whether nobody waits for its end; nothing is heard of it then.
            precedence: PRECEDENCE_NORMAL, PRECEDENCE_LOW or PRECEDENCE_HIGH.
            when: The time to run it at, as seconds since 1970 or a datetime with time zone;
                background jobs only.
            reducer: The function that shall combine the job's parts.
            timeout: Seconds to wait for the server's answer; None for no limit.

        Raises:
            NoConnectedServersError: No server is connected at the moment.
            ServerError: The server refused the job.
            TimeoutError: The server has not answered in time; it may have taken the job.
            ConfigurationError: The precedence is unknown.
            InvalidDataError: The protocol has no packet for the combination asked for.
        """
        if not isinstance(job, AsyncJob):
            job = AsyncJob(job, arguments, unique)
        packet = submit_packet(job, background, precedence, when, reducer)
        limit = check_timeout(timeout)
        job._guard = refuse_background if background else None
        while True:
            link = self.get_link()
            submission = Submission(job, packet, not background)
            job.connection = link
            await self._ask(link, submission, lambda s: s.submit(submission), limit)  # noqa: B023  (called at once)
            if submission.error is not None:
                raise submission.error
            if not submission.lost:
                return job

    async def _ask(
        self,
        link: AsyncLink,
        expectation: Expectation,
        ask: Callable[[ClientSession], None],
        timeout: float | None,
    ) -> None:
        limit = check_timeout(timeout)
        await link.drain()
        if not isinstance(link.session, ClientSession):
            expectation.settle(lost=True)
            return
        settled: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def settle() -> None:
            if not settled.done():  # or the time was up, and nobody waits any more
                settled.set_result(None)

        expectation._on_settled = settle
        ask(link.session)
        link.send_queued()
        try:
            async with asyncio.timeout(limit):
                await settled
        except builtins.TimeoutError:
            raise TimeoutError(f"no answer from {link!r} in {timeout} s") from None

    async def _state(
        self,
        link: AsyncLink,
        request: StatusRequest,
        ask: Callable[[ClientSession, StatusRequest], None],
        timeout: float | None,
    ) -> JobState:
        await self._ask(link, request, lambda session: ask(session, request), timeout)
        if request.state is None:
            raise DisconnectError(f"{link!r} was lost before the answer")
        return request.state

    async def _first_known(
        self,
        key: bytes,
        ask: Callable[[ClientSession, StatusRequest], None],
        timeout: float | None,
    ) -> JobState:
        state = None
        for link in self.links[:]:
            state = await self._state(link, StatusRequest(key), ask, timeout)
            if state.known:
                return state
        if state is None:
            raise self._no_server()
        return state

    async def status(self, job: Job | str | bytes, timeout: float | None = 30) -> JobState:
        """Ask the server for the state of a job, and update the job.

        Args:
            job: A job that was submitted, or a handle; for a handle all servers are asked until
                one knows it.
            timeout: Seconds to wait for the answer of each; None for no limit.

        Raises:
            NoConnectedServersError: No server is connected at the moment.
            TimeoutError: The server has not answered in time.
            ConnectionError: The connection was lost before the answer.
            InvalidDataError: The job was not submitted yet.
        """
        if not isinstance(job, Job):
            return await self._first_known(to_handle(job), ClientSession.request_status, timeout)
        handle, link = submitted(job, AsyncLink)
        request = StatusRequest(handle, job)
        return await self._state(link, request, ClientSession.request_status, timeout)

    async def status_by_unique(self, unique: str | bytes, timeout: float | None = 30) -> JobState:
        """Ask the servers for the state of a job by its unique; raises as `status` does."""
        ask = ClientSession.request_status_by_unique
        return await self._first_known(to_unique_key(unique), ask, timeout)

    async def cancel(self, job: Job | str | bytes, timeout: float | None = 30) -> bool:
        """Take a job back: its clients hear that it failed; a worker that has it goes on alone.

        Args:
            job: A job that was submitted, or a handle; for a handle all servers are asked until
                one knows it.
            timeout: Seconds to wait for the answer of each; None for no limit.

        Returns:
            Whether a server knew the job and took it back.

        Raises:
            NoConnectedServersError: No server is connected at the moment.
            TimeoutError: The server has not answered in time.
            ConnectionError: The connection was lost before the answer.
            InvalidDataError: The job was not submitted yet.
        """
        if isinstance(job, Job):
            handle, link = submitted(job, AsyncLink)
            links = [link]
        else:
            handle = to_handle(job)
            links = self.links[:] or [self.get_link()]
        line = cancel_command(handle)
        for link in links:
            reply = await link.send_command(line, Deadline(timeout))
            if was_cancelled(reply):
                return True
        return False

    async def echo(self, data: str | bytes | None = None, timeout: float | None = 30) -> bytes:
        """Have the server whose turn it is send data back.

        Args:
            data: What to send; something unique by default.
            timeout: Seconds to wait; None for no limit.

        Returns:
            The data that came back.

        Raises:
            NoConnectedServersError: No server is connected at the moment.
            TimeoutError: Nothing came in time.
            ConnectionError: The connection was lost before.
        """
        link = self.get_link()
        request = EchoRequest(uuid.uuid4().bytes if data is None else convert_to_bytes(data))
        await self._ask(link, request, lambda session: session.request_echo(request), timeout)
        if request.lost:
            raise DisconnectError(f"{link!r} was lost before the ECHO_RES")
        return request.data

    async def set_option(self, name: str | bytes, timeout: float | None = 30) -> bool:
        """Set an option on all connections, now and whenever they are made again.

        Args:
            name: The option; servers know ``exceptions``, which is always asked for.
            timeout: Seconds to wait for each server; None for no limit.

        Returns:
            Whether every server that is connected confirmed it.

        Raises:
            InvalidDataError: The name holds a NUL.
            InterruptedError: The client was closed.
        """
        self._check_open()
        option = to_option(name)
        self._options.add(option)
        confirmed = True
        for link in self.links[:]:
            request = OptionRequest(option)
            try:
                await self._ask(link, request, lambda s: s.request_option(request), timeout)  # noqa: B023  (called at once)
            except TimeoutError:
                pass  # servers of gear 0.16 never answer
            confirmed = confirmed and request.confirmed
        return confirmed
