"""A worker of a world: some callers that each take a job, work for a while and report."""

import logging
from typing import TYPE_CHECKING

from gear_wire.errors import DisconnectError
from gear_wire.jobs import BaseJob
from gear_wire.packets import BasePacket
from gear_worker import FunctionRecord, WorkerJob
from gear_worker.jobs import Assigned
from gear_worker.session import GRAB_PATIENCE, Assignments, WorkerSession
from simulation.client import result_of
from simulation.program import Link, Program

if TYPE_CHECKING:
    from simulation.world import World

LIMIT = 1.0
"""Seconds that a job of a function with a timeout may take."""
_LOG = logging.getLogger("simulation")


class Worker(Program):
    """A worker with one or more callers of `getJob`.

    Attributes:
        assignments: Its functions, and the jobs that came.
        callers: How many callers it has.
    """

    kind = "worker"

    def __init__(self, world: "World", number: int) -> None:
        chance = world.chance
        self.assignments: Assignments[WorkerJob] = Assignments(
            self._make_job, grab_all=chance.happens(0.5)
        )
        timeout = LIMIT if chance.happens(0.3) else None
        self.limited = timeout is not None or world.weather.settings.job_timeout > 0
        self.records = [FunctionRecord(name, timeout) for name in world.functions]
        for record in self.records:
            self.assignments.register(record)
        super().__init__(world, number)
        self._next_tick = 0.0
        for _ in range(1 + chance.below(2)):
            world.clock.after(chance.between(0.0, 0.5), self._wait)

    # The callers

    def _wait(self) -> None:
        """Have a caller wait for a job."""
        if self.alive and not self.assignments.draining:
            self.assignments.wait()
            self._use_time()

    def _use_time(self) -> None:
        """Do what a caller does before it waits on: send, take what is there, and look again."""
        if not self.alive:
            return
        assignments, clock = self.assignments, self.world.clock
        self._take()
        if assignments.waiting:
            patience = assignments.tick(clock.now)
            self.send_queued()
            self._next_tick = clock.now + patience
            clock.at(self._next_tick, self._tick, self._next_tick)

    def _tick(self, due: float) -> None:
        if due == self._next_tick:
            self._use_time()

    def _take(self) -> None:
        while self.assignments.jobs and self.assignments.waiting:
            job = self.assignments.jobs.popleft()
            self.assignments.leave()
            stands = any(link.line is job.connection for link in self.links)
            assert stands, f"{job.handle!r} is taken though its connection is lost"
            self._work(job, self.world.chance.below(3))
        self.send_queued()

    def _work(self, job: WorkerJob, parts: int) -> None:
        chance, weather = self.world.chance, self.world.weather
        seconds = chance.between(0.0, 0.05)
        if not weather.calm and chance.happens(0.1):
            seconds = chance.between(0.5, 2.0)
        report = self._report if parts else self._finish
        self.world.clock.after(seconds, report, job, parts - 1)

    def _report(self, job: WorkerJob, parts: int) -> None:
        if self.alive:
            try:
                if self.world.chance.happens(0.5):
                    job.sendWorkStatus(parts, 3)
                else:
                    job.sendWorkData(job.arguments)
                    assert job.handle is not None
                    self.world.book.parts[job.handle] += 1
            except DisconnectError:
                self._wait()
                return
            self.send_queued()
            self._work(job, parts)

    def _finish(self, job: WorkerJob, parts: int) -> None:
        if not self.alive:
            return
        chance, book, handle = self.world.chance, self.world.book, job.handle
        assert handle is not None
        try:
            if chance.happens(0.85):
                job.sendWorkComplete(result_of(job.arguments))
            else:
                book.failed.add(handle)
                if chance.happens(0.5):
                    job.sendWorkException(b"exception")
                if chance.happens(0.5) or not job._ended:
                    job.sendWorkFail()
            book.ended.add(handle)
        except DisconnectError:
            pass
        self.send_queued()
        if self.assignments.draining:
            self._end_if_done()
        elif chance.happens(0.1):
            self.world.clock.after(chance.between(0.0, 0.3), self._wait)
        else:
            self._wait()

    # What disturbs it

    def change_abilities(self) -> None:
        """Forget a function for a while."""
        if self.alive:
            record = self.world.chance.pick(self.records)
            if record.name in self.assignments.functions:
                self.assignments.unregister(record.name)
                self.send_queued()
                seconds = self.world.chance.between(0.0, 1.0)
                self.world.clock.after(seconds, self._register, record)

    def _register(self, record: FunctionRecord) -> None:
        if self.alive:
            self.assignments.register(record)
            self._use_time()

    def drain(self) -> None:
        """Finish what it has, then end."""
        if self.alive and not self.assignments.draining:
            self.world.trace(self, "drains")
            self.assignments.drain(lambda: None)
            self.world.clock.after(GRAB_PATIENCE, self._interrupt)
            self.world.clock.after(3.0, self._end_now)

    def _interrupt(self) -> None:
        while self.assignments.waiting:
            self.assignments.leave()
        self._end_if_done()

    def _end_if_done(self) -> None:
        if not self.assignments.running and not self.assignments.waiting:
            self._end_now()

    def _end_now(self) -> None:
        if self.alive:
            self.end()
            self.world.replace_worker(self)

    # What comes

    def new_session(self, link: Link) -> WorkerSession[WorkerJob]:
        return WorkerSession(b"worker", self.assignments, link.related)

    def connected(self, link: Link) -> None:
        self.send_queued()

    def received(self, link: Link, packet: BasePacket) -> None:
        super().received(link, packet)
        if self.assignments.jobs:
            self._use_time()

    def _make_job(self, session: WorkerSession[WorkerJob], packet: Assigned) -> WorkerJob:
        job = WorkerJob.from_packet(packet)
        link = next(link for link in self.links if link.session is session)
        job.attach(link.line, session.work, _LOG)
        self._check(link, job)
        return job

    def _check(self, link: Link, job: BaseJob) -> None:
        """Check that a job is one that a client wants done, here and now."""
        assert link.line is not None and job.handle is not None
        self.world.trace(self, "is given", f"{job.handle!r} of {job.name}")
        name, due, *_ = job.arguments.split(b":")
        assert name == job.binary_name, f"{job.handle!r} is not of function {job.name}"
        assert link.server.has_seen(int(due)), f"{job.handle!r} runs before its time"
        self.world.book.begin(job.handle, link.line, self.limited)
