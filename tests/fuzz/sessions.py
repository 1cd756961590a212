"""What any server may say to clients and workers: they end the connection, and nothing else."""

import logging

from gear_client import Job
from gear_client.expectations import EchoRequest, StatusRequest, Submission
from gear_client.session import ClientSession
from gear_client.submissions import submit_packet
from gear_wire.codec import decode
from gear_wire.errors import ProtocolError, UnknownJobError
from gear_wire.framing import Frame, FrameReader
from gear_wire.jobs import BaseJob
from gear_worker import FunctionRecord, WorkerJob
from gear_worker.jobs import Assigned
from gear_worker.session import Assignments, WorkerSession

_LOG = logging.getLogger("fuzz")


def client(data: bytes) -> None:
    """A client that submitted and asked has all of it ended, by the server or the loss of it."""
    related: dict[bytes, BaseJob] = {}
    session = ClientSession(b"client", [], related)
    session.greet()
    jobs = [Job("f", b"x", unique) for unique in (None, b"u", b"u")]
    submissions = [Submission(job, submit_packet(job, False, 0), True) for job in jobs]
    for submission in submissions:
        session.submit(submission)
    status, echo = StatusRequest(b"H:1"), EchoRequest(b"x")
    session.request_status(status)
    session.request_echo(echo)
    for event in FrameReader(max_line_size=None).feed(data):
        if isinstance(event, Frame):
            try:
                session.apply(decode(event))
            except UnknownJobError:
                continue
            except ProtocolError:
                break
    for job in related.values():
        assert isinstance(job, Job)
        assert job.handle is not None
    session.lost("the end")
    for expectation in (*submissions, status, echo):
        assert expectation.settled
    for submission in submissions:
        answered = not submission.lost and submission.error is None
        assert submission.job.complete == answered


def _make_job(session: WorkerSession[WorkerJob], packet: Assigned) -> WorkerJob:
    job = WorkerJob.from_packet(packet)
    job.attach(None, session.work, _LOG)
    return job


def worker(data: bytes) -> None:
    """A worker takes no more jobs than it asked for, and only of its functions."""
    assignments: Assignments[WorkerJob] = Assignments(_make_job)
    assignments.register(FunctionRecord("f"))
    session = WorkerSession(b"worker", assignments, {})
    session.greet()
    for _ in range(2):
        assignments.wait()
    taken = 0
    for event in FrameReader(max_line_size=None).feed(data):
        if isinstance(event, Frame):
            try:
                session.apply(decode(event))
            except ProtocolError:
                break
            session.packets_to_send()
            assert len(assignments.jobs) <= assignments.waiting
            if len(assignments.jobs) == 2:
                job = assignments.jobs.popleft()
                assert job.name == "f"
                assignments.leave()
                job.sendWorkComplete(b"")
                assignments.wait()
                taken += 1
    session.lost("the end")
    assert not assignments.jobs
    assert not assignments.running
