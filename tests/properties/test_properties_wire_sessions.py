"""The sessions of clients and workers joined with engines, their bytes in any order and pieces.

There is no network: each connection is two strings of bytes, and hypothesis says whose bytes go on
next, and how many of them.
"""

import collections
import logging
from collections.abc import Callable

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from gear_client import Job
from gear_client.expectations import Submission
from gear_client.session import ClientSession
from gear_client.submissions import submit_packet
from gear_wire.codec import decode, encode
from gear_wire.errors import DisconnectError
from gear_wire.framing import Frame, FrameReader
from gear_wire.jobs import BaseJob
from gear_wire.session import Session
from gear_worker import FunctionRecord, WorkerJob
from gear_worker.jobs import Assigned
from gear_worker.session import Assignments, WorkerSession
from support.engine_desk import Desk, Visitor
from support.wire_strategies import repeatable

pytestmark = pytest.mark.no_cover
FUNCTIONS = ("count", "reverse")
UNIQUES = ("u", "v")
EVERYTHING = 1 << 30
many = settings(repeatable, max_examples=300, phases=[Phase.generate, Phase.shrink])


class Link:
    """One connection: bytes on their way from a session to an engine, and back."""

    def __init__(self, desk: Desk, make: Callable[[dict[bytes, BaseJob]], Session]) -> None:
        self._desk = desk
        self._make = make
        self.connect()

    def connect(self) -> None:
        self.related: dict[bytes, BaseJob] = {}
        self.session = self._make(self.related)
        self.visitor: Visitor = self._desk.visitor()
        self._readers = FrameReader(), FrameReader()
        self.up = self.down = b""
        self.session.greet()

    def break_(self) -> None:
        """Lose the connection with all that is on its way, and make it anew."""
        self.visitor.leave()
        self.session.lost()
        self.connect()

    def collect(self) -> None:
        """Put what both ends have said on its way."""
        self.up += b"".join(encode(packet) for packet in self.session.packets_to_send())
        self.down += self.visitor.said()

    def carry_up(self, size: int) -> None:
        piece, self.up = self.up[:size], self.up[size:]
        for event in self._readers[0].feed(piece):
            assert isinstance(event, Frame)
            self._desk.engine.receive(self.visitor.peer, [event], self._desk.now)
        self._desk.end_turn()

    def carry_down(self, size: int) -> None:
        piece, self.down = self.down[:size], self.down[size:]
        for event in self._readers[1].feed(piece):
            assert isinstance(event, Frame)
            self.session.apply(decode(event))


class Worker:
    """A worker with a connection to each server, and as many callers as were told to wait."""

    def __init__(self, desks: list[Desk], done: collections.Counter[bytes]) -> None:
        self._done = done
        self.assignments: Assignments[WorkerJob] = Assignments(self._make_job)
        for name in FUNCTIONS:
            self.assignments.register(FunctionRecord(name))
        self.links = [Link(desk, self._session) for desk in desks]
        self._taken: collections.deque[WorkerJob] = collections.deque()

    def _session(self, related: dict[bytes, BaseJob]) -> Session:
        return WorkerSession(b"worker", self.assignments, related)

    def _make_job(self, session: WorkerSession[WorkerJob], packet: Assigned) -> WorkerJob:
        job = WorkerJob(packet.handle, packet.function, packet.payload)
        job.attach(None, session.work, logging.getLogger())
        return job

    def take(self) -> None:
        """Have a caller go off with a job, if one has come; else have one more caller wait."""
        if self.assignments.jobs and self.assignments.waiting:
            self._taken.append(self.assignments.jobs.popleft())
            self.assignments.leave()
        else:
            self.assignments.wait()

    def finish(self) -> None:
        """Have the caller who took a job first end it."""
        if self._taken:
            job = self._taken.popleft()
            try:
                job.sendWorkComplete(job.arguments[::-1])
            except DisconnectError:
                return
            self._done[job.arguments] += 1

    @property
    def busy(self) -> bool:
        return bool(self._taken or self.assignments.jobs)


class World:
    """Two servers, two workers and two clients, all connected with each other."""

    def __init__(self) -> None:
        self.done: collections.Counter[bytes] = collections.Counter()
        self.desks = [Desk(), Desk()]
        self.workers = [Worker(self.desks, self.done) for _ in range(2)]
        self.clients = [Link(desk, self._client) for desk in self.desks for _ in range(2)]
        self.links = [*self.clients, *(link for worker in self.workers for link in worker.links)]
        self.submissions: list[Submission] = []

    def _client(self, related: dict[bytes, BaseJob]) -> Session:
        return ClientSession(b"client", [], related)

    def submit(self, number: int, unique: str | None = None) -> None:
        payload = b"job %d" % len(self.submissions)
        job = Job(FUNCTIONS[number % 2], payload, unique)
        background, precedence = number % 5 == 0, number % 3
        packet = submit_packet(job, background, precedence)
        submission = Submission(job, packet, not background)
        session = self.clients[number % len(self.clients)].session
        assert isinstance(session, ClientSession)
        session.submit(submission)
        self.submissions.append(submission)

    def step(self, kind: str, number: int, size: int) -> None:
        link = self.links[number % len(self.links)]
        worker = self.workers[number % len(self.workers)]
        match kind:
            case "submit":
                self.submit(number)
            case "submit unique":
                self.submit(number, UNIQUES[size % 2])
            case "up":
                link.carry_up(size)
            case "down":
                link.carry_down(size)
            case "everything":
                self.carry()
            case "take":
                worker.take()
            case "finish":
                worker.finish()
            case "wait":
                self.wait(min(size, 10) / 10)
            case "break":
                link.break_()
        for each in self.links:
            each.collect()

    def carry(self) -> None:
        """Let all that is on its way arrive."""
        for link in self.links:
            link.carry_up(EVERYTHING)
            link.carry_down(EVERYTHING)

    def wait(self, seconds: float) -> None:
        for desk in self.desks:
            desk.wait(seconds)

    def settle(self) -> None:
        """Let everything go on until all work is done."""
        for _ in range(20 + 6 * len(self.submissions)):
            self.step("everything", 0, 0)
            for number, worker in enumerate(self.workers):
                if worker.busy or not worker.assignments.waiting:
                    self.step("take", number, 0)
                self.step("finish", number, 0)
            self.step("wait", 0, 10)
            if not any(link.up or link.down for link in self.links) and not self.open_jobs:
                return
        raise AssertionError(f"jobs do not end: {self.open_jobs}")

    @property
    def open_jobs(self) -> list[bytes]:
        return [handle for desk in self.desks for handle in desk.engine.jobs]


def steps(*kinds: str) -> st.SearchStrategy[list[tuple[str, int, int]]]:
    # Bytes move more often than anything else happens.
    moves = ["up", "down", "everything", "everything"]
    step = st.tuples(
        st.sampled_from([*moves, "take", "take", "finish", "wait", *kinds]),
        st.integers(0, 59),
        st.sampled_from([1, 5, 12, 13, 40, EVERYTHING]),
    )
    return st.lists(step, min_size=10, max_size=120)


def run(todo: list[tuple[str, int, int]]) -> World:
    world = World()
    for kind, number, size in todo:
        world.step(kind, number, size)
    world.settle()
    for submission in world.submissions:
        assert submission.settled
        assert submission.error is None
        if submission.foreground and not submission.lost:
            assert submission.job.complete
    assert all(link.related == {} for link in world.clients)
    return world


@many
@given(steps("submit", "submit"))
def test_every_job_is_done_once_and_has_its_own_result(todo: list[tuple[str, int, int]]) -> None:
    world = run(todo)
    payloads = [submission.job.binary_arguments for submission in world.submissions]
    assert world.done == collections.Counter(payloads)
    for submission, payload in zip(world.submissions, payloads, strict=True):
        if submission.foreground:
            assert submission.job.result(0) == payload[::-1]


@many
@given(steps("submit", "submit unique", "submit unique"))
def test_jobs_that_are_made_one_end_together(todo: list[tuple[str, int, int]]) -> None:
    world = run(todo)
    assert set(world.done.values()) <= {1}
    results = {payload[::-1] for payload in world.done}
    for submission in world.submissions:
        if submission.foreground:
            assert submission.job.result(0) in results
        if submission.job.unique is None:
            assert world.done[submission.job.binary_arguments] == 1


@many
@given(steps("submit", "submit", "submit unique", "break"))
def test_with_connections_that_break_no_job_is_forgotten(
    todo: list[tuple[str, int, int]],
) -> None:
    world = run(todo)
    for submission in world.submissions:
        job = submission.job
        if submission.lost:
            assert not job.complete
        elif submission.foreground and not job.failure and job.unique is None:
            assert job.result(0) == job.binary_arguments[::-1]
        elif not submission.foreground and job.unique is None:
            assert world.done[job.binary_arguments] >= 1
