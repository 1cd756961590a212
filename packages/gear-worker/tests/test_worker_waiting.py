"""Which thread reads the job that a thread waits for in `Worker.getJob`, over real sockets."""

import threading
from collections.abc import Iterator

import pytest

from gear_wire.errors import InterruptedError
from gear_wire.packet import Packet
from gear_wire.packets import GrabJobUniq
from gear_worker import Worker, WorkerJob
from support.held_answers import HeldAnswers
from support.scripted_server import ScriptedServer, scripted_server
from support.scripted_work import Work, once_asleep

WAIT = 10


class NotedJob(WorkerJob):
    """Notes which thread made it."""

    def __init__(
        self, handle: bytes, name: bytes, arguments: bytes, unique: bytes | None = None
    ) -> None:
        super().__init__(handle, name, arguments, unique)
        self.thread = threading.current_thread()


class NotingWorker(Worker):
    """A worker without handlers of its own."""

    job_class = NotedJob


class Overriding(NotingWorker):
    """A worker with a handler of its own."""

    def handleNoop(self, packet: Packet) -> object:
        return super().handleNoop(packet)


@pytest.fixture
def work() -> Work:
    return Work()


@pytest.fixture
def answers(work: Work, monkeypatch: pytest.MonkeyPatch) -> HeldAnswers:
    return HeldAnswers(work, (GrabJobUniq,), monkeypatch)


@pytest.fixture
def server(answers: HeldAnswers) -> Iterator[ScriptedServer]:
    with scripted_server(answers) as server:
        yield server


@pytest.fixture
def worker(server: ScriptedServer, work: Work) -> Iterator[Worker]:
    worker = NotingWorker("me")
    yield connect(worker, server, work)
    worker.shutdown()


def connect(worker: Worker, server: ScriptedServer, work: Work) -> Worker:
    worker.registerFunction("work")
    worker.addServer("127.0.0.1", server.port)
    worker.waitForServer(WAIT)
    # Once a job was read, the poll thread watches the connection.
    reader(worker, work)
    return worker


def reader(worker: Worker, work: Work) -> threading.Thread:
    """Return the thread that reads a job that waits."""
    work.put(b"")
    job = worker.getJob(WAIT)
    assert isinstance(job, NotedJob)
    job.sendWorkComplete()
    return job.thread


def test_a_thread_that_waits_alone_reads_its_job(
    worker: Worker, work: Work, answers: HeldAnswers
) -> None:
    answers.hold()
    assert [reader(worker, work) for _ in range(3)] == [threading.current_thread()] * 3


def test_a_thread_that_waits_says_that_it_sleeps(
    worker: Worker, server: ScriptedServer, work: Work
) -> None:
    with once_asleep(server, lambda: work.put(b"late")):
        assert worker.getJob(WAIT).arguments == b"late"


def test_handlers_of_a_subclass_run_on_the_poll_thread(server: ScriptedServer, work: Work) -> None:
    worker = connect(Overriding("me"), server, work)
    assert reader(worker, work).name == "Gearman client poll"
    worker.shutdown()


def test_with_several_servers_the_poll_thread_reads(
    worker: Worker, server: ScriptedServer, work: Work
) -> None:
    with scripted_server(Work()) as second:
        worker.addServer("127.0.0.1", second.port)
        second.wait_for(lambda: second.peers)
        with worker.connections_condition:
            assert worker.connections_condition.wait_for(
                lambda: len(worker.active_connections) == 2, WAIT
            )
        assert reader(worker, work).name == "Gearman client poll"
        worker.shutdown()


@pytest.mark.parametrize("end", ["stopWaitingForJobs", "shutdown"])
def test_who_waits_is_interrupted(worker: Worker, server: ScriptedServer, end: str) -> None:
    with once_asleep(server, getattr(worker, end)), pytest.raises(InterruptedError):
        worker.getJob(WAIT)
