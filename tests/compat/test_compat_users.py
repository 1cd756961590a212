"""Patterns of programs written for gear 0.16: what they override, call and look at."""

import threading
import time
from collections.abc import Callable, Iterator
from unittest import mock

import pytest

import gear
import gear.constants


@pytest.fixture
def server() -> Iterator[gear.Server]:
    server = gear.Server(0)
    yield server
    server.shutdown()


class Recorder:
    """Things that happened, in order, for a test to wait for."""

    def __init__(self) -> None:
        self.things: list[object] = []
        self._changed = threading.Condition()

    def add(self, thing: object) -> None:
        with self._changed:
            self.things.append(thing)
            self._changed.notify_all()

    def wait_for(self, condition: Callable[[list[object]], object]) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: condition(self.things), 20), self.things


@pytest.fixture
def work(server: gear.Server) -> Iterator[gear.Worker]:
    """A worker whose thread does what the arguments say."""
    worker = gear.Worker("worker")
    worker.addServer("localhost", server.port)
    worker.registerFunction("do")

    def run() -> None:
        try:
            while True:
                job = worker.getJob()
                if job.arguments == b"fail":
                    job.sendWorkFail()
                elif job.arguments == b"raise":
                    job.sendWorkException(b"why")
                else:
                    job.sendWorkData(b"data")
                    job.sendWorkWarning(b"warning")
                    job.sendWorkStatus(1, 2)
                    job.sendWorkComplete(job.arguments)
        except gear.InterruptedError:
            pass

    thread = threading.Thread(target=run)
    thread.start()
    yield worker
    worker.shutdown()
    thread.join(10)


def connect(client: gear.Client, server: gear.Server) -> None:
    client.addServer("localhost", str(server.port))
    client.waitForServer(20)


class Overriding(gear.Client):
    """Overrides all the events of work, each calling super and using the job it returns."""

    def __init__(self) -> None:
        self.seen = Recorder()  # before super().__init__, as products do
        super().__init__("overriding")

    def handleWorkData(self, packet: gear.Packet) -> gear.Job:
        job = super().handleWorkData(packet)
        self.seen.add(("data", job.data[-1], packet.getArgument(0) == job.handle))
        return job

    def handleWorkWarning(self, packet: gear.Packet) -> gear.Job:
        job = super().handleWorkWarning(packet)
        self.seen.add(("warning", job.warning))
        return job

    def handleWorkStatus(self, packet: gear.Packet) -> gear.Job:
        job = super().handleWorkStatus(packet)
        self.seen.add(("status", job.fraction_complete))
        return job

    def handleWorkComplete(self, packet: gear.Packet) -> gear.Job:
        job = super().handleWorkComplete(packet)
        self.seen.add(("complete", job.complete, job.failure))
        return job

    def handleWorkFail(self, packet: gear.Packet) -> gear.Job:
        job = super().handleWorkFail(packet)
        self.seen.add(("fail", job.failure))
        return job

    def handleWorkException(self, packet: gear.Packet) -> gear.Job:
        job = super().handleWorkException(packet)
        self.seen.add(("exception", job.exception))
        return job

    def handleStatusRes(self, packet: gear.Packet) -> gear.Job:
        try:
            job = super().handleStatusRes(packet)
        except gear.UnknownJobError:
            self.seen.add("unknown")
            raise
        self.seen.add(("state", job.known, job.running))
        return job

    def handleDisconnect(self, job: gear.BaseJob) -> None:
        lost = super().handleDisconnect(job)
        self.seen.add(("lost", lost))


@pytest.fixture
def client(server: gear.Server) -> Iterator[Overriding]:
    client = Overriding()
    connect(client, server)
    yield client
    client.shutdown()


def test_work_events_with_super(client: Overriding, work: gear.Worker) -> None:
    job = gear.Job(name="do", arguments=b"x", unique="u")
    client.submitJob(job)
    client.seen.wait_for(lambda things: len(things) == 4)
    assert client.seen.things == [
        ("data", b"data", True),
        ("warning", True),
        ("status", 0.5),
        ("complete", True, False),
    ]


def test_failure_events_with_super(client: Overriding, work: gear.Worker) -> None:
    for arguments in (b"fail", b"raise"):
        client.submitJob(gear.Job("do", arguments), False, gear.PRECEDENCE_HIGH, 300)
    client.seen.wait_for(lambda things: len(things) == 2)
    assert client.seen.things == [("fail", True), ("exception", b"why")]


def test_events_without_super(server: gear.Server, work: gear.Worker) -> None:
    seen = Recorder()

    class Own(gear.Client):
        def handleWorkComplete(self, packet: gear.Packet) -> gear.Job:
            job = packet.getJob()
            assert isinstance(job, gear.Job)
            seen.add((packet.getArgument(1, True), job.complete))
            return job

    client = Own()
    connect(client, server)
    client.submitJob(gear.Job("do", b"a\0b"))
    seen.wait_for(lambda things: things)
    assert seen.things == [(b"a\0b", False)]
    client.shutdown()


def test_GET_STATUS_packets_made_by_hand(client: Overriding) -> None:
    job = gear.Job("nobody", b"")
    client.submitJob(job)
    assert job.handle is not None
    packet = gear.Packet(gear.constants.REQ, gear.constants.GET_STATUS, job.handle)
    assert isinstance(job.connection, gear.Connection)
    job.connection.sendPacket(packet)
    client.seen.wait_for(lambda things: things)
    assert client.seen.things == [("state", True, False)]
    client.sendPacket(
        gear.Packet(gear.constants.REQ, gear.constants.GET_STATUS, b"H:nobody:1"), job.connection
    )
    client.seen.wait_for(lambda things: len(things) == 2)
    assert client.seen.things[1] == "unknown"
    assert job.connection.echo(b"still there") == b"still there"


def test_handleDisconnect_once_per_job(client: Overriding, server: gear.Server) -> None:
    jobs = [gear.Job("nobody", b"") for _ in range(3)]
    for job in jobs:
        client.submitJob(job)
    client.submitJob(gear.Job("nobody", b""), background=True)
    server.shutdown()
    client.seen.wait_for(lambda things: len(things) == 3)
    assert client.seen.things == [("lost", job) for job in jobs]
    for job in jobs:
        assert job.complete, "who polls job.complete must see the end"


def test_walking_active_connections_from_another_thread(client: Overriding) -> None:
    replies: list[bytes | None] = []

    def ask() -> None:
        for connection in client.active_connections:
            request = gear.StatusAdminRequest()
            connection.sendAdminRequest(request, timeout=300)
            request.waitForResponse()
            replies.append(request.response)

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join(20)
    assert replies == [b".\n"]


def test_own_admin_requests(client: Overriding) -> None:
    class WorkersRequest(gear.AdminRequest):
        command = b"workers"

    class Nonsense(gear.AdminRequest):
        command = b"nonsense"

    workers, nonsense = WorkersRequest(), Nonsense()
    client.getConnection().sendAdminRequest(workers)
    client.getConnection().sendAdminRequest(nonsense)
    assert workers.response is not None
    assert workers.response.endswith(b"overriding :\n.\n")
    assert nonsense.response == b"ERR UNKNOWN_COMMAND Unknown+server+commandnonsense\r\n"


def test_cancelling_a_queued_job(client: Overriding) -> None:
    job = gear.Job("nobody", b"")
    client.submitJob(job)
    assert job.handle is not None
    for expected in (b"OK\r\n", b"ERR UNKNOWN_JOB\r\n"):
        request = gear.CancelJobAdminRequest(job.handle)
        assert isinstance(job.connection, gear.Connection)
        job.connection.sendAdminRequest(request, timeout=300)
        assert request.response == expected
    # Nobody is told, and the job stays: programs make an event of their own after a cancel.
    client.echo(b"whatever came before", 20)
    assert client.seen.things == []
    assert client.getConnection().related_jobs[job.handle] is job
    assert not job.complete


def test_a_running_job_cannot_be_cancelled_here(client: Overriding, server: gear.Server) -> None:
    worker = gear.Worker("w")
    worker.addServer("localhost", server.port)
    worker.registerFunction("do")
    job = gear.Job("do", b"")
    client.submitJob(job)
    taken = worker.getJob(20)
    assert job.handle is not None
    request = gear.CancelJobAdminRequest(job.handle)
    client.getConnection().sendAdminRequest(request)
    assert request.response == b"ERR UNKNOWN_JOB\r\n"
    taken.sendWorkComplete()
    assert job.wait(20)
    worker.shutdown()


def test_attributes_and_subclasses_of_jobs(client: Overriding, work: gear.Worker) -> None:
    class MergeJob(gear.TextJob):
        def __init__(self, *arguments: str, **options: str) -> None:
            super().__init__(*arguments, **options)
            self.merged = threading.Event()

        def wait(self, timeout: float | None = None) -> bool:
            return self.merged.wait(timeout)

        def setComplete(self) -> None:
            raise AssertionError("gear never calls what subclasses define")

    job = MergeJob("do", "äöü", unique="ü")
    job.build_set = object()  # type: ignore[attr-defined]  # as products do
    client.submitJob(job)
    assert job.result(20) == b"datawarning" + "äöü".encode()
    assert job.data == ["data", "warning", "äöü"]
    assert (job.arguments, job.unique) == ("äöü", "ü")


def test_jobs_are_rewritten_before_they_are_sent(client: Overriding, work: gear.Worker) -> None:
    job = gear.Job(b"other", "x")
    job.name = "do"
    job.arguments = "y"
    client.submitJob(job)
    assert job.result(20).endswith(b"y")


def test_polling_until_complete(client: Overriding, work: gear.Worker) -> None:
    job = gear.TextJob("do", b"bytes too")
    client.submitJob(job)
    end = time.monotonic() + 20
    while not job.complete and time.monotonic() < end:
        time.sleep(0.001)
    assert job.data[-1] == "bytes too"


def test_a_handleNoop_that_blocks_holds_its_grab_back(server: gear.Server) -> None:
    go_on = threading.Event()
    seen = Recorder()

    class Spreading(gear.Worker):
        def handleNoop(self, packet: gear.Packet) -> object:
            seen.add("noop")
            assert go_on.wait(20)
            return super().handleNoop(packet)

    worker = Spreading("spreading")
    worker.addServer("localhost", server.port)
    worker.registerFunction("do")
    jobs: list[gear.WorkerJob] = []
    thread = threading.Thread(target=lambda: jobs.append(worker.getJob()))
    thread.start()
    assert server.waitFor(lambda: any(c.state == "SLEEP" for c in server.active_connections), 20)
    client = gear.Client()
    connect(client, server)
    client.submitJob(gear.Job("do", b""))
    seen.wait_for(lambda things: things)
    assert server.running_jobs == 0
    go_on.set()
    thread.join(20)
    assert len(jobs) == 1
    worker.shutdown()
    client.shutdown()


def test_worker_internals_that_products_touch(server: gear.Server) -> None:
    worker = gear.Worker(worker_id="old name")
    assert (worker.worker_id, worker.client_id) == ("old name", b"old name")
    worker.addServer("localhost", server.port)
    worker.waitForServer(20)
    worker.registerFunction("a")
    worker.registerFunction(b"b")
    assert list(worker.functions.keys()) == [b"a", b"b"]
    worker.functions = {b"c": gear.FunctionRecord("c")}
    with pytest.raises(KeyError):
        worker.unRegisterFunction("a")
    worker.unregisterFunction("c")
    worker._sendGrabJobUniq()
    connection = worker.active_connections[0]
    assert connection.state in ("GRAB_WAIT", "IDLE")  # IDLE once the NO_JOB is there
    assert isinstance(connection.connect_time, float)
    with worker.broadcast_lock:
        worker.broadcast(gear.Packet(gear.constants.REQ, gear.constants.ECHO_REQ, b""))
    worker._lostConnection(connection)
    worker.waitForServer(20)
    assert worker.running
    worker.shutdown()
    assert not worker.running
    with pytest.raises(gear.InterruptedError):
        worker.getJob()


def test_stopWaitingForJobs_ends_every_wait_and_setFunctions_the_work(server: gear.Server) -> None:
    worker = gear.TextWorker("w")
    worker.addServer("localhost", server.port)
    worker.setFunctions([gear.FunctionRecord("do", timeout=30), gear.FunctionRecord("be")])
    ended = Recorder()

    def wait() -> None:
        try:
            worker.getJob()
        except gear.InterruptedError:
            ended.add("ended")

    threads = [threading.Thread(target=wait) for _ in range(3)]
    for thread in threads:
        thread.start()
    assert server.waitFor(lambda: any(c.state == "SLEEP" for c in server.active_connections), 20)
    assert {bytes(name) for name in server.active_connections[0].functions} == {b"do", b"be"}
    while worker.waiting_for_jobs < 3:
        time.sleep(0.001)
    worker.stopWaitingForJobs()
    for thread in threads:
        thread.join(20)
    assert len(ended.things) == 3
    worker.setFunctions([])
    assert server.waitFor(lambda: not server.active_connections[0].functions, 20)
    with pytest.raises(TypeError):
        worker.setFunctions(["do"])  # type: ignore[list-item]  # what the test is about
    worker.shutdown()


def test_names_are_where_mocks_look_for_them(server: gear.Server) -> None:
    with mock.patch("gear.BaseClient.waitForServer") as wait:
        client = gear.Client()
        client.waitForServer(90)
        wait.assert_called_once_with(90)
    with mock.patch("gear.Client.submitJob") as submit:
        client.submitJob(gear.Job("f", b""))
        submit.assert_called_once()
    with mock.patch("gear.TextJob") as job:
        gear.TextJob("f", "")
        job.assert_called_once()
    client.shutdown()


TAKEN = {
    gear.Client: "host port connect sendAdminRequest getDemand",
    gear.Worker: "lock release work run test builder driver client handleJob subscribe",
    gear.Job: "setComplete updated files build_set msg disconnect nodepool onCompleted onFailed "
    "onDisconnect onWorkStatus waitForCompletion addCompletionHandler as_dict",
    gear.Server: "release hold_jobs_in_queue jobs_history handleMassDo",
}


@pytest.mark.parametrize("base", TAKEN, ids=lambda base: str(base.__name__))
def test_names_that_subclasses_use_are_free(base: type) -> None:
    assert not [name for name in TAKEN[base].split() if hasattr(base, name)]


def test_submitting_in_a_handler_raises_at_once(server: gear.Server, work: gear.Worker) -> None:
    seen = Recorder()

    class Submitting(gear.Client):
        def handleWorkComplete(self, packet: gear.Packet) -> gear.Job:
            job = super().handleWorkComplete(packet)
            try:
                self.submitJob(gear.Job("do", b""))
            except gear.GearmanError as error:
                seen.add(str(error))
            return job

    client = Submitting()
    connect(client, server)
    client.submitJob(gear.Job("do", b""))
    seen.wait_for(lambda things: things)
    assert "poll thread" in str(seen.things[0])
    client.shutdown()


def test_breaking_the_socket_from_outside(client: Overriding, server: gear.Server) -> None:
    import socket

    connection = client.getConnection()
    assert connection.conn is not None
    before = connection.conn
    before.shutdown(socket.SHUT_RDWR)
    with client.connections_condition:
        assert client.connections_condition.wait_for(
            lambda: client.active_connections and connection.conn is not before, 20
        )
    assert client.echo(b"again", 20) == b"again"


def test_constants_have_the_values_of_0_16() -> None:
    assert (gear.PRECEDENCE_NORMAL, gear.PRECEDENCE_LOW, gear.PRECEDENCE_HIGH) == (0, 1, 2)
    assert (gear.constants.REQ, gear.constants.RES) == (b"\0REQ", b"\0RES")
    assert gear.constants.types[gear.constants.SUBMIT_JOB_EPOCH] == "SUBMIT_JOB_EPOCH"
    assert [number for number in range(1, 37) if number not in gear.constants.types] == [5]


def test_exceptions_derive_from_the_builtins_of_their_names() -> None:
    import builtins

    for name in ("ConnectionError", "TimeoutError", "InterruptedError"):
        assert issubclass(getattr(gear, name), getattr(builtins, name))
        assert issubclass(getattr(gear, name), gear.GearmanError)
