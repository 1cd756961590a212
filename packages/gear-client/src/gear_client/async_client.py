"""`AsyncClient`: submits jobs from asyncio, with the same sessions as `client`."""

import asyncio
import time
import uuid
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import ParamSpec, TypeVar, overload

from gear_client.async_job import AsyncJob
from gear_client.async_typed import AsyncCallJob, AsyncStreamJob, AsyncTypedJob
from gear_client.calls import SUBMIT_TIMEOUT
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
from gear_client.outcome import CANCELLED
from gear_client.session import ClientSession
from gear_client.submissions import submit_packet
from gear_wire.constants import PRECEDENCE_NORMAL
from gear_wire.errors import TimeoutError
from gear_wire.functions import tracing
from gear_wire.functions.function import (
    AnyFunction,
    Function,
    StreamFunction,
    check_foreground,
    check_function,
)
from gear_wire.jobs import convert_to_bytes, to_handle, to_option, to_unique_key
from gear_wire.link.aio.client import AsyncBaseClient, AsyncLink
from gear_wire.link.aio.within import within
from gear_wire.link.deadline import Deadline

P = ParamSpec("P")
Result = TypeVar("Result")
Item = TypeVar("Item")


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

        A job that has ended begins anew: what is known of it is forgotten, and waited for again.
        While the server takes nothing, this waits. When the connection is lost before the
        server's answer, the next server is asked: a job whose answer was lost may run twice.

        Args:
            job: The function to run, or a job made before.
            arguments: The data for it; text is sent as UTF-8.
            unique: A key by which the server coalesces equal jobs; None for none.
            background: Whether to run it in the background: the server tells nobody of its end.
            precedence: PRECEDENCE_NORMAL, PRECEDENCE_LOW or PRECEDENCE_HIGH.
            when: The time to run it at, as seconds since 1970 or a datetime with time zone;
                background jobs only.
            reducer: The function that combines the parts of the job.
            timeout: Seconds that it may take in all; None for no limit.

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
        deadline = Deadline(timeout)
        guard = refuse_background if background else _allow
        while True:
            link = self.get_link()
            submission = Submission(job, packet, not background, job._begin(link, guard))
            await self._ask(link, submission, lambda s: s.submit(submission), deadline)  # noqa: B023  (called at once)
            if submission.error is not None:
                raise submission.error
            if not submission.lost:
                return job

    async def call(
        self, function: Function[P, object, Result], /, *args: P.args, **kwargs: P.kwargs
    ) -> Result:
        """Have a function run by a worker, and return what it returns.

        How long it may take, and the like, is said with `using`::

            await client.call(thumbnail.using(timeout=10), image, width=64)

        Args:
            function: The function; it may be asynchronous or not, wherever it runs.
            args: Its arguments, by position.
            kwargs: Its arguments, by name.

        Raises:
            RemoteError: The function raised; an exception that it declares is raised as itself.
            JobFailedError: The job failed, and nothing else is known.
            TimeoutError: The server has not answered in time, or the job has not ended in the time
                that it has; it goes on.
            NoConnectedServersError: No server is connected at the moment.
            ServerError: The server refused the job.
            TypeError: The arguments do not fit the function.
            InvalidDataError: The result is none of the function's; or it is called in the
                background.
        """
        check_foreground(function)
        job, deadline = await self._call(function, args, kwargs)
        return await AsyncTypedJob(self, function, job, deadline).result()

    @overload
    async def start(
        self, function: StreamFunction[P, object, Item], /, *args: P.args, **kwargs: P.kwargs
    ) -> AsyncStreamJob[Item]: ...

    @overload
    async def start(
        self, function: Function[P, object, Result], /, *args: P.args, **kwargs: P.kwargs
    ) -> AsyncTypedJob[Result]: ...

    async def start(
        self, function: AnyFunction, /, *args: object, **kwargs: object
    ) -> AsyncTypedJob[object]:
        """Submit a call of a function, and return its job once a server has taken it.

        The time that `using` gives it counts from here; with ``background=True`` nobody hears of
        its end.

        Args:
            function: The function; it may be asynchronous or not, wherever it runs.
            args: Its arguments, by position.
            kwargs: Its arguments, by name.

        Returns:
            The job, to await its result; that of a function that yields is iterated.

        Raises:
            TimeoutError: The server has not answered in time; it may have taken the job.
            NoConnectedServersError: No server is connected at the moment.
            ServerError: The server refused the job.
            TypeError: The arguments do not fit the function.
            InvalidDataError: The protocol has no packet for the combination asked for.
        """
        check_function(function)
        job, deadline = await self._call(function, args, kwargs)
        if isinstance(function, StreamFunction):
            return AsyncStreamJob(self, function, job, deadline)
        return AsyncTypedJob(self, function, job, deadline)

    async def _call(
        self, function: AnyFunction, args: tuple[object, ...], kwargs: Mapping[str, object]
    ) -> tuple[AsyncCallJob, Deadline]:
        """Submit a call; returns its job, and when it must be over."""
        options = function.call_options
        with tracing.send(function) as span:
            payload = function.codec.encode_arguments(args, kwargs, span.carried)
            job, deadline = AsyncCallJob(function, payload), Deadline(options.timeout)
            await self.submit(
                job,
                background=options.background,
                precedence=options.precedence,
                when=options.when,
                timeout=Deadline.sooner(SUBMIT_TIMEOUT, deadline).left(),
            )
            span.taken(job.handle, job.connection)
            job.sent = span
        return job, deadline

    async def _ask(
        self,
        link: AsyncLink,
        expectation: Expectation,
        ask: Callable[[ClientSession], None],
        deadline: Deadline,
    ) -> None:
        """Ask something over a connection, and wait for the answer or the loss of the connection.

        Raises:
            TimeoutError: There was no room to send, and nothing was asked; or no answer came.
        """
        try:
            await link.drain(deadline)
            session = link.session
            if not isinstance(session, ClientSession):
                expectation.settle(lost=True)
                return
            settled = self._home.enter(self).create_future()

            def settle() -> None:
                if not settled.done():  # or nobody waits any more
                    settled.set_result(None)

            expectation.on_settled = settle
            ask(session)
            link.send_queued()
            try:
                async with within(deadline, "no answer from %r", link):
                    await settled
            finally:
                if not expectation.settled:
                    session.forget(expectation)
                    link.send_queued()
        except TimeoutError:
            if not isinstance(expectation, OptionRequest):  # servers of 0.16 never answer those
                self._roster.skip(link, time.monotonic())
            raise

    async def _ask_state(
        self,
        link: AsyncLink,
        request: StatusRequest,
        ask: Callable[[ClientSession, StatusRequest], None],
        deadline: Deadline,
    ) -> JobState:
        await self._ask(link, request, lambda session: ask(session, request), deadline)
        if request.state is None:
            raise link.lost_before("the answer")
        return request.state

    async def _ask_all(
        self,
        key: bytes,
        ask: Callable[[ClientSession, StatusRequest], None],
        deadline: Deadline,
    ) -> JobState:
        state = None
        for link in self._roster.promising():
            state = await self._ask_state(link, StatusRequest(key), ask, deadline)
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
            timeout: Seconds that it may take in all; None for no limit.

        Raises:
            NoConnectedServersError: No server is connected at the moment.
            TimeoutError: The server has not answered in time.
            ConnectionError: The connection was lost before the answer.
            InvalidDataError: The job was not submitted yet.
        """
        deadline = Deadline(timeout)
        ask = ClientSession.request_status
        if not isinstance(job, Job):
            return await self._ask_all(to_handle(job), ask, deadline)
        handle, link = submitted(job, AsyncLink)
        return await self._ask_state(link, StatusRequest(handle, job), ask, deadline)

    async def status_by_unique(self, unique: str | bytes, timeout: float | None = 30) -> JobState:
        """Ask the servers for the state of a job by its unique; raises as `status` does."""
        ask = ClientSession.request_status_by_unique
        return await self._ask_all(to_unique_key(unique), ask, Deadline(timeout))

    async def cancel(self, job: Job | str | bytes, timeout: float | None = 30) -> bool:
        """Cancel a job: for this client it ends at once, as a job that failed.

        geard and gearmand tell other clients that wait for it that it failed; a worker that has it
        is told nothing, and goes on. A `gear.Server` tells nobody, and cancels only jobs that no
        worker has.

        Args:
            job: A job that was submitted, or a handle; for a handle all servers are asked until
                one knows it.
            timeout: Seconds that it may take in all; None for no limit.

        Returns:
            Whether a server knew the job and cancelled it.

        Raises:
            NoConnectedServersError: No server is connected at the moment.
            TimeoutError: The server has not answered in time.
            ConnectionError: The connection was lost before the answer.
            InvalidDataError: The job was not submitted yet.
        """
        deadline = Deadline(timeout)
        if isinstance(job, Job):
            handle, link = submitted(job, AsyncLink)
            links = [link]
        else:
            handle = to_handle(job)
            links = self._roster.promising() or [self.get_link()]
        for link in links:
            if await self._cancel_over(link, handle, deadline):
                if isinstance(job, Job) and job.handle == handle:
                    job._end(CANCELLED)  # one in the background too, of which nothing is heard
                return True
        return False

    async def _cancel_over(self, link: AsyncLink, handle: bytes, deadline: Deadline) -> bool:
        session = link.session
        if isinstance(session, ClientSession):
            session.begin_cancel(handle)
        cancelled = False
        try:
            cancelled = was_cancelled(await link.send_command(cancel_command(handle), deadline))
        except TimeoutError:
            self._roster.skip(link, time.monotonic())
            raise
        finally:
            if isinstance(session, ClientSession):
                session.end_cancel(handle, cancelled)
        return cancelled

    async def echo(self, data: str | bytes | None = None, timeout: float | None = 30) -> bytes:
        """Send data to the server whose turn it is, which sends it back.

        Args:
            data: What to send; something unique by default.
            timeout: Seconds that it may take in all; None for no limit.

        Returns:
            The data that came back.

        Raises:
            NoConnectedServersError: No server is connected at the moment.
            TimeoutError: Nothing came in time.
            ConnectionError: The connection was lost before.
        """
        link = self.get_link()
        request = EchoRequest(uuid.uuid4().bytes if data is None else convert_to_bytes(data))
        deadline = Deadline(timeout)
        await self._ask(link, request, lambda session: session.request_echo(request), deadline)
        if request.lost:
            raise link.lost_before("the ECHO_RES")
        return request.data

    async def set_option(self, name: str | bytes, timeout: float | None = 30) -> bool:
        """Set an option on all connections, now and whenever they are made again.

        Args:
            name: The option; servers know ``exceptions``, which is always asked for.
            timeout: Seconds that it may take in all; None for no limit.

        Returns:
            Whether every server that is connected confirmed it.

        Raises:
            InvalidDataError: The name holds a NUL.
            InterruptedError: The client was closed.
        """
        self._check_open()
        option = to_option(name)
        self._options.add(option)
        deadline = Deadline(timeout)
        asking = [self._ask_option(link, option, deadline) for link in self.links]
        return all(await asyncio.gather(*asking))

    async def _ask_option(self, link: AsyncLink, option: bytes, deadline: Deadline) -> bool:
        request = OptionRequest(option)
        try:
            await self._ask(link, request, lambda s: s.request_option(request), deadline)
        except TimeoutError:
            return False  # servers of gear 0.16 never answer
        return request.confirmed


def _allow(what: str) -> None:
    """Let a wait begin."""
