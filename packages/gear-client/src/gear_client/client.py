"""The documented `Client`: submits jobs from threads; for asyncio there is `async_client`."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import ParamSpec, TypeVar, overload

from gear_client.by_hand import apply_by_hand, names_its_job
from gear_client.calls import SUBMIT_TIMEOUT, CallJob
from gear_client.cancellation import was_cancelled
from gear_client.expectations import Expectation, JobState, OptionRequest, StatusRequest, Submission
from gear_client.jobs import Job, refuse_background, submitted
from gear_client.latch import Latch
from gear_client.outcome import CANCELLED
from gear_client.session import ClientSession
from gear_client.submissions import submit_packet
from gear_client.typed import StreamJob, TypedJob
from gear_wire.constants import PRECEDENCE_NORMAL
from gear_wire.errors import ConnectionError, DisconnectError, TimeoutError
from gear_wire.functions import tracing
from gear_wire.functions.function import (
    AnyFunction,
    Function,
    StreamFunction,
    check_foreground,
    check_function,
)
from gear_wire.jobs import to_handle, to_option, to_unique_key
from gear_wire.link.deadline import Deadline
from gear_wire.link.threads.client import BaseClient
from gear_wire.link.threads.connection import Connection
from gear_wire.link.threads.requests import CancelJobAdminRequest
from gear_wire.packet import Packet
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

P = ParamSpec("P")
Result = TypeVar("Result")
Item = TypeVar("Item")


class Client(BaseClient):
    """Submits jobs to servers and learns what becomes of them.

    Events arrive on one thread and are handled one at a time by the ``handle*`` methods: override
    them to react, and call super to have the job updated. A handler must not wait for an answer:
    `submitJob` and its kin raise there at once.

    Args:
        client_id: How this client introduces itself to servers and names itself in logs.
        heartbeat: Seconds without traffic after which a server is asked for an echo; if nothing
            comes in as many seconds again, the connection is made anew. None for never.
    """

    _kind = "Client"

    def __init__(
        self, client_id: str | bytes = "unknown", *, heartbeat: float | None = None
    ) -> None:
        self.options: set[bytes] = set()
        self._latches: set[Latch] = set()
        super().__init__(client_id, heartbeat=heartbeat)

    def _was_forked(self) -> None:
        self._latches.clear()

    def _new_session(self, connection: Connection) -> ClientSession:
        return ClientSession(self.client_id, sorted(self.options), connection.related_jobs)

    def _request(
        self, connection: Connection, ask: Callable[[ClientSession], None], deadline: Deadline
    ) -> bool:
        """Ask something over a connection; False when the connection is gone.

        Raises:
            TimeoutError: There was no room to send; nothing was asked.
        """
        try:
            connection.wait_for_room(deadline)
        except TimeoutError:
            self._skip(connection)
            raise
        try:
            with self._state_lock:
                session = connection.session
                if not isinstance(session, ClientSession) or not connection.connected:
                    raise DisconnectError(f"{connection!r} is gone")
                if not session.open:  # its socket is about to be closed
                    raise DisconnectError(f"{connection!r} is being given up")
                ask(session)
                connection.queue_session()
        except ConnectionError:
            self._lostConnection(connection)
            return False
        connection.flush()
        return True

    def _wait_for_answer(self, connection: Connection, answered: Latch, deadline: Deadline) -> bool:
        """Wait for an answer over a connection; False when the time is up."""
        self._latches.add(answered)
        try:
            if self._alone():
                self._spin(connection, answered.is_open, self._alone)
            return answered.wait(deadline)
        finally:
            self._latches.discard(answered)

    def _forget(self, connection: Connection, expectation: Expectation) -> None:
        """Await an answer no longer, if it has not come."""
        with self._state_lock:
            if expectation.settled or not isinstance(connection.session, ClientSession):
                return
            connection.session.forget(expectation)
            connection.queue_session()
        connection.flush()

    def _alone(self) -> bool:
        return len(self._latches) < 2

    # Jobs

    def submitJob(
        self,
        job: Job,
        background: bool | None = False,
        precedence: int = PRECEDENCE_NORMAL,
        timeout: float | None = 30,
        *,
        when: float | datetime | None = None,
        reducer: str | bytes | None = None,
    ) -> None:
        """Submit a job to the server whose turn it is, and wait until that server has taken it.

        A job that has ended begins anew: what is known of it is forgotten, and waited for again.
        When the connection is lost before the server's answer, the next server is asked: a job
        whose answer was lost may run twice.

        Args:
            job: The job; its `handle` is set when this returns.
            background: Whether to run it in the background: the server tells nobody of its end.
            precedence: PRECEDENCE_NORMAL, PRECEDENCE_LOW or PRECEDENCE_HIGH.
            timeout: Seconds that it may take in all; None for no limit.
            when: The time to run it at, as seconds since 1970 or a datetime with time zone;
                background jobs only.
            reducer: The function that combines the parts of the job.

        Raises:
            NoConnectedServersError: No server is connected at the moment.
            ServerError: The server refused the job.
            TimeoutError: The server has not answered in time; it may have taken the job.
            ConfigurationError: The precedence is unknown.
            InvalidDataError: The protocol has no packet for the combination asked for.
            GearmanError: Called in a handler.
        """
        self.check_thread("submitJob")
        if not isinstance(job, Job):
            raise TypeError(f"submitJob takes a gear.Job, not {type(job).__name__}")
        packet = submit_packet(job, bool(background), precedence, when, reducer)
        deadline = Deadline(timeout)
        while True:
            connection = self.getConnection()
            answered = Latch()
            # Not the client's own method: a job must not keep the client alive.
            guard = refuse_background if background else connection.check_thread
            life = job._begin(connection, guard)
            submission = Submission(job, packet, not background, life, answered.open)
            if not self._request(connection, lambda session: session.submit(submission), deadline):  # noqa: B023  (called at once)
                continue
            if not self._wait_for_answer(connection, answered, deadline):
                self._skip(connection)
                raise deadline.error(f"{connection!r} has not answered SUBMIT_JOB")
            if submission.error is not None:
                raise submission.error
            if not submission.lost:
                return

    # Functions

    def call(
        self, function: Function[P, object, Result], /, *args: P.args, **kwargs: P.kwargs
    ) -> Result:
        """Have a function run by a worker, and return what it returns.

        How long it may take, and the like, is said with `using`::

            client.call(thumbnail.using(timeout=10), image, width=64)

        Args:
            function: The function.
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
            GearmanError: Called in a handler.
        """
        check_foreground(function)
        job, deadline = self._call(function, args, kwargs)
        return TypedJob(self, function, job, deadline).result()

    @overload
    def start(
        self, function: StreamFunction[P, object, Item], /, *args: P.args, **kwargs: P.kwargs
    ) -> StreamJob[Item]: ...

    @overload
    def start(
        self, function: Function[P, object, Result], /, *args: P.args, **kwargs: P.kwargs
    ) -> TypedJob[Result]: ...

    def start(self, function: AnyFunction, /, *args: object, **kwargs: object) -> TypedJob[object]:
        """Submit a call of a function, and return its job once a server has taken it.

        The time that `using` gives it counts from here; with ``background=True`` nobody hears of
        its end.

        Args:
            function: The function.
            args: Its arguments, by position.
            kwargs: Its arguments, by name.

        Returns:
            The job, to wait for its result; that of a function that yields is iterated.

        Raises:
            TimeoutError: The server has not answered in time; it may have taken the job.
            NoConnectedServersError: No server is connected at the moment.
            ServerError: The server refused the job.
            TypeError: The arguments do not fit the function.
            InvalidDataError: The protocol has no packet for the combination asked for.
            GearmanError: Called in a handler.
        """
        check_function(function)
        job, deadline = self._call(function, args, kwargs)
        if isinstance(function, StreamFunction):
            return StreamJob(self, function, job, deadline)
        return TypedJob(self, function, job, deadline)

    def _call(
        self, function: AnyFunction, args: tuple[object, ...], kwargs: Mapping[str, object]
    ) -> tuple[CallJob, Deadline]:
        """Submit a call; returns its job, and when it must be over."""
        options = function.call_options
        with tracing.send(function) as span:
            payload = function.codec.encode_arguments(args, kwargs, span.carried)
            job, deadline = CallJob(function, payload), Deadline(options.timeout)
            self.submitJob(
                job,
                options.background,
                options.precedence,
                Deadline.sooner(SUBMIT_TIMEOUT, deadline).left(),
                when=options.when,
            )
            span.taken(job.handle, job.connection)
            job.sent = span
        return job, deadline

    # Questions

    def getStatus(self, job: Job | str | bytes, timeout: float | None = 30) -> JobState:
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
        self.check_thread("getStatus")
        deadline = Deadline(timeout)
        ask = ClientSession.request_status
        if not isinstance(job, Job):
            handle = to_handle(job)
            return self._ask_all(lambda: StatusRequest(handle), ask, deadline)
        known, connection = submitted(job, Connection)
        return self._ask_state(connection, StatusRequest(known, job), ask, deadline)

    def getStatusByUnique(self, unique: str | bytes, timeout: float | None = 30) -> JobState:
        """Ask the servers for the state of a job by its unique, until one knows it.

        gearmand answers this since 1.1; raises as `getStatus` does.
        """
        self.check_thread("getStatusByUnique")
        key = to_unique_key(unique)
        ask = ClientSession.request_status_by_unique
        return self._ask_all(lambda: StatusRequest(key), ask, Deadline(timeout))

    def _ask_all(
        self,
        request: Callable[[], StatusRequest],
        ask: Callable[[ClientSession, StatusRequest], None],
        deadline: Deadline,
    ) -> JobState:
        state = None
        for connection in self._promising_connections():
            state = self._ask_state(connection, request(), ask, deadline)
            if state.known:
                return state
        if state is None:
            raise self._no_server()
        return state

    def _ask_state(
        self,
        connection: Connection,
        request: StatusRequest,
        ask: Callable[[ClientSession, StatusRequest], None],
        deadline: Deadline,
    ) -> JobState:
        answered = Latch()
        request.on_settled = answered.open
        try:
            if not self._request(connection, lambda session: ask(session, request), deadline) or (
                self._wait_for_answer(connection, answered, deadline) and request.lost
            ):
                raise connection.lost_before("the answer")
        finally:
            self._forget(connection, request)
        if request.state is None:
            self._skip(connection)
            raise deadline.error(f"no answer from {connection!r}")
        return request.state

    def setOption(self, name: str | bytes, timeout: float | None = 30) -> bool:
        """Set an option on all connections, now and whenever they are made again.

        Args:
            name: The option; servers know ``exceptions``, which is always asked for.
            timeout: Seconds that it may take in all; None for no limit.

        Returns:
            Whether every server that is connected confirmed it. Servers of gear 0.16 never
            answer: for them it is False after the timeout, and the connection stays.

        Raises:
            InvalidDataError: The name holds a NUL.
            InterruptedError: The client was shut down.
            GearmanError: Called in a handler.
        """
        self.check_thread("setOption")
        option = to_option(name)
        deadline = Deadline(timeout)
        with self._state_lock:
            self._check_running()
            self.options.add(option)
            connections = self.active_connections[:]
        asked = [(each, self._ask_option(each, option, deadline)) for each in connections]
        for connection, (request, answered) in asked:
            answered.wait(deadline)
            self._forget(connection, request)
        return all(request.confirmed for _, (request, _) in asked)

    def _ask_option(
        self, connection: Connection, option: bytes, deadline: Deadline
    ) -> tuple[OptionRequest, Latch]:
        answered = Latch()
        request = OptionRequest(option, answered.open)
        try:
            asked = self._request(connection, lambda s: s.request_option(request), deadline)
        except TimeoutError:
            asked = False  # no room: the server is asked when it is connected again
        if not asked:
            request.settle(lost=True)
        return request, answered

    def cancelJob(self, job: Job | str | bytes, timeout: float | None = 30) -> bool:
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
        self.check_thread("cancelJob")
        deadline = Deadline(timeout)
        if isinstance(job, Job):
            handle, connection = submitted(job, Connection)
            connections = [connection]
        else:
            handle = to_handle(job)
            connections = self._promising_connections() or [self.getConnection()]
        for connection in connections:
            if self._cancel_over(connection, handle, deadline):
                if isinstance(job, Job) and job.handle == handle:
                    job._end(CANCELLED)  # one in the background too, of which nothing is heard
                return True
        return False

    def _cancel_over(self, connection: Connection, handle: bytes, deadline: Deadline) -> bool:
        request = CancelJobAdminRequest(handle)
        with self._state_lock:
            session = connection.session
            if isinstance(session, ClientSession):
                session.begin_cancel(handle)
        cancelled = False
        try:
            connection.sendAdminRequest(request, deadline.left())
            cancelled = was_cancelled(request.reply())
        except TimeoutError:
            self._skip(connection)
            raise deadline.error(f"no answer from {connection!r}") from None
        finally:
            with self._state_lock:
                if isinstance(session, ClientSession):
                    session.end_cancel(handle, cancelled)
        return cancelled

    def echo(self, data: str | bytes | None = None, timeout: float | None = 30) -> bytes:
        """Send data to the server whose turn it is, which sends it back; as `Connection.echo`."""
        connection = self.getConnection()
        try:
            return connection.echo(data, timeout)
        except TimeoutError:
            self._skip(connection)
            raise

    # Events

    def _apply_to_job(self, packet: Packet, kind: type[BasePacket]) -> Job:
        session = packet.connection.session if isinstance(packet.connection, Connection) else None
        if not isinstance(session, ClientSession) or names_its_job(packet):
            return apply_by_hand(packet, kind)
        job = self._apply(packet)
        return job  # type: ignore[return-value]  # None only where the docstring says so

    def _apply_unless_by_hand(self, packet: Packet) -> object:
        return self._apply(packet) if isinstance(packet.connection, Connection) else None

    def handleJobCreated(self, packet: Packet) -> Job:
        """Handle JOB_CREATED: the oldest job submitted here gets its handle; returns the job."""
        job = self._apply(packet)
        return job  # type: ignore[return-value]  # None only before the connection has a session

    def handleWorkComplete(self, packet: Packet) -> Job:
        """Handle WORK_COMPLETE: the job ended well; returns the job."""
        return self._apply_to_job(packet, WorkComplete)

    def handleWorkFail(self, packet: Packet) -> Job:
        """Handle WORK_FAIL: the job failed; returns the job, None after a WORK_EXCEPTION."""
        return self._apply_to_job(packet, WorkFail)

    def handleWorkException(self, packet: Packet) -> Job:
        """Handle WORK_EXCEPTION: the job failed with an exception; returns the job."""
        return self._apply_to_job(packet, WorkException)

    def handleWorkData(self, packet: Packet) -> Job:
        """Handle WORK_DATA: the job has more data; returns the job."""
        return self._apply_to_job(packet, WorkData)

    def handleWorkWarning(self, packet: Packet) -> Job:
        """Handle WORK_WARNING: the job has a warning; returns the job."""
        return self._apply_to_job(packet, WorkWarning)

    def handleWorkStatus(self, packet: Packet) -> Job:
        """Handle WORK_STATUS: the job has come so far; returns the job."""
        return self._apply_to_job(packet, WorkStatus)

    def handleStatusRes(self, packet: Packet) -> Job:
        """Handle STATUS_RES: the job is updated; returns it, None when only the handle is known."""
        return self._apply_to_job(packet, StatusRes)

    def handleStatusResUnique(self, packet: Packet) -> object:
        """Handle STATUS_RES_UNIQUE: wakes whoever asked."""
        return self._apply_unless_by_hand(packet)

    def handleEchoRes(self, packet: Packet) -> object:
        """Handle ECHO_RES: wakes whoever waits for it."""
        super().handleEchoRes(packet)
        return self._apply_unless_by_hand(packet)

    def handleOptionRes(self, packet: Packet) -> object:
        """Handle OPTION_RES: the connection has the option."""
        result = self._apply_unless_by_hand(packet)
        if isinstance(packet.connection, Connection):
            packet.connection.handleOptionRes(packet.getArgument(0))
        return result

    def handleError(self, packet: Packet) -> object:
        """Handle ERROR: it is logged, and ends the request that it answers."""
        self._log_error(packet)
        return self._apply_unless_by_hand(packet)
