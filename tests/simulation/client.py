"""A client of a world: it submits jobs, waits until they end, and checks the results."""

import collections
from collections.abc import Callable
from typing import TYPE_CHECKING

from gear_client import Job
from gear_client.cancellation import cancel_command, was_cancelled
from gear_client.expectations import EchoRequest, Expectation, StatusRequest, Submission
from gear_client.jobs import refuse_background
from gear_client.outcome import CANCELLED, COMPLETED, Outcome
from gear_client.session import ClientSession
from gear_client.submissions import submit_packet
from gear_wire.errors import ServerError
from gear_wire.packets import BasePacket, Error, JobCreated, WorkComplete, WorkException, WorkFail
from simulation.program import REASON, Link, Program
from simulation.server import EPOCH

if TYPE_CHECKING:
    from simulation.world import World

Reply = Callable[[bytes | None], object]
ENDS = (WorkComplete, WorkFail, WorkException)
LOST = Outcome.lost(REASON)
PATIENCE = 5.0
"""Seconds after which a client submits a job anew that no server has taken."""


def result_of(payload: bytes) -> bytes:
    """Return what the workers of this world make of a payload."""
    return payload[::-1]


class Task(Job):
    """A job with its client, which is told of its end.

    Attributes:
        tries: How often it was submitted.
        promised: The handle with which its last submission was answered; None before.
    """

    def __init__(
        self,
        client: "Client",
        name: bytes,
        payload: bytes,
        unique: bytes | None,
        background: bool,
        when: int | None,
    ) -> None:
        super().__init__(name, payload, unique)
        self.client = client
        self.background = background
        self.when = when
        self.precedence = client.world.chance.below(3) if when is None else 0
        self.tries = 0
        self.promised: bytes | None = None

    def _end(self, outcome: Outcome, payload: bytes = b"") -> None:
        if not self.complete:
            super()._end(outcome, payload)
            self.client.ended(self, outcome, payload)


class Answers:
    """What a server owes over one connection, and what came: the end of each job once.

    Attributes:
        submissions: The submissions that no JOB_CREATED has answered, oldest first.
        owed: How often the end of each foreground job must come.
        ends: How often it came.
        replies: Who waits for a line of text.
    """

    def __init__(self) -> None:
        self.submissions: collections.deque[Submission] = collections.deque()
        self.owed: collections.Counter[bytes] = collections.Counter()
        self.ends: collections.Counter[bytes] = collections.Counter()
        self.replies: collections.deque[Reply] = collections.deque()

    def check(self, finally_: bool) -> None:
        """See that no end came that was not owed; and finally, that each came."""
        assert self.ends <= self.owed, f"ended too often: {self.ends - self.owed}"
        if finally_:
            assert not self.submissions
            assert self.ends == self.owed, f"never ended: {self.owed - self.ends}"


class Client(Program):
    """A client, and the jobs that it wants done."""

    kind = "client"

    def __init__(self, world: "World", number: int, tasks: int) -> None:
        super().__init__(world, number)
        self._answers: dict[Link, Answers] = {}
        self._open: dict[Task, None] = {}
        self._asked: list[Expectation] = []
        self._ending: bytes | None = None
        self._to_come = tasks
        for _ in range(tasks):
            world.clock.after(world.chance.between(0.0, world.weather.span), self._begin_task)

    @property
    def busy(self) -> bool:
        """Whether a job of it has not ended."""
        return self.alive and bool(self._open or self._to_come)

    @property
    def unfinished(self) -> list[Task]:
        return list(self._open)

    # Submitting

    def _begin_task(self) -> None:
        if not self.alive:
            return
        self._to_come -= 1
        chance, weather = self.world.chance, self.world.weather
        name = chance.pick(self.world.functions)
        unique = chance.pick([None, None, None, b"u", b"v", b"-"])
        # Jobs that may be made one have one payload, and all others one of their own.
        number = self.world.next_number() if unique is None else chance.below(2)
        key = number if unique in (None, b"-") else 0
        filler = b"x" * chance.below(weather.longest + 1) if unique is None else b""
        background, when = chance.happens(0.3), None
        if background and chance.happens(0.3):
            when = EPOCH + int(self.world.clock.now) + chance.below(4)
        due = 0 if when is None or unique is not None else when
        payload = b"%b:%d:%d:%b" % (name, due, key, filler)
        task = Task(self, name, payload, unique, background, when)
        self._open[task] = None
        self._submit(task)

    def _submit_later(self, task: Task) -> None:
        self.world.clock.after(self.world.chance.between(0.1, 0.6), self._submit, task)

    def _submit(self, task: Task) -> None:
        if not self.alive:
            return
        link = self.roster.next(self.world.clock.now)
        if link is None:
            self._submit_later(task)
            return
        session = link.session
        assert isinstance(session, ClientSession)
        task.tries += 1
        task.promised = None
        packet = submit_packet(task, task.background, task.precedence, task.when)
        life = task._begin(link, refuse_background if task.background else _allow)
        submission = Submission(task, packet, not task.background, life)
        submission.on_settled = lambda: self._settled(task, submission, link)
        self._asked.append(submission)
        self._answers[link].submissions.append(submission)
        session.submit(submission)
        link.send_queued()
        calm = self.world.weather.calm
        self.world.clock.after(PATIENCE, self._give_up, task, submission, link, session, calm)
        if self.world.weather.strikes("cancellations", 0.3):
            self.world.clock.after(self.world.chance.between(0.0, 0.2), self._cancel, task)
        if self.world.chance.happens(0.1):
            self.world.clock.after(self.world.chance.between(0.0, 0.2), self._ask, task)

    def _settled(self, task: Task, submission: Submission, link: Link) -> None:
        """Take in what became of a submission; only the last one of a task counts for it."""
        error = submission.error
        if error is not None:
            assert isinstance(error, ServerError) and error.code == "QUEUE_ERROR", error
            assert self.world.weather.may_refuse, error
        if task not in self._open or submission.life != task._life:
            return
        if submission.lost or error is not None:
            self._submit_later(task)
        elif task.background:
            del self._open[task]

    def _give_up(
        self, task: Task, submission: Submission, link: Link, session: ClientSession, calm: bool
    ) -> None:
        if not submission.settled and self.alive:
            assert not calm, f"{link} does not answer, and nothing is wrong"
            self.world.trace(self, "gives up on", task.binary_arguments)
            session.forget(submission)
            self.roster.skip(link, self.world.clock.now)
            link.send_queued()
            self._submit(task)

    # Asking and cancelling

    def _ask(self, task: Task) -> None:
        link, handle = task.connection, task.handle
        if not self.alive or not isinstance(link, Link) or handle is None:
            return
        session = link.session
        if isinstance(session, ClientSession):
            request: Expectation
            if self.world.chance.happens(0.5):
                request = StatusRequest(handle, task)
                session.request_status(request)
            else:
                request = EchoRequest(b"echo %d" % self.world.chance.below(3))
                session.request_echo(request)
            if self.world.weather.strikes("impatience", 0.5):
                session.forget(request)
            else:
                self._asked.append(request)
            link.send_queued()

    def _cancel(self, task: Task) -> None:
        link, handle = task.connection, task.handle
        if not self.alive or task.complete or not isinstance(link, Link) or handle is None:
            return
        session, settings = link.session, self.world.weather.settings
        # gear's server tells nobody: others who wait for the same job would wait for ever.
        if not isinstance(session, ClientSession) or (task.unique and not settings.tell_cancelled):
            return
        answers = self._answers[link]
        self.world.book.cancelled.add(handle)
        session.begin_cancel(handle)

        def reply(line: bytes | None) -> None:
            cancelled = line is not None and was_cancelled(line)
            if cancelled and not settings.tell_cancelled:
                answers.owed.pop(handle, None)
            session.end_cancel(handle, cancelled)
            if cancelled and task.handle == handle:
                task._end(CANCELLED)

        answers.replies.append(reply)
        link.send(cancel_command(handle))

    # What comes

    def new_session(self, link: Link) -> ClientSession:
        self._answers[link] = Answers()
        return ClientSession(b"client", [], link.related)

    def received(self, link: Link, packet: BasePacket) -> None:
        answers = self._answers[link]
        answered = None
        if isinstance(packet, ENDS):
            answers.ends[packet.handle] += 1
            self._ending = packet.handle
        elif isinstance(packet, Error):
            answered = answers.submissions.popleft()
        elif isinstance(packet, JobCreated):
            answered = answers.submissions.popleft()
            task = answered.job
            if isinstance(task, Task) and answered.life == task._life:
                task.promised = packet.handle
            if answered.foreground:
                answers.owed[packet.handle] += 1
            else:
                assert link.line is not None
                self.world.book.promise(packet.handle, link.line)
        super().received(link, packet)
        self._ending = None
        assert answered is None or answered.settled, "the session took another one to be answered"

    def heard(self, link: Link, line: bytes) -> None:
        self._answers[link].replies.popleft()(line)

    def lost(self, link: Link) -> None:
        answers = self._answers.pop(link)
        answers.check(finally_=False)
        for reply in answers.replies:
            reply(None)
        super().lost(link)

    def ended(self, task: Task, outcome: Outcome, payload: bytes) -> None:
        """Check how a job ended; now and then, a job that failed is submitted again."""
        self.world.trace(self, "hears the end of", f"{task.handle!r}: {outcome}")
        link = task.connection
        assert isinstance(link, Link)
        assert self._ending in (None, task.promised), f"{task.promised!r} ended by {self._ending!r}"
        if outcome is COMPLETED:
            assert len(task.data) - 1 <= self.world.book.parts[task.promised or b""]
            assert payload == result_of(task.binary_arguments), f"a wrong result: {payload!r}"
            assert all(part == task.binary_arguments for part in task.data[:-1])
        elif outcome == LOST:
            assert link.line is None, f"{task.handle!r} is lost, and its server is not"
        else:
            shut_down = "server shutdowns" in self.world.weather.faults
            excused = shut_down or link.server.limits_retries
            book = self.world.book
            explained = task.handle in book.failed or task.handle in book.cancelled
            assert excused or explained, f"{task.handle!r} failed, for no reason: {outcome}"
        if outcome.failed and task.tries < 3 and self.world.chance.happens(0.3):
            self._submit_later(task)
        else:
            self._open.pop(task, None)

    def check(self) -> None:
        """See that all that was asked was answered, and all ends have come.

        Raises:
            AssertionError: Something has not.
        """
        for answers in self._answers.values():
            answers.check(finally_=True)
        for expectation in self._asked:
            assert expectation.settled, f"{expectation} was never answered"


def _allow(what: str) -> None:
    """Let a wait begin."""
