"""Servers that products made of gear 0.16's: overriding, holding jobs back, being forgotten."""

import gc
import socket
import threading
from collections.abc import Iterator

import pytest

import gear
import gear.constants
import gear_server.engine.scheduler

MASS_DO = 101


class FakeGearmanServer(gear.Server):
    """The test double that four projects wrote by hand."""

    def __init__(self) -> None:
        self.hold_jobs_in_queue = False
        self.jobs_history: list[bytes] = []
        super().__init__(0)

    def getJobForConnection(
        self, connection: gear.ServerConnection, peek: bool = False
    ) -> gear.ServerJob | None:
        for queue in (self.high_queue, self.normal_queue, self.low_queue):
            for job in queue:
                if not hasattr(job, "waiting"):
                    job.waiting = self.hold_jobs_in_queue  # type: ignore[attr-defined]  # as products do
                if vars(job)["waiting"]:
                    continue
                if job.name in connection.functions:
                    if not peek:
                        queue.remove(job)
                        connection.related_jobs[job.handle] = job
                        job.worker_connection = connection
                        self.jobs_history.append(job.arguments)
                        self.waiting_jobs -= 1
                        self.running_jobs += 1
                    job.running = True
                    return job
        return None

    def release(self) -> None:
        for job in self.getQueue():
            vars(job)["waiting"] = False
        self.wakeConnections()


@pytest.fixture
def server() -> Iterator[FakeGearmanServer]:
    server = FakeGearmanServer()
    yield server
    server.shutdown()


@pytest.fixture
def client(server: gear.Server) -> Iterator[gear.Client]:
    client = gear.Client()
    client.addServer("localhost", server.port)
    client.waitForServer(20)
    yield client
    client.shutdown()


@pytest.fixture
def worker(server: gear.Server) -> Iterator[gear.Worker]:
    worker = gear.Worker("w")
    worker.addServer("localhost", server.port)
    worker.registerFunction("do")
    thread = threading.Thread(target=serve, args=(worker,))
    thread.start()
    yield worker
    worker.shutdown()
    thread.join(20)


def serve(worker: gear.Worker) -> None:
    try:
        while True:
            worker.getJob().sendWorkComplete(b"done")
    except gear.InterruptedError:
        pass


def test_jobs_are_held_and_released_from_the_test(
    server: FakeGearmanServer, client: gear.Client, worker: gear.Worker
) -> None:
    server.hold_jobs_in_queue = True
    jobs = [gear.Job("do", name) for name in (b"low", b"high", b"normal")]
    for job, precedence in zip(jobs, (1, 2, 0), strict=True):
        client.submitJob(job, precedence=precedence)
    assert server.waitFor(lambda: any(c.state == "SLEEP" for c in server.active_connections), 20)
    assert [job.arguments for job in server.getQueue()] == [b"high", b"normal", b"low"]
    assert [job.name for job in server.getQueue()] == [b"do"] * 3
    assert (len(server.high_queue), len(server.normal_queue), len(server.low_queue)) == (1, 1, 1)
    assert server.getQueue()[0] is server.jobs[server.getQueue()[0].handle]
    assert (server.total_jobs, server.running_jobs, server.waiting_jobs) == (3, 0, 3)
    server.release()
    for job in jobs:
        assert job.result(20) == b"done"
    assert server.jobs_history == [b"high", b"normal", b"low"]
    assert (server.total_jobs, server.running_jobs, server.waiting_jobs) == (0, 0, 0)


def test_a_clients_connection_has_its_foreground_jobs(
    server: FakeGearmanServer, client: gear.Client
) -> None:
    """Tests of one product look there, by handle, whether a job is held back."""
    server.hold_jobs_in_queue = True
    job, background = gear.Job("do", b""), gear.Job("do", b"")
    client.submitJob(job)
    client.submitJob(background, background=True)
    (peer,) = server.active_connections
    assert job.handle is not None
    assert dict(peer.related_jobs) == {job.handle: server.jobs[job.handle]}


def test_a_lost_worker_fails_its_job_as_0_16_did(client: gear.Client, server: gear.Server) -> None:
    worker = gear.Worker("short-lived")
    worker.addServer("localhost", server.port)
    worker.registerFunction("do")
    job = gear.Job("do", b"")
    client.submitJob(job)
    worker.getJob(20)
    worker.shutdown()
    with pytest.raises(gear.JobFailedError):
        job.result(20)
    assert server.total_jobs == 0


def test_a_server_that_nobody_keeps_lives_on() -> None:
    port = gear.Server(0).port
    gc.collect()
    connection = gear.Connection("localhost", port)
    connection.connect()
    assert connection.echo(b"alive", 20) == b"alive"
    connection.disconnect()
    for thread in threading.enumerate():
        target = getattr(thread, "_target", None)
        owner = getattr(target, "__self__", None)
        if isinstance(owner, gear.Server):
            owner.shutdown()


def test_a_new_server_on_the_same_port_at_once() -> None:
    first = gear.Server(0)
    client = gear.Client()
    client.addServer("localhost", first.port)
    client.waitForServer(20)
    first.shutdown()
    first.shutdown()
    second = gear.Server(first.port)
    client.waitForServer(20)
    client.shutdown()
    second.shutdown()


def test_the_port_may_be_text_and_must_be_free() -> None:
    server = gear.Server("0")
    with pytest.raises(OSError, match=str(server.port)):
        gear.Server(str(server.port))
    server.shutdown()
    with pytest.raises(gear.ConfigurationError, match="65535"):
        gear.Server(70000)


class MassServer(gear.Server):
    """Understands a packet type of its own, and answers a command of its own."""

    def handlePacket(self, packet: gear.Packet) -> object:
        if packet.ptype == MASS_DO:
            assert isinstance(packet.connection, gear.ServerConnection)
            packet.connection.functions.clear()
            for name in packet.data.split(b"\0"):
                packet.connection.functions.add(name)
            return None
        return super().handlePacket(packet)

    def handleStatus(self, request: gear.ServerAdminRequest) -> None:
        request.connection.conn.send(b"STATUS\t0\t0\t0\n")
        super().handleStatus(request)

    def handleSetClientID(self, packet: gear.Packet) -> object:
        packet.data = packet.data.upper()
        return super().handleSetClientID(packet)


def test_own_packet_types_and_overridden_handlers() -> None:
    server = MassServer(0)
    worker = gear.Worker("mass")
    worker.addServer("localhost", server.port)
    worker.waitForServer(20)
    connection = worker.getConnection()
    worker.broadcast(gear.Packet(gear.constants.REQ, MASS_DO, b"a\0b\0c"))
    assert connection.echo(b"x", 20) == b"x"
    (peer,) = server.active_connections
    assert set(peer.functions) == {b"a", b"b", b"c"}
    assert b"b" in peer.functions
    assert peer.client_id == b"MASS"
    assert server.functions == {b"a", b"b", b"c"}
    request = gear.StatusAdminRequest()
    connection.sendAdminRequest(request)
    assert request.response is not None
    assert request.response.startswith(b"STATUS\t0\t0\t0\n")
    peer.functions = {b"b"}
    assert set(peer.functions) == {b"b"}
    worker.shutdown()
    server.shutdown()


class LateServer(gear.Server):
    """Answers in threads of its own."""

    def handleStatus(self, request: gear.ServerAdminRequest) -> None:
        threading.Thread(target=super().handleStatus, args=(request,)).start()


def test_a_long_answer_comes_from_any_thread() -> None:
    with LateServer(0) as server:
        worker = gear.Worker("many")
        worker.addServer("localhost", server.port)
        worker.waitForServer(20)
        for number in range(1000):
            worker.registerFunction(b"%d" % number)
        connection = worker.getConnection()
        assert connection.echo(b"x", 20) == b"x"
        request = gear.StatusAdminRequest()
        connection.sendAdminRequest(request, 20)
        assert request.response is not None
        assert request.response.count(b"\n") == 1001
        worker.shutdown()


def test_connections_are_broken_from_the_servers_side(client: gear.Client) -> None:
    server = gear.Server(0)
    other = gear.Client("other")
    other.addServer("localhost", server.port)
    other.waitForServer(20)
    other.echo(b"x", 20)
    (peer,) = server.active_connections
    peer.conn.shutdown(socket.SHUT_RDWR)
    assert server.waitFor(lambda: peer not in server.active_connections, 20)
    other.waitForServer(20)
    other.shutdown()
    server.shutdown()


def test_measurements_go_to_statsd() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as statsd:
        statsd.bind(("127.0.0.1", 0))
        statsd.settimeout(20)
        server = gear.Server(
            0, statsd_host="127.0.0.1", statsd_port=statsd.getsockname()[1], statsd_prefix="zuul"
        )
        client = gear.Client()
        client.addServer("localhost", server.port)
        client.waitForServer(20)
        client.submitJob(gear.Job("do", b""), background=True)
        wanted = {
            b"zuul.queue.total:1|g",
            b"zuul.queue.running:0|g",
            b"zuul.queue.waiting:1|g",
            b"zuul.packet.SUBMIT_JOB_BG:1|c",
        }
        timings: set[bytes] = set()
        while wanted or not timings:
            for line in statsd.recv(10000).split(b"\n"):
                wanted.discard(line)
                if line.startswith(b"zuul.packet.SUBMIT_JOB_BG:") and line.endswith(b"|ms"):
                    timings.add(line)
        client.shutdown()
        server.shutdown()


def test_a_lost_job_and_timings_reach_overrides() -> None:
    lost: list[bytes] = []
    timed: list[int] = []

    class Watching(gear.Server):
        def handleDisconnect(self, job: gear.ServerJob) -> None:
            lost.append(job.arguments)

        def reportTimingStats(self, ptype: int, duration: float) -> None:
            timed.append(ptype)

    server = Watching(0)
    client, worker = gear.Client(), gear.Worker("w")
    for end in (client, worker):
        end.addServer("localhost", server.port)
        end.waitForServer(20)
    worker.registerFunction("do")
    job = gear.Job("do", b"me")
    client.submitJob(job)
    worker.getJob(20)
    worker.shutdown()
    assert job.wait(20)
    assert lost == [b"me"]
    assert gear.constants.GRAB_JOB_UNIQ in timed
    client.shutdown()
    server.shutdown()


class HesitatingServer(gear.Server):
    """It has a job for a worker only when it is asked the second time."""

    asked = 0

    def getJobForConnection(
        self, connection: gear.ServerConnection, peek: bool = False
    ) -> gear.ServerJob | None:
        self.asked += 1
        if self.asked == 1:
            self.wakeConnections()  # another turn
            return None
        return super().getJobForConnection(connection, peek)


def test_a_worker_that_asks_may_get_its_job_a_little_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gear_server.engine.scheduler, "LINGER", 60.0)
    server = HesitatingServer(0, host="127.0.0.1")
    connection = gear.Connection("127.0.0.1", server.port)
    try:
        connection.connect()
        for ptype, data in (
            (gear.constants.SUBMIT_JOB_BG, b"do\0\0x"),
            (gear.constants.CAN_DO, b"do"),
            (gear.constants.GRAB_JOB, b""),
        ):
            connection.sendPacket(gear.Packet(gear.constants.REQ, ptype, data))
        heard = [connection.readPacket() for _ in range(2)]
        assert [getattr(packet, "ptype", None) for packet in heard] == [
            gear.constants.JOB_CREATED,
            gear.constants.JOB_ASSIGN,
        ]
        assert server.asked == 2
    finally:
        connection.disconnect()
        server.shutdown()


class HeldUpServer(gear.Server):
    """It reads on only when it is told to, once an ECHO_REQ has come."""

    def __init__(self) -> None:
        self.held_up = threading.Event()
        self.go_on = threading.Event()
        super().__init__(0, host="127.0.0.1")

    def handleEchoReq(self, packet: gear.Packet) -> object:
        self.held_up.set()
        assert self.go_on.wait(20)
        return super().handleEchoReq(packet)


def test_a_worker_that_asked_and_leaves_with_the_job_in_the_same_turn_does_not_get_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(gear_server.engine.scheduler, "LINGER", 60.0)
    server = HeldUpServer()
    constants = gear.constants

    def send(sock: socket.socket, *packets: tuple[int, bytes]) -> None:
        sock.sendall(b"".join(gear.Packet(constants.REQ, *packet).toBinary() for packet in packets))

    address = "127.0.0.1", server.port
    with (
        socket.create_connection(address, 20) as worker,
        socket.create_connection(address, 20) as client,
        socket.create_connection(address, 20) as other,
    ):
        send(worker, (constants.CAN_DO, b"do"), (constants.GRAB_JOB, b""))
        send(client, (constants.SET_CLIENT_ID, b"client"))
        assert server.waitFor(
            lambda: (
                {peer.client_id for peer in server.active_connections} == {b"-", b"client"}
                and any(peer.functions for peer in server.active_connections)
            ),
            20,
        )
        send(other, (constants.ECHO_REQ, b"x"))
        assert server.held_up.wait(20)
        send(client, (constants.SUBMIT_JOB, b"do\0\0x"))
        worker.close()
        server.go_on.set()
        assert server.waitFor(lambda: len(server.active_connections) == 2, 20)
        assert server.waitFor(lambda: server.counters.submitted == 1, 20)
        assert server.waiting_jobs == 1
        assert server.counters.exhausted == 0
    server.shutdown()


@pytest.mark.parametrize("way", ["unRegisterFunction", "setFunctions"])
def test_jobs_that_run_outlive_their_registration(way: str) -> None:
    """Zuul and nodepool stop so: they take back what they can do, and finish what they have."""
    server = gear.Server(0, host="127.0.0.1")
    client, worker = gear.Client(), gear.Worker("stopping")
    for end in (client, worker):
        end.addServer("127.0.0.1", server.port)
        end.waitForServer(20)
    worker.registerFunction("do")
    job = gear.Job("do", b"x")
    client.submitJob(job)
    assigned = worker.getJob(20)
    if way == "setFunctions":
        worker.setFunctions([])
    else:
        worker.unRegisterFunction("do")
    worker.getConnection().echo(b"the server has heard that", 20)
    assert not job.complete
    assigned.sendWorkComplete(b"done")
    assert job.result(20) == b"done"
    client.shutdown()
    worker.shutdown()
    server.shutdown()


def test_functions_may_be_added_from_the_test() -> None:
    server = gear.Server(0, host="127.0.0.1")
    server.functions.add(b"by hand")
    server.functions |= {b"another"}
    assert server.functions == {b"by hand", b"another"}
    assert server.functions & {b"another"} == {b"another"}
    client = gear.Client()
    client.addServer("127.0.0.1", server.port)
    client.waitForServer(20)
    request = gear.StatusAdminRequest()
    client.getConnection().sendAdminRequest(request)
    assert request.response == b"by hand\t0\t0\t0\nanother\t0\t0\t0\n.\n"
    for number in range(20_000):
        server.functions.add(b"%d" % number)
    assert len(server.functions) == 20_002
    server.functions.discard(b"another")
    assert b"another" not in server.functions
    client.shutdown()
    server.shutdown()


class RaisingServer(gear.Server):
    """A server whose every override raises."""

    error: type[BaseException] = ValueError

    def handleDisconnect(self, job: gear.ServerJob) -> None:
        raise self.error("handleDisconnect")

    def handleSetClientID(self, packet: gear.Packet) -> object:
        super().handleSetClientID(packet)
        raise self.error("handleSetClientID")

    def handleStatus(self, request: gear.ServerAdminRequest) -> None:
        raise self.error("handleStatus")

    def reportTimingStats(self, ptype: int, duration: float) -> None:
        raise self.error("reportTimingStats")


@pytest.mark.parametrize("error", [ValueError, SystemExit])
def test_overrides_that_raise_disturb_nobody(
    error: type[BaseException], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RaisingServer, "error", error)
    server = RaisingServer(0, host="127.0.0.1")
    client, worker = gear.Client(), gear.Worker("lost")
    for end in (client, worker):
        end.addServer("127.0.0.1", server.port)
        end.waitForServer(20)
    worker.registerFunction("do")
    job = gear.Job("do", b"x")
    client.submitJob(job)
    worker.getJob(20)
    request = gear.StatusAdminRequest()
    client.getConnection().sendAdminRequest(request)
    assert request.response == b"ERR UNKNOWN_ERROR\r\n"
    worker.shutdown()
    assert job.wait(20), "the job was lost with the exception"
    assert job.failure
    client.shutdown()
    server.shutdown()
    for name in ("handleDisconnect", "handleSetClientID", "handleStatus", "reportTimingStats"):
        assert f"Exception in {name}" in caplog.text


def test_a_predicate_that_raises_does_so_where_it_is_waited_for() -> None:
    server = gear.Server(0, host="127.0.0.1")

    def fail() -> bool:
        raise ValueError("predicate")

    with pytest.raises(ValueError, match="predicate"):
        server.waitFor(fail, 20)
    asked = threading.Event()
    raised: list[Exception] = []

    def fail_later() -> bool:
        asked.set()
        if server.active_connections:
            raise ValueError("later")
        return False

    def wait() -> None:
        try:
            server.waitFor(fail_later, 20)
        except ValueError as error:
            raised.append(error)

    waiting = threading.Thread(target=wait)
    waiting.start()
    assert asked.wait(20)
    client = gear.Client()
    client.addServer("127.0.0.1", server.port)
    client.waitForServer(20)
    waiting.join(20)
    assert [str(error) for error in raised] == ["later"]
    client.shutdown()
    server.shutdown()
