"""What a client knows of one connection: which answers it awaits and which jobs run there; pure."""

import collections
import weakref
from collections.abc import Callable, Iterable
from typing import Final

from gear_client.changes import CHANGES
from gear_client.expectations import (
    ByKey,
    EchoRequest,
    Expectation,
    JobState,
    OptionRequest,
    OwnStatusRequest,
    OwnSubmission,
    StatusRequest,
    Submission,
)
from gear_client.jobs import Job
from gear_client.outcome import CANCELLED, Outcome
from gear_wire.errors import InvalidDataError, ProtocolError, ServerError, UnknownJobError
from gear_wire.escape import quoted
from gear_wire.jobs import BaseJob
from gear_wire.number import to_number
from gear_wire.packets import (
    BasePacket,
    EchoReq,
    EchoRes,
    Error,
    GetStatus,
    GetStatusUnique,
    JobCreated,
    OptionReq,
    OptionRes,
    SetClientID,
    StatusRes,
    StatusResUnique,
    WorkComplete,
    WorkData,
    WorkException,
    WorkFail,
    WorkStatus,
    WorkWarning,
)
from gear_wire.session import MAX_HANDLE_SIZE, SUBMISSIONS, Session, long_handle
from gear_wire.types import ClientID, Handle, UniqueKey

EXCEPTIONS: Final = b"exceptions"
"""The option without which gearmand turns WORK_EXCEPTION into a bare WORK_FAIL."""
_OPTION_CODES: Final = frozenset({"UNKNOWN_OPTION", "unknown_option"})
# Errors that answer no submission: they are about a packet that awaits nothing.
_UNASKED_CODES: Final = frozenset(
    {"JOB_NOT_FOUND", "INVALID_ARGUMENT", "INVALID_COMMAND", "INVALID_MAGIC"}
)
_REMEMBERED: Final = 128


class ClientSession(Session):
    """The client's end of one connection.

    JOB_CREATED names no job: it answers the oldest submission. Options are answered in the same
    order, except by servers that never answer them (gear 0.16's). So if the oldest question is for
    an option when a JOB_CREATED comes, the option was ignored.

    Two jobs get one handle when the server coalesces them by their unique. gearmand then sends each
    packet once per submission. So the packets of a handle are given to its jobs in turn; the first
    that ends one of them ends all, and each such packet removes one from `related_jobs`.

    Args:
        client_id: How to introduce itself.
        options: The options to ask for, beside ``exceptions``.
        related_jobs: The foreground jobs that run here, by handle; kept up to date.
    """

    def __init__(
        self,
        client_id: bytes,
        options: Iterable[bytes],
        related_jobs: dict[bytes, BaseJob],
    ) -> None:
        super().__init__()
        self._client_id = client_id
        self._options = list(options)
        self._jobs = related_jobs
        self._coalesced: dict[bytes, collections.deque[Job]] = {}
        self._queue: collections.deque[Submission | OptionRequest | OwnSubmission] = (
            collections.deque()
        )
        self._asked_options: set[bytes] = set()
        self._by_handle: ByKey[StatusRequest] = ByKey()
        self._by_unique: ByKey[StatusRequest] = ByKey()
        self._by_echo: ByKey[EchoRequest] = ByKey()
        self._ended_early: collections.deque[bytes] = collections.deque(maxlen=_REMEMBERED)
        self._cancelling: list[bytes] = []
        self._cancelled: weakref.WeakValueDictionary[bytes, Job] = weakref.WeakValueDictionary()
        self._forgotten = 0

    # What the client asks for

    def greet(self) -> None:
        """Introduce the client, and ask for its options."""
        self.queue(SetClientID(ClientID(self._client_id)))
        for option in dict.fromkeys([EXCEPTIONS, *self._options]):
            self.request_option(OptionRequest(option))

    def submit(self, submission: Submission) -> None:
        """Submit a job; the JOB_CREATED that follows those of earlier submissions answers it."""
        self._queue.append(submission)
        self.queue(submission.packet)

    def request_option(self, request: OptionRequest) -> None:
        """Ask for an option of the connection."""
        self._expect_option(request)
        self.queue(OptionReq(request.option))

    def _expect_option(self, request: OptionRequest) -> None:
        self._queue.append(request)
        self._asked_options.add(request.option.lower())

    def request_status(self, request: StatusRequest) -> None:
        """Ask for the state of a job by its handle."""
        self._by_handle.add(request.key, request)
        self.queue(GetStatus(Handle(request.key)))

    def request_status_by_unique(self, request: StatusRequest) -> None:
        """Ask for the state of a job by its unique."""
        self._by_unique.add(request.key, request)
        self.queue(GetStatusUnique(UniqueKey(request.key)))

    def request_echo(self, request: EchoRequest) -> None:
        """Ask the server to send data back."""
        self._by_echo.add(request.data, request)
        self.queue(EchoReq(request.data))

    def spoke(self, packet: BasePacket | None) -> None:
        """Note what the program asks past the session; the answer has its place in the order."""
        match packet:
            case GetStatus():
                self._by_handle.add(packet.handle, OwnStatusRequest(packet.handle))
            case GetStatusUnique():
                self._by_unique.add(packet.unique, OwnStatusRequest(packet.unique))
            case OptionReq():
                self._expect_option(OptionRequest(packet.option))
            case _ if isinstance(packet, SUBMISSIONS):
                self._queue.append(OwnSubmission())
            case _:
                super().spoke(packet)

    def forget(self, expectation: Expectation) -> None:
        """Note that nobody waits any more for an answer, which may come late or never.

        A late answer must not be taken for that to a later question about the same, so the question
        keeps its place. But answers come in the order of the questions: an echo that is asked for
        now comes back after the last moment at which the answer can come. Then the question is
        forgotten, so that one answer that never comes does not shift all after it.

        A submission keeps its place for good. Taking the handle of one job for that of another
        would be worse than waiting in vain, and there are servers that hold a handle back until the
        job is on a disk.

        Args:
            expectation: What was asked for.
        """
        if expectation.settled or isinstance(expectation, Submission):
            return
        if isinstance(expectation, EchoRequest):
            self._discard(expectation)  # another one with this data has the same answer
            return
        self._forgotten += 1
        data = b"gear has forgotten %d" % self._forgotten
        self.request_echo(EchoRequest(data, lambda: self._discard(expectation)))

    def _discard(self, expectation: Expectation) -> None:
        if isinstance(expectation, StatusRequest):
            self._by_handle.discard(expectation.key, expectation)
            self._by_unique.discard(expectation.key, expectation)
        elif isinstance(expectation, EchoRequest):
            self._by_echo.discard(expectation.data, expectation)
        elif isinstance(expectation, OptionRequest) and expectation in self._queue:
            self._queue.remove(expectation)

    def begin_cancel(self, handle: bytes) -> None:
        """Note that the server is asked to cancel a job, by text command."""
        self._cancelling.append(handle)

    def end_cancel(self, handle: bytes, cancelled: bool) -> None:
        """Note what came of that; a job that was cancelled has ended, even if nothing tells of it.

        Args:
            handle: The job's.
            cancelled: Whether the server cancelled it.
        """
        self._cancelling.remove(handle)
        if not cancelled:
            return
        for job in self._jobs_of(handle):
            self._cancelled[handle] = job
            job._end(CANCELLED)
        self._ended_early.append(handle)
        self._jobs.pop(handle, None)
        self._coalesced.pop(handle, None)

    # What the server says

    def apply(self, packet: BasePacket) -> Job | None:
        """Apply a packet from the server, and return the job that it changed; none after the loss.

        Raises:
            UnknownJobError: It is about a job that does not run here, as after a cancellation.
            ProtocolError: It answers nothing that was asked.
        """
        if not self.open:
            return None
        rule = _RULES.get(type(packet))
        if rule is None:
            self.refuse(packet)
            return None
        return rule(self, packet)

    def _job_created(self, packet: JobCreated) -> Job | None:
        if len(packet.handle) > MAX_HANDLE_SIZE:
            raise long_handle(packet.handle)
        submission = self._next_submission()
        if submission is None:
            raise ProtocolError("JOB_CREATED that nobody asked for")
        if isinstance(submission, OwnSubmission):
            raise UnknownJobError(f"job {quoted(packet.handle)} was submitted past the client")
        known = packet.handle in self._jobs
        if known and submission.foreground and not self._may_share(packet.handle, submission):
            self._queue.appendleft(submission)  # its end is that of the connection
            raise ProtocolError(f"a second job {quoted(packet.handle)}")
        job = submission.job._accept(packet.handle, submission.life)
        if submission.foreground:
            self._add(packet.handle, job)
        submission.settle()
        return job

    def _next_submission(self) -> Submission | OwnSubmission | None:
        while self._queue:
            expectation = self._queue.popleft()
            if not isinstance(expectation, OptionRequest):
                return expectation
            expectation.settle()
        return None

    def _may_share(self, handle: bytes, submission: Submission) -> bool:
        """Tell whether a job may have the handle of another: only equal jobs with a unique do."""
        other, job = self._jobs[handle], submission.job
        return other is job or (
            bool(other.binary_unique)
            and (other.binary_name, other.binary_unique) == (job.binary_name, job.binary_unique)
        )

    def _add(self, handle: bytes, job: Job) -> None:
        if handle in self._jobs:
            self._coalesced.setdefault(handle, collections.deque()).append(job)
        else:
            self._jobs[handle] = job

    def _find(self, packet: BasePacket, handle: bytes) -> Job:
        job = self._jobs.get(handle)
        if not isinstance(job, Job):
            raise UnknownJobError(f"{type(packet).__name__} for unknown job {quoted(handle)}")
        return job

    def _rotate(self, packet: BasePacket, handle: bytes) -> Job:
        """Return the job whose turn it is to take a packet of this handle."""
        job = self._find(packet, handle)
        others = self._coalesced.get(handle)
        if others:
            others.append(job)
            self._jobs[handle] = others.popleft()
        return job

    def _pop(self, handle: bytes) -> None:
        others = self._coalesced.get(handle)
        if not others:
            del self._jobs[handle]
            return
        self._jobs[handle] = others.popleft()
        if not others:
            del self._coalesced[handle]

    def _change(self, packet: WorkData | WorkWarning | WorkStatus) -> Job:
        job = self._rotate(packet, packet.handle)
        if job._is_known_as(packet.handle):
            CHANGES[type(packet)](job, packet)
        return job

    def _jobs_of(self, handle: bytes) -> list[Job]:
        """Return the jobs that are now known by a handle."""
        jobs = (self._jobs.get(handle), *self._coalesced.get(handle, ()))
        return [job for job in jobs if isinstance(job, Job) and job._is_known_as(handle)]

    def _end(self, packet: WorkComplete | WorkFail | WorkException) -> Job:
        handle = packet.handle
        head = self._find(packet, handle)
        change = CHANGES[type(packet)]
        if handle in self._coalesced:
            for job in self._jobs_of(handle):
                change(job, packet)
        elif head._is_known_as(handle):
            change(head, packet)
        self._pop(handle)
        return head

    def _work_fail(self, packet: WorkFail) -> Job | None:
        if packet.handle not in self._jobs and packet.handle in self._ended_early:
            # Perl's workers send WORK_FAIL after WORK_EXCEPTION, gearmand's never do. And a server
            # may tell of the end of a job that is known here to be cancelled.
            return self._cancelled.get(packet.handle)
        if packet.handle in self._cancelling:
            for job in self._jobs_of(packet.handle):
                job._end(CANCELLED)
        return self._end(packet)

    def _work_exception(self, packet: WorkException) -> Job:
        job = self._end(packet)
        self._ended_early.append(packet.handle)
        return job

    def _status_res(self, packet: StatusRes) -> Job | None:
        request = self._by_handle.pop(packet.handle)
        if request is None:
            raise ProtocolError(f"STATUS_RES for {quoted(packet.handle)} that nobody asked for")
        related = self._jobs.get(packet.handle)
        jobs = {id(job): job for job in (related, request.job) if isinstance(job, Job)}
        if isinstance(request, OwnStatusRequest) and not jobs:
            raise UnknownJobError(f"STATUS_RES for unknown job {quoted(packet.handle)}")
        for job in jobs.values():
            if job._is_known_as(packet.handle):
                job._receive_state(packet)
        request.state = _state(packet)
        request.settle()
        return next(iter(jobs.values()), None)

    def _status_res_unique(self, packet: StatusResUnique) -> None:
        request = self._by_unique.pop(packet.unique)
        if request is None:
            name = quoted(packet.unique)
            raise ProtocolError(f"STATUS_RES_UNIQUE for {name} that nobody asked for")
        request.state = _state(packet, _number(packet.client_count))
        request.settle()

    def _echo_res(self, packet: EchoRes) -> None:
        request = self._by_echo.pop(packet.payload)
        if request is not None:
            request.settle()

    def _option_res(self, packet: OptionRes) -> None:
        if packet.option.lower() not in self._asked_options:
            raise ProtocolError(f"OPTION_RES {quoted(packet.option)} that nobody asked for")
        request = self._option(packet.option)
        if request is not None:
            request.confirmed = True
            request.settle()

    def _option(self, option: bytes | None) -> OptionRequest | None:
        """Remove the oldest request for an option, or for any, from the queue, and return it."""
        for request in self._queue:
            if isinstance(request, OptionRequest) and option in (None, request.option):
                self._queue.remove(request)
                return request
        return None

    def _error(self, packet: Error) -> None:
        error = ServerError(
            packet.code.decode(errors="replace"), packet.text.decode(errors="replace")
        )
        if error.code in _OPTION_CODES:
            request = self._option(None)
            if request is not None:
                request.settle(error)
        elif error.code not in _UNASKED_CODES:
            submission = self._next_submission()
            if submission is not None:
                submission.settle(error)

    def lost(self, reason: str = "") -> list[BaseJob]:
        """End all that is awaited: requests as lost, jobs as failed.

        Args:
            reason: Why, as far as it is known.

        Returns:
            The jobs that share a handle with another one, which is in `related_jobs`.
        """
        super().lost(reason)
        waiting = [
            *self._queue,
            *self._by_handle.pop_all(),
            *self._by_unique.pop_all(),
            *self._by_echo.pop_all(),
        ]
        self._queue.clear()
        others: list[BaseJob] = [job for jobs in self._coalesced.values() for job in jobs]
        for expectation in waiting:
            expectation.settle(lost=True)
        for handle in dict.fromkeys((*self._jobs, *self._coalesced)):
            for job in self._jobs_of(handle):
                job._end(Outcome.lost(reason))
        self._coalesced.clear()
        return others


def _number(digits: bytes) -> int:
    try:
        return to_number(digits.strip())
    except InvalidDataError:
        return 0  # gearmand passes on whatever a worker wrote, gear 0.16 nothing at all


def _state(packet: StatusRes | StatusResUnique, clients: int | None = None) -> JobState:
    return JobState(
        known=packet.known == b"1",
        running=packet.running == b"1",
        numerator=_number(packet.numerator),
        denominator=_number(packet.denominator),
        clients=clients,
    )


_RULES: Final[dict[type[BasePacket], Callable[..., Job | None]]] = {
    JobCreated: ClientSession._job_created,
    WorkComplete: ClientSession._end,
    WorkFail: ClientSession._work_fail,
    WorkException: ClientSession._work_exception,
    WorkData: ClientSession._change,
    WorkWarning: ClientSession._change,
    WorkStatus: ClientSession._change,
    StatusRes: ClientSession._status_res,
    StatusResUnique: ClientSession._status_res_unique,
    EchoRes: ClientSession._echo_res,
    OptionRes: ClientSession._option_res,
    Error: ClientSession._error,
}
