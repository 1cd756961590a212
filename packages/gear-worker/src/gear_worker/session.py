"""What a worker knows of its connections: what it can do, who waits, which jobs came; pure."""

import collections
from collections.abc import Callable, Iterable
from typing import Final, Generic, Protocol, TypeVar

from gear_wire.errors import DisconnectError, ProtocolError
from gear_wire.escape import quoted
from gear_wire.jobs import BaseJob
from gear_wire.packets import (
    BasePacket,
    CanDo,
    CanDoTimeout,
    CantDo,
    EchoRes,
    Error,
    GrabJob,
    GrabJobAll,
    GrabJobUniq,
    JobAssign,
    JobAssignAll,
    JobAssignUnique,
    NoJob,
    Noop,
    PreSleep,
    ResetAbilities,
    SetClientID,
    WorkException,
    WorkFail,
)
from gear_wire.session import MAX_HANDLE_SIZE, Session, long_handle, name_of
from gear_wire.types import ClientID, FunctionName
from gear_worker.functions import FunctionRecord
from gear_worker.jobs import ENDINGS, Assigned
from gear_worker.states import Event, State, follow

Job = TypeVar("Job", bound=BaseJob)
ASK_AGAIN: Final = 10.0
"""Seconds after which a worker that waits asks for a job though no NOOP came."""
GRAB_PATIENCE: Final = 0.5
"""Seconds after which a server that has not answered a GRAB_JOB is not counted on any more."""
_ANSWERS: Final[dict[type[BasePacket], tuple[type[BasePacket], ...]]] = {
    GrabJob: (JobAssign,),
    GrabJobUniq: (JobAssignUnique,),
    GrabJobAll: (JobAssignAll, JobAssignUnique),  # the second for a job without reducer
}


class Lane(Protocol):
    """Functions that have a connection of their own to each server, for they have a limit.

    A worker asks a server for any of the functions that it has registered over a connection. So
    that no job is taken which cannot start, what has a limit of its own is asked for apart.

    Attributes:
        functions: What is registered over these connections, and nothing else.
    """

    functions: dict[bytes, FunctionRecord]

    def room(self) -> int:
        """Return how many more of its jobs could start now."""

    def assigned(self) -> None:
        """Note that one of its jobs was assigned."""


class Assignments(Generic[Job]):
    """All of a worker: its functions, who waits for jobs, and the jobs that came and wait.

    Never more jobs are asked for than are waited for: a job taken without need would wait here
    while another worker is free. (gear 0.16 asked all servers at once.)

    Args:
        make_job: Makes the job of an assignment.
        grab_all: Whether jobs shall tell their reducer.

    Attributes:
        functions: What the worker can do, by name.
        waiting: How many callers wait for a job.
        jobs: The jobs that came and are not taken yet, oldest first.
        grab: The packet that asks for a job.
        draining: Whether no more jobs are asked for.
        cut_off: How many jobs were lost with their connections before their end had left, while
            draining.
        most_grabs: How many jobs a server may be asked for at once, if it has just given some: so
            the next ones need not wait for a round trip each.
    """

    def __init__(
        self, make_job: Callable[["WorkerSession[Job]", Assigned], Job], grab_all: bool = False
    ) -> None:
        self.make_job: Callable[[WorkerSession[Job], Assigned], Job] = make_job
        self.functions: dict[bytes, FunctionRecord] = {}
        self.waiting: int = 0
        self.jobs: collections.deque[Job] = collections.deque()
        self.grab: BasePacket = GrabJobAll() if grab_all else GrabJobUniq()
        self.draining: bool = False
        self.cut_off: int = 0
        self.most_grabs: int = 1
        self._reports = 0
        self._on_change: Callable[[], object] | None = None
        self._sessions: collections.deque[WorkerSession[Job]] = collections.deque()

    # Functions

    def register(self, record: FunctionRecord) -> None:
        """Tell all servers of a function; nothing when they were told already."""
        known = self.functions.get(record.name)
        self.functions[record.name] = record
        if known is not None and known.packet == record.packet:
            return
        for session in self._sessions:
            session.announce(record)
        self.ask()

    def unregister(self, name: FunctionName) -> None:
        """Tell all servers that a function is gone; KeyError when it was not registered."""
        del self.functions[name]
        for session in self._sessions:
            session.withdraw(CantDo(name))

    def replace(self, records: Iterable[FunctionRecord]) -> None:
        """Have these functions and no others; servers hear of the differences only.

        RESET_ABILITIES would have gearmand take back the jobs that run here.
        """
        wanted: dict[bytes, FunctionRecord] = {record.name: record for record in records}
        if not wanted and self.functions:
            self.functions.clear()
            for session in self._sessions:
                session.withdraw(ResetAbilities())
            return
        for name in [name for name in self.functions if name not in wanted]:
            self.unregister(FunctionName(name))
        for record in wanted.values():
            self.register(record)

    # Waiting for jobs

    def wait(self) -> None:
        """Note one more caller who waits, and ask for a job if there is need."""
        self.waiting += 1
        self.ask()

    def want(self, jobs: int) -> None:
        """Have so many callers wait in all, and ask for jobs if there is need."""
        self.waiting = jobs
        self.ask()

    def leave(self) -> None:
        """Note that a caller waits no longer, with a job or without."""
        self.waiting -= 1
        self.changed()

    def ask(self) -> None:
        """Ask as many of the servers that are awake for jobs as jobs are needed, in turns."""
        if self.draining:
            return
        needed = self.waiting - len(self.jobs)
        for session in self._sessions:
            if not session.late:
                needed -= len(session.grabs)
        for session in tuple(self._sessions):
            if needed <= 0:
                return
            if session.may_ask and self._may_ask(session):
                session.ask()
                self._sessions.remove(session)
                self._sessions.append(session)
                needed -= 1

    def _may_ask(self, session: "WorkerSession[Job]") -> bool:
        """Tell whether a job that comes over a connection could start, as far as its lane knows."""
        lane = session.lane
        if session.retired:
            return False
        if lane is None:
            return True
        expected = sum(
            len(known.grabs) for known in self._sessions if known.lane is lane and not known.late
        )
        return lane.room() > expected

    def tick(self, now: float) -> float:
        """Do what time demands; for callers who are about to wait.

        A server that hangs would hold up the jobs of the others, as what it was asked for counts
        as a job to come. So others are asked instead after `GRAB_PATIENCE`. If it answers with a
        job after all, that is kept for the next caller.

        Servers that the worker sleeps at are asked again after `ASK_AGAIN`, in case a NOOP was
        lost. gearmand loses one when a woken worker sleeps again while another takes its job, and
        sends one too early for a job that it takes back from a worker that was too slow.

        Args:
            now: Seconds on any clock that never goes back.

        Returns:
            Seconds until the next tick.
        """
        for session in self._sessions:
            session.tick(now)
            if session.overslept and self.needed and self._may_ask(session):
                session.ask()
        self.ask()
        return GRAB_PATIENCE if self._counts_on_a_server else ASK_AGAIN

    @property
    def _counts_on_a_server(self) -> bool:
        """Whether a server that was asked for a job may still answer in time."""
        return any(session.grabs and not session.late for session in self._sessions)

    @property
    def needed(self) -> bool:
        """Whether someone waits for whom no job has come."""
        return self.waiting > len(self.jobs) and not self.draining

    # Leaving

    def drain(self, on_change: Callable[[], object]) -> None:
        """Ask for no more jobs.

        Args:
            on_change: Called whenever `coming` or `running` may have changed.
        """
        self.draining = True
        self._on_change = on_change

    def reporting(self) -> None:
        """Note a report that is about to be sent."""
        self._reports += 1

    def reported(self, sent: bool) -> None:
        """Note that a report was sent, or could not be."""
        self._reports -= 1
        if self.draining and not sent:
            self.cut_off += 1
        self.changed()

    def changed(self) -> None:
        """Tell who drains the worker that a job was taken, ended or did not come."""
        if self._on_change is not None:
            self._on_change()

    @property
    def coming(self) -> bool:
        """Whether a caller who waits may still get a job that a server was asked for."""
        return self.waiting > 0 and (self._counts_on_a_server or bool(self.jobs))

    @property
    def running(self) -> int:
        """How many jobs were taken and have not ended, or the end of which is still being sent."""
        return self._reports + sum(len(self._taken(session)) for session in self._sessions)

    def _taken(self, session: "WorkerSession[Job]") -> list[BaseJob]:
        untaken = {id(job) for job in self.jobs}
        return [job for job in session.jobs.values() if id(job) not in untaken]

    def discard(self, job: BaseJob) -> None:
        """Drop a job that nobody has taken: its server has taken it back, and given it out anew."""
        self.jobs = collections.deque(known for known in self.jobs if known is not job)

    # Connections

    def opened(self, session: "WorkerSession[Job]") -> None:
        """Take in a fresh connection."""
        self._sessions.append(session)
        self.ask()

    def forget(self) -> None:
        """Forget all connections and the jobs that came over them: they are another process's."""
        self._sessions.clear()
        self.jobs.clear()
        self.waiting = 0
        self._reports = 0

    def closed(self, session: "WorkerSession[Job]") -> None:
        """Forget a connection, and the jobs that came over it and were not taken."""
        if session in self._sessions:
            self._sessions.remove(session)
            if self.draining:
                self.cut_off += len(self._taken(session))
        gone = {id(job) for job in session.jobs.values()}
        self.jobs = collections.deque(job for job in self.jobs if id(job) not in gone)
        self.ask()
        self.changed()


class WorkerSession(Session, Generic[Job]):
    """The worker's end of one connection.

    Args:
        client_id: How to introduce itself.
        assignments: The worker it belongs to.
        related_jobs: The jobs that run here, by handle; kept up to date.
        on_state: Told of each new state.
        lane: What is registered over this connection; None for all functions of the worker.

    Attributes:
        assignments: As given.
        lane: As given.
        retired: Whether no more jobs are asked for here.
        jobs: The jobs that run here, by handle.
        state: What the connection does.
        grabs: The GRAB_JOBs that are not answered, oldest first.
        late: Whether they have not been answered for `GRAB_PATIENCE`.
        overslept: Whether the worker has slept for `ASK_AGAIN`.
        window: How many jobs it may be asked for at once: one more with each job that it gives, and
            one again when it has none.
    """

    def __init__(
        self,
        client_id: bytes,
        assignments: Assignments[Job],
        related_jobs: dict[bytes, BaseJob],
        on_state: Callable[[str], None] | None = None,
        lane: Lane | None = None,
    ) -> None:
        super().__init__()
        self._client_id = client_id
        self.assignments: Assignments[Job] = assignments
        self.jobs: dict[bytes, BaseJob] = related_jobs
        self._on_state = on_state
        self.lane: Lane | None = lane
        self.retired: bool = False
        self.state: State = State.INIT
        self.grabs: collections.deque[type[BasePacket]] = collections.deque()
        self.late: bool = False
        self.overslept: bool = False
        self.window: int = 1
        self._since: float | None = None
        self._timed: bytes | None = None
        self._last_exception: bytes | None = None
        self._needless_fails = 0
        self._told: set[bytes] = set()
        # A CANT_DO may cross with answers: by function, the number of the last that may be a job.
        self._withdrawn: dict[bytes, int] = {}
        self._answers = 0

    def _follow(self, event: Event) -> None:
        self.state = follow(self.state, event)
        self._since = None
        if self._on_state is not None:
            self._on_state(self.state.value)

    def greet(self) -> None:
        """Introduce the worker and all it can do, and ask for a job if one is needed."""
        self.queue(SetClientID(ClientID(self._client_id)))
        source = self.assignments if self.lane is None else self.lane
        for record in source.functions.values():
            self._tell(record.packet)
        self._follow(Event.GREETING)
        self.assignments.opened(self)

    def announce(self, record: FunctionRecord) -> None:
        """Tell of a function; jobs of it may be queued already, so sleep is over."""
        self._tell(record.packet)
        if self.state is State.SLEEP:
            self._follow(Event.WOKEN)

    def withdraw(self, packet: CantDo | ResetAbilities) -> None:
        """Tell of a function, or of all, that the worker can no longer do it."""
        self._tell(packet)

    def _tell(self, packet: BasePacket) -> None:
        self.queue(packet)
        self.spoke(packet)

    def spoke(self, packet: BasePacket | None) -> None:
        """Note what the server is told, by the session or past it."""
        match packet:
            case CanDo() | CanDoTimeout():
                self._told.add(packet.function)
            case CantDo():
                self._note_withdrawn({packet.function})
            case ResetAbilities():
                self._note_withdrawn(self._told)
            case GrabJob() | GrabJobUniq() | GrabJobAll():
                self.grabs.append(type(packet))
                self._follow(Event.GRAB)
            case _:
                super().spoke(packet)

    def _note_withdrawn(self, functions: set[bytes]) -> None:
        if self.grabs:
            last = self._answers + len(self.grabs)
            self._withdrawn |= dict.fromkeys(functions & self._told, last)
        self._told = self._told - functions

    def tick(self, now: float) -> None:
        """Note for how long nothing has changed.

        Args:
            now: Seconds on any clock that never goes back.
        """
        if self._since is None:
            self._since = now
        waited = now - self._since
        self.late = bool(self.grabs) and (self.late or waited >= GRAB_PATIENCE)
        self.overslept = self.state is State.SLEEP and waited >= ASK_AGAIN
        if self._timed is not None and self.state is State.IDLE and self._timed not in self.jobs:
            # gearmand's timer of a job goes on when the job has ended, and then counts it as ended
            # once more. An assignment stops it, and PRE_SLEEP unless it is answered with NOOP.
            self._pre_sleep()

    def _pre_sleep(self) -> None:
        self.queue(PreSleep())
        self._timed = None
        self._follow(Event.PRE_SLEEP)

    @property
    def may_ask(self) -> bool:
        """Whether it can be asked for a job, for another one perhaps."""
        if self.state is State.GRAB_WAIT:
            return len(self.grabs) < self.window and not self.late
        return self.state is State.IDLE

    def ask(self) -> None:
        """Ask for a job."""
        self.queue(self.assignments.grab)
        self.grabs.append(type(self.assignments.grab))
        self._follow(Event.GRAB)

    def work(self, packet: BasePacket) -> None:
        """Tell of a job that runs here.

        Raises:
            DisconnectError: The connection over which the job came is gone, and with it the job.
        """
        self.check_open(packet)
        self.queue(packet)
        handle: bytes = getattr(packet, "handle", b"")
        if isinstance(packet, ENDINGS):
            self.jobs.pop(handle, None)
            self.assignments.changed()
            if isinstance(packet, WorkFail) and handle == self._last_exception:
                self._needless_fails += 1
            self._last_exception = handle if isinstance(packet, WorkException) else None

    def check_open(self, packet: BasePacket) -> None:
        """Raise DisconnectError when the connection is gone over which a job came."""
        if not self.open:
            handle: bytes = getattr(packet, "handle", b"")
            raise DisconnectError(
                f"the connection that job {quoted(handle)} came over was lost: the server "
                "has taken the job back"
            )

    def expects(self, code: bytes) -> bool:
        """Tell whether an error is the answer to a WORK_FAIL that followed a WORK_EXCEPTION.

        To most servers that one is too much, but Perl's waits for it. Call it once for each error.

        Args:
            code: The error's code.
        """
        if not self._needless_fails or code != b"JOB_NOT_FOUND":
            return False
        self._needless_fails -= 1
        return True

    # What the server says

    def apply(self, packet: BasePacket) -> BaseJob | None:
        """Apply a packet, and return the job that it assigns; nothing after the loss.

        Raises:
            ProtocolError: It answers nothing, or is no answer to what was asked.
        """
        if not self.open:
            return None
        rule = _RULES.get(type(packet))
        if rule is not None:
            return rule(self, packet)
        if not isinstance(packet, EchoRes | Error):  # who asked for an echo knows what came back
            self.refuse(packet)
        return None

    def _noop(self, packet: Noop) -> None:
        self._follow(Event.NOOP)
        self.assignments.ask()

    def _no_job(self, packet: NoJob) -> None:
        if not self.grabs:
            return  # it gives nothing and takes nothing, and some servers are free with it
        self._answered(Event.NO_JOB)
        self.window = 1
        if self.state is State.IDLE and self.assignments.needed:
            # A job that comes now makes the server answer PRE_SLEEP with a NOOP: none is missed.
            self._pre_sleep()
        self.assignments.ask()

    def _job_assign(self, packet: Assigned) -> Job:
        self._check(packet)
        self._answered(Event.JOB_ASSIGN)
        self.window = min(self.window + 1, self.assignments.most_grabs)
        earlier = self.jobs.get(packet.handle)
        if earlier is not None:
            self.assignments.discard(earlier)
        job = self.assignments.make_job(self, packet)
        source = self.assignments if self.lane is None else self.lane
        record = source.functions.get(packet.function)
        self._timed = packet.handle if record is not None and record.timeout else None
        if self.lane is not None:
            self.lane.assigned()
        self.jobs[packet.handle] = job
        self.assignments.jobs.append(job)
        self.assignments.ask()
        return job

    def _check(self, packet: Assigned) -> None:
        """Raise ProtocolError for a job that was not asked for, or not of this worker."""
        if not self.grabs:
            raise ProtocolError(f"{name_of(packet)} that nobody asked for")
        if type(packet) not in _ANSWERS[self.grabs[0]]:
            asked = self.grabs[0].__name__
            raise ProtocolError(f"{name_of(packet)} is no answer to {asked}")
        if len(packet.handle) > MAX_HANDLE_SIZE:
            raise long_handle(packet.handle)
        function = packet.function
        if function in self._told or function in self.assignments.functions:
            return
        if not (self._withdrawn.get(function, 0) > self._answers or self.by_hand):
            raise ProtocolError(f"a job of {quoted(packet.function)}, which is not registered here")

    def _answered(self, event: Event) -> None:
        self.grabs.popleft()
        self._answers += 1
        if not self.grabs:
            self._withdrawn.clear()
        self.late = False
        self._since = None
        if not self.grabs and self.state is State.GRAB_WAIT:
            self._follow(event)
        self.assignments.changed()

    def lost(self, reason: str = "") -> list[BaseJob]:
        """Forget the connection and the jobs of it that nobody has taken."""
        others = super().lost(reason)
        self.grabs.clear()
        self.assignments.closed(self)
        return others


_RULES: Final[dict[type[BasePacket], Callable[..., "BaseJob | None"]]] = {
    Noop: WorkerSession._noop,
    NoJob: WorkerSession._no_job,
    JobAssign: WorkerSession._job_assign,
    JobAssignUnique: WorkerSession._job_assign,
    JobAssignAll: WorkerSession._job_assign,
}
