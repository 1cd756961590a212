"""The documented `Worker`: takes jobs in threads; the same on asyncio is in `aio`."""

import socket
import threading
import time
from collections.abc import Callable, Iterable

from gear_wire.errors import ConfigurationError, InterruptedError
from gear_wire.jobs import to_function_name
from gear_wire.link.deadline import CLOSE_TIMEOUT, Deadline
from gear_wire.link.threads.client import BaseClient
from gear_wire.link.threads.connection import Connection
from gear_wire.packet import Packet, read_as
from gear_wire.packets import (
    BasePacket,
    CantDo,
    JobAssign,
    JobAssignAll,
    JobAssignUnique,
    PreSleep,
    ResetAbilities,
)
from gear_wire.types import FunctionName
from gear_worker.functions import FunctionRecord, check_records
from gear_worker.jobs import ENDINGS, Assigned, WorkerJob
from gear_worker.session import GRAB_PATIENCE, Assignments, WorkerSession


def _is_by_hand(packet: Packet) -> bool:
    """Tell whether a program handed a packet to the handler itself, as its tests do."""
    connection = packet.connection
    return not isinstance(connection, Connection) or connection.session is None


class Worker(BaseClient):
    """Takes jobs from servers, in as many threads as call `getJob`.

    Args:
        client_id: How this worker introduces itself; the name of the host by default.
        worker_id: The old name of `client_id`.
        grab_all: Whether to ask for jobs with GRAB_JOB_ALL, which tells the reducer of those that
            have one; gearmand and geard know it, gear 0.16's and Perl's servers do not.
        heartbeat: Seconds without traffic after which a server is asked for an echo; if nothing
            comes in as many seconds again, the connection is made anew. None for never.

    Attributes:
        worker_id: As given.
        job_class: The class of the jobs that `getJob` returns.

    Raises:
        ConfigurationError: Both names are given, and differ.
    """

    _kind = "Worker"
    job_class: type[WorkerJob] = WorkerJob

    def __init__(
        self,
        client_id: str | bytes | None = None,
        worker_id: str | bytes | None = None,
        *,
        grab_all: bool = False,
        heartbeat: float | None = None,
    ) -> None:
        if client_id is not None and worker_id is not None and client_id != worker_id:
            raise ConfigurationError("give client_id; worker_id is an old name of it")
        name = client_id or worker_id or socket.gethostname()
        self.worker_id: str | bytes = name
        self._assignments: Assignments[WorkerJob] = Assignments(self._make_job, grab_all)
        self._interrupts = 0
        super().__init__(name, heartbeat=heartbeat)

    def _make_locks(self) -> None:
        super()._make_locks()
        self._assigned = threading.Condition(self._state_lock)

    def _was_forked(self) -> None:
        self._assignments.forget()

    @property
    def functions(self) -> dict[bytes, FunctionRecord]:
        """What the worker can do, by name; assigning it tells servers when they reconnect."""
        return self._assignments.functions

    @functions.setter
    def functions(self, functions: dict[bytes, FunctionRecord]) -> None:
        self._assignments.functions = functions

    @property
    def waiting_for_jobs(self) -> int:
        """How many threads wait in `getJob`."""
        return self._assignments.waiting

    # Functions

    def registerFunction(self, name: str | bytes, timeout: float | bytes | None = None) -> None:
        """Tell all servers, now and when they reconnect, that this worker can do a function.

        Args:
            name: The function's name; text is sent as UTF-8.
            timeout: Seconds that one of its jobs may run before the server takes it back; None
                for no limit.

        Raises:
            InvalidDataError: The name is empty or holds a NUL, or the timeout is not positive.
        """
        record = FunctionRecord(name, timeout)
        with self._state_lock:
            self._assignments.register(record)
            self._queue()
        self._flush()

    def unRegisterFunction(self, name: str | bytes) -> None:
        """Tell all servers that this worker can no longer do a function.

        Raises:
            KeyError: It was not registered.
        """
        with self._state_lock:
            self._assignments.unregister(to_function_name(name))
            self._queue()
        self._flush()

    unregisterFunction = unRegisterFunction

    def setFunctions(self, functions: Iterable[FunctionRecord]) -> None:
        """Have these functions and no others; an empty list stops the work from coming.

        Raises:
            TypeError: One of them is no FunctionRecord; nothing has changed then.
        """
        records = check_records(functions)
        with self._state_lock:
            self._assignments.replace(records)
            self._queue()
        self._flush()

    # Jobs

    def getJob(self, timeout: float | None = None) -> WorkerJob:
        """Wait for a job and return it; may be called from several threads at once.

        Args:
            timeout: Seconds to wait; None for no limit.

        Raises:
            InterruptedError: `stopWaitingForJobs` or `shutdown` was called.
            TimeoutError: No job came in time.
            GearmanError: Called in a handler.
        """
        self.check_thread("getJob")
        deadline = Deadline(timeout)
        with self._state_lock:
            self._check_running()
            if self._assignments.draining:
                raise InterruptedError(f"{self!r} is being drained")
            interrupts = self._interrupts
            self._assignments.wait()
            self._queue()
        try:
            self._flush()
            self._look_for_job(interrupts)
            while True:
                job = self._wait_for_job(interrupts, deadline)
                if job is not None:
                    return job
                if deadline.expired():
                    raise deadline.error("no job came")
        finally:
            with self._state_lock:
                self._assignments.leave()

    def _look_for_job(self, interrupts: int) -> None:
        """Look for a moment whether a job comes, before sleeping; with one server alone."""
        connections = self.active_connections[:]
        if len(connections) == 1:
            self._spin(
                connections[0],
                lambda: bool(self._assignments.jobs) or self._interrupts != interrupts,
                lambda: self._assignments.waiting < 2,
            )

    def _wait_for_job(self, interrupts: int, deadline: Deadline) -> WorkerJob | None:
        """Return the next job; None after a while, or when something must be said first."""
        with self._assigned:
            if not self._assignments.jobs and self._interrupts == interrupts:
                patience = self._assignments.tick(time.monotonic())
                if not self._queue():
                    self._assigned.wait_for(
                        lambda: self._assignments.jobs or self._interrupts != interrupts,
                        Deadline.sooner(patience, deadline).left(),
                    )
            if self._interrupts != interrupts:
                raise InterruptedError("waiting for jobs was stopped")
            if self._assignments.jobs:
                return self._assignments.jobs.popleft()
        self._flush()
        return None

    def stopWaitingForJobs(self) -> None:
        """Make every `getJob` that waits now raise InterruptedError.

        A job that comes afterwards is kept for the next `getJob`.
        """
        with self._assigned:
            self._interrupts += 1
            self._assigned.notify_all()

    def drain(self, timeout: float | None = None) -> bool:
        """Finish what runs, then shut the worker down.

        No more jobs are asked for. Every `getJob`, those that wait and later ones, raises
        InterruptedError; but one that waits may still get a job that a server gave before it
        could hear of this. Then this waits until all jobs that were taken have ended. A job that
        came and was not taken goes back to its server, as do those that still run in the end.

        It waits for the threads that work. So one of those, or a signal handler, which may have
        interrupted one, lets another thread call it.

        Args:
            timeout: Seconds to wait; None for no limit.

        Returns:
            Whether all jobs that were taken have ended.

        Raises:
            GearmanError: Called in a handler.
        """
        self.check_thread("drain")
        deadline = Deadline(timeout)
        assignments = self._assignments
        with self.connections_condition:
            assignments.drain(self.connections_condition.notify_all)
            self.connections_condition.wait_for(
                lambda: not assignments.coming, Deadline.sooner(GRAB_PATIENCE, deadline).left()
            )
            self.stopWaitingForJobs()
            ended = self.connections_condition.wait_for(
                lambda: not (assignments.running and self.running), deadline.left()
            )
        self.shutdown(Deadline.sooner(CLOSE_TIMEOUT, deadline).left())
        return ended and not assignments.cut_off

    def _shutdown(self) -> None:
        self.stopWaitingForJobs()

    def _new_session(self, connection: Connection) -> WorkerSession[WorkerJob]:
        return WorkerSession(
            self.client_id, self._assignments, connection.related_jobs, connection.changeState
        )

    def _make_job(self, session: WorkerSession[WorkerJob], packet: Assigned) -> WorkerJob:
        job = self.job_class.from_packet(packet)
        connection = next(known for known in self.active_connections if known.session is session)

        def send(report: BasePacket) -> None:
            self._report(connection, session, report)

        job.attach(connection, send, self.log)
        return job

    def _loop_is_here(self) -> bool:
        """Tell whether this is the poll thread, in a handler; it cannot wait until it sends."""
        return self._loop is not None and self._loop.here()

    def _report(
        self, connection: Connection, session: WorkerSession[WorkerJob], packet: BasePacket
    ) -> None:
        with self._state_lock:
            session.work(packet)
            connection.queue_session()
            mark = connection.mark()
            self._assignments.reporting()
        sent = False
        try:
            if isinstance(packet, ENDINGS) and not self._loop_is_here():
                connection.send_all(Deadline(None), mark)
            else:
                connection.flush()
                connection.wait_for_room(Deadline(None))
            sent = True
        finally:
            with self._state_lock:
                self._assignments.reported(sent)

    # Events

    def _apply(self, packet: Packet) -> object:
        """Do what a packet says; nothing for one that came over no connection of a worker."""
        return None if _is_by_hand(packet) else super()._apply(packet)

    def _apply_assignment(self, packet: Packet, kind: type[Assigned]) -> object:
        job = self._apply(packet)
        with self._assigned:
            if _is_by_hand(packet):
                job = self.job_class.from_packet(read_as(packet, kind))
                job.connection = packet.connection
                self._assignments.jobs.append(job)
            self._assigned.notify()
        return job

    def handleNoop(self, packet: Packet) -> object:
        """Handle NOOP: a job may be had, so ask for one if someone waits."""
        return self._apply(packet)

    def handleNoJob(self, packet: Packet) -> object:
        """Handle NO_JOB: ask another server, and tell this one that the worker sleeps."""
        return self._apply(packet)

    def handleJobAssign(self, packet: Packet) -> object:
        """Handle JOB_ASSIGN: the job goes to a thread in `getJob`."""
        return self._apply_assignment(packet, JobAssign)

    def handleJobAssignUnique(self, packet: Packet) -> object:
        """Handle JOB_ASSIGN_UNIQ: the job goes to a thread in `getJob`."""
        return self._apply_assignment(packet, JobAssignUnique)

    def handleJobAssignAll(self, packet: Packet) -> object:
        """Handle JOB_ASSIGN_ALL: the job goes to a thread in `getJob`."""
        return self._apply_assignment(packet, JobAssignAll)

    def handleError(self, packet: Packet) -> object:
        """Handle ERROR: it is logged; the connection and its jobs go on."""
        session = getattr(packet.connection, "session", None)
        if not (isinstance(session, WorkerSession) and session.expects(packet.getArgument(0))):
            self._log_error(packet)
        return None

    # What 0.16's users call beside the documented methods

    def _sendGrabJobUniq(self, connection: Connection | None = None) -> None:
        self._tell(connection, WorkerSession.ask)

    def _sendPreSleep(self, connection: Connection) -> None:
        self._say(PreSleep(), connection)

    def _sendCanDo(self, name: str | bytes) -> None:
        self._say(FunctionRecord(name).packet)

    def _sendCanDoTimeout(self, name: str | bytes, timeout: float | bytes) -> None:
        self._say(FunctionRecord(name, timeout).packet)

    def _sendCantDo(self, name: str | bytes) -> None:
        self._say(CantDo(FunctionName(to_function_name(name))))

    def _sendResetAbilities(self) -> None:
        self._say(ResetAbilities())

    def _say(self, packet: BasePacket, connection: Connection | None = None) -> None:
        def say(session: WorkerSession[WorkerJob]) -> None:
            session.queue(packet)
            session.spoke(packet)

        self._tell(connection, say)

    def _tell(
        self, connection: Connection | None, tell: Callable[[WorkerSession[WorkerJob]], None]
    ) -> None:
        with self._state_lock:
            for known in (connection,) if connection else self.active_connections:
                if isinstance(known.session, WorkerSession):
                    tell(known.session)
            self._queue()
        self._flush()
