"""Worker over real sockets and a scripted server."""

import logging
import socket
import threading

import pytest

from gear_wire.errors import (
    ConfigurationError,
    ConnectionError,
    GearmanError,
    InterruptedError,
    InvalidDataError,
    TimeoutError,
)
from gear_wire.packet import Packet
from gear_wire.packets import (
    CanDo,
    CanDoTimeout,
    CantDo,
    Error,
    GrabJobAll,
    GrabJobUniq,
    PreSleep,
    ResetAbilities,
    SetClientID,
    WorkComplete,
    WorkData,
    WorkFail,
)
from gear_wire.types import ClientID, FunctionName, Handle
from gear_worker import FunctionRecord, TextWorker, TextWorkerJob, Worker, WorkerJob
from support.scripted_server import ScriptedServer, scripted_server
from support.scripted_work import Work, once_asleep
from support.worker_peers import WAIT, connect

pytest_plugins = ["support.fix_worker"]

WORK = FunctionName(b"work")


def test_it_greets(worker: Worker, server: ScriptedServer) -> None:
    server.wait_for(lambda: len(server.messages) == 2)
    assert server.messages == [SetClientID(ClientID(b"me")), CanDo(WORK)]


def test_a_job_and_its_result(worker: Worker, server: ScriptedServer, work: Work) -> None:
    work.put(b"test")
    job = worker.getJob(WAIT)
    assert (job.handle, job.name, job.arguments, job.unique) == (b"H:1", "work", b"test", b"u")
    assert job.connection is worker.active_connections[0]
    assert worker.active_connections[0].related_jobs == {b"H:1": job}
    job.sendWorkData(b"te")
    job.sendWorkComplete(b"st")
    assert worker.active_connections[0].related_jobs == {}
    h1 = Handle(b"H:1")
    server.wait_for(lambda: server.messages[-1] == WorkComplete(h1, b"st"))
    assert server.messages[2:] == [GrabJobUniq(), WorkData(h1, b"te"), WorkComplete(h1, b"st")]


def test_a_worker_that_sleeps_is_woken(worker: Worker, server: ScriptedServer, work: Work) -> None:
    with once_asleep(server, lambda: work.put(b"late")):
        assert worker.getJob(WAIT).arguments == b"late"


def test_several_threads_wait(worker: Worker, work: Work) -> None:
    jobs: list[WorkerJob] = []

    def take() -> None:
        for _ in range(25):
            job = worker.getJob(WAIT)
            jobs.append(job)
            job.sendWorkComplete(job.arguments)

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for number in range(100):
        work.put(b"%d" % number)
    for thread in threads:
        thread.join()
    assert sorted(int(job.arguments) for job in jobs) == list(range(100))
    assert worker.waiting_for_jobs == 0


def test_no_job_in_time(worker: Worker, work: Work) -> None:
    with pytest.raises(TimeoutError, match=r"no job came in 0\.05 s"):
        worker.getJob(timeout=0.05)
    assert worker.waiting_for_jobs == 0
    work.put(b"x")
    assert worker.getJob(WAIT).arguments == b"x"


@pytest.mark.parametrize("end", ["stopWaitingForJobs", "shutdown"])
def test_who_waits_is_interrupted(worker: Worker, server: ScriptedServer, end: str) -> None:
    with once_asleep(server, getattr(worker, end)), pytest.raises(InterruptedError):
        worker.getJob(60)


def test_waiting_goes_on_after_it_was_stopped(worker: Worker, work: Work) -> None:
    worker.stopWaitingForJobs()
    work.put(b"x")
    assert worker.getJob(WAIT).arguments == b"x"


def test_waiting_after_shutdown(worker: Worker) -> None:
    worker.shutdown()
    with pytest.raises(InterruptedError):
        worker.getJob()


# Functions


def test_functions_come_and_go(worker: Worker, server: ScriptedServer) -> None:
    worker.registerFunction("work")
    worker.registerFunction(b"timed", 1.5)
    worker.unRegisterFunction("timed")
    worker.unregisterFunction("work")
    worker.setFunctions([FunctionRecord("a")])
    worker.setFunctions([])
    server.wait_for(lambda: ResetAbilities() in server.messages)
    assert server.messages[2:] == [
        CanDoTimeout(FunctionName(b"timed"), b"1500"),
        CantDo(FunctionName(b"timed")),
        CantDo(WORK),
        CanDo(FunctionName(b"a")),
        ResetAbilities(),
    ]
    assert worker.functions == {}


def test_functions_that_make_no_sense(worker: Worker) -> None:
    with pytest.raises(KeyError):
        worker.unRegisterFunction("unknown")
    with pytest.raises(TypeError, match="setFunctions takes FunctionRecords, not 'work'"):
        worker.setFunctions([FunctionRecord("a"), "work"])  # type: ignore[list-item]  # what the test is about
    with pytest.raises(InvalidDataError, match="NUL"):
        worker.registerFunction("a\0b")
    assert list(worker.functions) == [b"work"]


def test_functions_are_told_again_after_a_loss(worker: Worker, server: ScriptedServer) -> None:
    server.wait_for(lambda: server.messages.count(CanDo(WORK)) == 1)
    server.drop()
    server.wait_for(lambda: server.messages.count(CanDo(WORK)) == 2)


def test_functions_may_be_assigned(worker: Worker, server: ScriptedServer) -> None:
    worker.functions = {b"a": FunctionRecord("a")}
    server.wait_for(lambda: server.peers)
    server.drop()
    server.wait_for(lambda: CanDo(FunctionName(b"a")) in server.messages)


# Losses and errors


def test_a_job_of_a_lost_connection(worker: Worker, server: ScriptedServer, work: Work) -> None:
    work.put(b"x")
    job = worker.getJob(WAIT)
    server.drop()
    with worker.connections_condition:
        worker.connections_condition.wait_for(lambda: job not in related(worker), WAIT)
    with pytest.raises(ConnectionError, match="the server has taken the job back"):
        job.sendWorkComplete(b"x")


def related(worker: Worker) -> list[object]:
    connections = [*worker.active_connections, *worker.inactive_connections]
    return [job for connection in connections for job in connection.related_jobs.values()]


def test_who_waits_goes_on_waiting_after_a_loss(
    worker: Worker, server: ScriptedServer, work: Work
) -> None:
    def drop() -> None:
        server.drop()
        server.wait_for(lambda: server.messages.count(PreSleep()) == 2)
        work.put(b"x")

    with once_asleep(server, drop):
        assert worker.getJob(WAIT).arguments == b"x"


def test_an_error_ends_nothing(
    worker: Worker, server: ScriptedServer, work: Work, caplog: pytest.LogCaptureFixture
) -> None:
    server.wait_for(lambda: server.peers)
    with caplog.at_level(logging.ERROR):
        server.peers[0].send(Error(b"JOB_NOT_FOUND", b"Job given in work result not found"))
        work.put(b"x")
        assert worker.getJob(WAIT).arguments == b"x"
    assert "JOB_NOT_FOUND: Job given in work result not found" in caplog.text
    assert len(server.peers) == 1


def test_two_servers_are_asked_in_turn(work: Work) -> None:
    other = Work()
    with scripted_server(work) as one, scripted_server(other) as two:
        worker = connect(connect(Worker("me"), one), two)
        with worker.connections_condition:
            assert worker.connections_condition.wait_for(
                lambda: len(worker.active_connections) == 2, WAIT
            )
        other.put(b"from two")
        assert worker.getJob(WAIT).arguments == b"from two"
        work.put(b"from one")
        assert worker.getJob(WAIT).arguments == b"from one"
        worker.shutdown()


# Names, classes, handlers


def test_its_name() -> None:
    assert Worker().client_id == socket.gethostname().encode()
    assert (Worker(b"me").client_id, Worker("me").worker_id) == (b"me", "me")
    assert Worker(worker_id="me").client_id == b"me"
    assert Worker("me", "me").worker_id == "me"
    with pytest.raises(ConfigurationError, match="worker_id is an old name"):
        Worker("me", "you")
    assert Worker("me").log.name == "gear.Worker.me"


def test_text_jobs(server: ScriptedServer, work: Work) -> None:
    worker = connect(TextWorker("me"), server)
    work.put("käse".encode())
    job = worker.getJob(WAIT)
    assert isinstance(job, TextWorkerJob)
    assert (job.arguments, job.unique) == ("käse", "u")
    worker.shutdown()


def test_jobs_of_a_class_of_ones_own(server: ScriptedServer, work: Work) -> None:
    class MyJob(WorkerJob):
        pass

    class MyWorker(Worker):
        job_class = MyJob

    worker = connect(MyWorker("me"), server)
    work.put(b"x")
    assert type(worker.getJob(WAIT)) is MyJob
    worker.shutdown()


def test_reducers(server: ScriptedServer, work: Work) -> None:
    work.reducer = b"sum"
    worker = connect(Worker("me", grab_all=True), server)
    work.put(b"x")
    assert worker.getJob(WAIT).reducer == b"sum"
    server.wait_for(lambda: GrabJobAll() in server.messages)
    worker.shutdown()


def test_a_handler_that_calls_super(server: ScriptedServer, work: Work) -> None:
    class Slow(Worker):
        def __init__(self) -> None:
            self.seen: list[str] = []
            super().__init__("slow")

        def handleNoop(self, packet: Packet) -> object:
            self.seen.append("noop")
            return super().handleNoop(packet)

        def handleJobAssignUnique(self, packet: Packet) -> object:
            with pytest.raises(GearmanError, match="poll thread"):
                self.getJob()
            self.seen.append("assign")
            return super().handleJobAssignUnique(packet)

    worker = Slow()
    connect(worker, server)

    def put() -> None:
        server.wait_for(lambda: PreSleep() in server.messages)
        work.put(b"x")

    thread = threading.Thread(target=put)
    thread.start()
    worker.getJob(WAIT).sendWorkFail()
    thread.join()
    server.wait_for(lambda: WorkFail(Handle(b"H:1")) in server.messages)
    assert worker.seen == ["noop", "assign"]
    worker.shutdown()


def test_a_grab_by_hand(worker: Worker, server: ScriptedServer, work: Work) -> None:
    work.put(b"x")
    worker._sendGrabJobUniq()
    server.wait_for(lambda: GrabJobUniq() in server.messages)
    assert worker.getJob(WAIT).arguments == b"x"


def test_states_are_shown(worker: Worker, server: ScriptedServer, work: Work) -> None:
    connection = worker.active_connections[0]
    assert connection.state == "IDLE"
    with pytest.raises(TimeoutError):
        worker.getJob(0.1)
    server.wait_for(lambda: PreSleep() in server.messages)
    assert connection.state == "SLEEP"
