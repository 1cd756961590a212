"""The documented `Client`: submits jobs from threads; the same on asyncio is in `aio`."""

from collections.abc import Callable
from datetime import datetime

from gear_client.cancellation import was_cancelled
from gear_client.expectations import Expectation, JobState, OptionRequest, StatusRequest, Submission
from gear_client.jobs import Job, deadline_after, refuse_background, seconds_left, submitted
from gear_client.latch import Latch
from gear_client.session import ClientSession
from gear_client.submissions import submit_packet
from gear_wire.constants import PRECEDENCE_NORMAL
from gear_wire.errors import (
    ConnectionError,
    DisconnectError,
    TimeoutError,
)
from gear_wire.jobs import to_handle, to_option, to_unique_key
from gear_wire.link.threads.client import BaseClient
from gear_wire.link.threads.connection import Connection
from gear_wire.link.threads.requests import CancelJobAdminRequest
from gear_wire.packet import Packet
from gear_wire.timeouts import check_timeout


class Client(BaseClient):
    """Submits jobs to servers and learns what becomes of them.

    Events arrive on one thread and are handled one at a time by the ``handle*`` methods: override
    them to react, and call super to have the job updated. A handler must not wait for an answer:
    `submitJob` and its kin raise there at once.

    Args:
        client_id: How this client introduces itself to servers and names itself in logs.
    """

    _kind = "Client"

    def __init__(self, client_id: str | bytes = "unknown") -> None:
        self.options: set[bytes] = set()
        self._latches: set[Latch] = set()
        super().__init__(client_id)

    def _newSession(self, connection: Connection) -> ClientSession:
        return ClientSession(self.client_id, sorted(self.options), connection.related_jobs)

    def _request(self, connection: Connection, ask: Callable[[ClientSession], None]) -> bool:
        """Ask something over a connection; False when the connection is gone."""
        try:
            with self._state_lock:
                if not isinstance(connection.session, ClientSession) or not connection.connected:
                    raise DisconnectError(f"{connection!r} is gone")
                ask(connection.session)
                connection.queueSession()
        except ConnectionError:
            self._lostConnection(connection)
            return False
        connection.flush()
        connection.yieldToServer()
        return True

    def _waitForAnswer(
        self, connection: Connection, answered: Latch, timeout: float | None
    ) -> bool:
        """Wait for an answer over a connection; False when the time is up."""
        self._latches.add(answered)
        try:
            if self._alone():
                self._spin(connection, answered.isOpen, self._alone)
            return answered.wait(timeout)
        finally:
            self._latches.discard(answered)

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

        When the connection is lost before the server's answer, the next server is asked: a job
        whose answer was lost may run twice.

        Args:
            job: The job; its `handle` is set when this returns.
            background: Whether nobody waits for its end; nothing is heard of it then.
            precedence: PRECEDENCE_NORMAL, PRECEDENCE_LOW or PRECEDENCE_HIGH.
            timeout: Seconds to wait for the server's answer; None for no limit.
            when: The time to run it at, as seconds since 1970 or a datetime with time zone;
                background jobs only.
            reducer: The function that shall combine the job's parts.

        Raises:
            NoConnectedServersError: No server is connected at the moment.
            ServerError: The server refused the job.
            TimeoutError: The server has not answered in time; it may have taken the job.
            ConfigurationError: The precedence is unknown.
            InvalidDataError: The protocol has no packet for the combination asked for.
            GearmanError: Called in a handler.
        """
        self.checkThread("submitJob")
        if not isinstance(job, Job):
            raise TypeError(f"submitJob takes a gear.Job, not {type(job).__name__}")
        packet = submit_packet(job, bool(background), precedence, when, reducer)
        deadline = deadline_after(timeout)
        job._guard = refuse_background if background else self.checkThread
        while True:
            connection = self.getConnection()
            answered = Latch()
            submission = Submission(job, packet, not background, answered.open)
            job.connection = connection
            if not self._request(connection, lambda session: session.submit(submission)):  # noqa: B023  (called at once)
                continue
            if not self._waitForAnswer(connection, answered, seconds_left(deadline)):
                raise TimeoutError(f"{connection!r} has not answered SUBMIT_JOB in {timeout} s")
            if submission.error is not None:
                raise submission.error
            if not submission.lost:
                return

    def getStatus(self, job: Job | str | bytes, timeout: float | None = 30) -> JobState:
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
        self.checkThread("getStatus")
        if not isinstance(job, Job):
            handle = to_handle(job)
            return self._askAll(
                lambda: StatusRequest(handle), ClientSession.request_status, timeout
            )
        known, connection = submitted(job, Connection)
        return self._askState(
            connection, lambda: StatusRequest(known, job), ClientSession.request_status, timeout
        )

    def getStatusByUnique(self, unique: str | bytes, timeout: float | None = 30) -> JobState:
        """Ask the servers for the state of a job by its unique, until one knows it.

        gearmand answers this since 1.1; raises as `getStatus` does.
        """
        self.checkThread("getStatusByUnique")
        key = to_unique_key(unique)
        return self._askAll(
            lambda: StatusRequest(key), ClientSession.request_status_by_unique, timeout
        )

    def _askAll(
        self,
        request: Callable[[], StatusRequest],
        ask: Callable[[ClientSession, StatusRequest], None],
        timeout: float | None,
    ) -> JobState:
        state = None
        for connection in self.active_connections[:]:
            state = self._askState(connection, request, ask, timeout)
            if state.known:
                return state
        if state is None:
            raise self._noServer()
        return state

    def _askState(
        self,
        connection: Connection,
        make: Callable[[], StatusRequest],
        ask: Callable[[ClientSession, StatusRequest], None],
        timeout: float | None,
    ) -> JobState:
        request = make()
        self._await(connection, request, lambda session: ask(session, request), timeout)
        assert request.state is not None
        return request.state

    def _await(
        self,
        connection: Connection,
        expectation: Expectation,
        ask: Callable[[ClientSession], None],
        timeout: float | None,
    ) -> None:
        limit = check_timeout(timeout)
        answered = Latch()
        expectation._on_settled = answered.open
        if not self._request(connection, ask) or (
            self._waitForAnswer(connection, answered, limit) and expectation.lost
        ):
            raise DisconnectError(f"{connection!r} was lost before the answer")
        if not expectation.settled:
            raise TimeoutError(f"no answer from {connection!r} in {timeout} s")
        if expectation.error is not None:
            raise expectation.error

    def setOption(self, name: str | bytes, timeout: float | None = 30) -> bool:
        """Set an option on all connections, now and whenever they are made again.

        Args:
            name: The option; servers know ``exceptions``, which is always asked for.
            timeout: Seconds to wait for each server; None for no limit.

        Returns:
            Whether every server that is connected confirmed it. Servers of gear 0.16 never
            answer: for them it is False after the timeout, and the connection stays.

        Raises:
            InvalidDataError: The name holds a NUL.
            InterruptedError: The client was shut down.
            GearmanError: Called in a handler.
        """
        self.checkThread("setOption")
        option = to_option(name)
        deadline = deadline_after(timeout)
        with self._state_lock:
            self._checkRunning()
            self.options.add(option)
            connections = self.active_connections[:]
        waiting: list[tuple[OptionRequest, Latch]] = []
        for connection in connections:
            answered = Latch()
            request = OptionRequest(option, answered.open)
            waiting.append((request, answered))
            if not self._request(connection, lambda session: session.request_option(request)):  # noqa: B023  (called at once)
                request.settle(lost=True)
        for _, answered in waiting:
            answered.wait(seconds_left(deadline))
        return all(request.confirmed for request, _ in waiting)

    def cancelJob(self, job: Job | str | bytes, timeout: float | None = 30) -> bool:
        """Take a job back: its clients hear that it failed; a worker that has it goes on alone.

        gear 0.16's server takes back jobs alone that no worker has.

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
        self.checkThread("cancelJob")
        if isinstance(job, Job):
            handle, connection = submitted(job, Connection)
            connections = [connection]
        else:
            handle = to_handle(job)
            connections = self.active_connections[:] or [self.getConnection()]
        for connection in connections:
            request = CancelJobAdminRequest(handle)
            connection.sendAdminRequest(request, timeout)
            if was_cancelled(request.reply()):
                return True
        return False

    def echo(self, data: str | bytes | None = None, timeout: float | None = 30) -> bytes:
        """Have the server whose turn it is send data back; as `Connection.echo`."""
        return self.getConnection().echo(data, timeout)

    # Events

    def _applyToJob(self, packet: Packet) -> Job:
        job = self._apply(packet)
        return job  # type: ignore[return-value]  # None only where the docstring says so

    def handleJobCreated(self, packet: Packet) -> Job:
        """Handle JOB_CREATED: the oldest job submitted here gets its handle; returns the job."""
        return self._applyToJob(packet)

    def handleWorkComplete(self, packet: Packet) -> Job:
        """Handle WORK_COMPLETE: the job ended well; returns the job."""
        return self._applyToJob(packet)

    def handleWorkFail(self, packet: Packet) -> Job:
        """Handle WORK_FAIL: the job failed; returns the job, None after a WORK_EXCEPTION."""
        return self._applyToJob(packet)

    def handleWorkException(self, packet: Packet) -> Job:
        """Handle WORK_EXCEPTION: the job failed with an exception; returns the job."""
        return self._applyToJob(packet)

    def handleWorkData(self, packet: Packet) -> Job:
        """Handle WORK_DATA: the job has more data; returns the job."""
        return self._applyToJob(packet)

    def handleWorkWarning(self, packet: Packet) -> Job:
        """Handle WORK_WARNING: the job has a warning; returns the job."""
        return self._applyToJob(packet)

    def handleWorkStatus(self, packet: Packet) -> Job:
        """Handle WORK_STATUS: the job has come so far; returns the job."""
        return self._applyToJob(packet)

    def handleStatusRes(self, packet: Packet) -> Job:
        """Handle STATUS_RES: the job is updated; returns it, None when only the handle is known."""
        return self._applyToJob(packet)

    def handleStatusResUnique(self, packet: Packet) -> object:
        """Handle STATUS_RES_UNIQUE: wakes whoever asked."""
        return self._apply(packet)

    def handleOptionRes(self, packet: Packet) -> object:
        """Handle OPTION_RES: the connection has the option."""
        if isinstance(packet.connection, Connection):
            packet.connection.handleOptionRes(packet.getArgument(0))
        return self._apply(packet)
