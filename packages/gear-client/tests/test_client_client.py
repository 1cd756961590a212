"""Client over real sockets and a scripted server."""

import logging
import threading
from collections.abc import Callable, Iterator

import pytest

from gear_client import (
    PRECEDENCE_HIGH,
    PRECEDENCE_LOW,
    BinaryJob,
    Client,
    Job,
    JobState,
    TextJob,
)
from gear_wire.errors import (
    ConfigurationError,
    DisconnectError,
    GearmanError,
    InterruptedError,
    InvalidDataError,
    JobFailedError,
    NoConnectedServersError,
    ServerError,
    TimeoutError,
)
from gear_wire.packet import Packet
from gear_wire.packets import (
    GetStatus,
    OptionReq,
    SetClientID,
    SubmitJobEpoch,
    SubmitJobHigh,
    SubmitJobLowBg,
    WorkComplete,
)
from gear_wire.types import ClientID, Handle
from support.scripted_jobs import Jobs
from support.scripted_server import ScriptedServer, scripted_server

WAIT = 10


def connect(client: Client, server: ScriptedServer) -> Client:
    client.addServer("127.0.0.1", server.port)
    client.waitForServer(WAIT)
    return client


@pytest.fixture
def client(server: ScriptedServer) -> Iterator[Client]:
    client = connect(Client("me"), server)
    yield client
    client.shutdown()


def submit(client: Client, name: str, arguments: bytes = b"") -> Job:
    job = Job(name, arguments)
    client.submitJob(job)
    return job


def test_it_greets(client: Client, server: ScriptedServer) -> None:
    server.wait_for(lambda: len(server.messages) == 2)
    assert server.messages == [SetClientID(ClientID(b"me")), OptionReq(b"exceptions")]


def test_a_job_and_its_result(client: Client) -> None:
    job = submit(client, "reverse", b"test")
    assert job.handle == b"H:1"
    assert job.connection is client.active_connections[0]
    assert job.result(WAIT) == b"tset"
    assert (job.complete, job.failure, job.data) == (True, False, [b"tset"])
    assert client.active_connections[0].related_jobs == {}


def test_a_job_that_reports(client: Client) -> None:
    job = submit(client, "report")
    assert job.result(WAIT) == b"onetwothree"
    assert (job.data, job.warning) == ([b"one", b"two", b"three"], True)
    assert (job.numerator, job.denominator, job.fraction_complete) == (b"1", b"2", 0.5)


def test_jobs_of_text_and_of_bytes(client: Client) -> None:
    text, binary = TextJob("reverse", "äb"), BinaryJob(b"reverse", b"\xff\0")
    client.submitJob(text)
    client.submitJob(binary)
    assert text.wait(WAIT)
    assert binary.result(WAIT) == b"\0\xff"
    assert list(text.binary_data) == [text.binary_arguments[::-1]]
    assert isinstance(text.data[0], str)


def test_a_job_fails(client: Client) -> None:
    with pytest.raises(JobFailedError) as plain:
        submit(client, "fail").result(WAIT)
    assert plain.value.exception is None
    job = submit(client, "raise", b"why")
    with pytest.raises(JobFailedError, match="why") as info:
        job.result(WAIT)
    assert info.value.exception == job.exception == b"why"


def test_background_precedence_and_time(client: Client, server: ScriptedServer) -> None:
    client.submitJob(Job("hold", b""), False, PRECEDENCE_HIGH)
    client.submitJob(Job("hold", b""), background=True, precedence=PRECEDENCE_LOW)
    client.submitJob(Job("hold", b""), background=True, when=5)
    server.wait_for(lambda: len(server.messages) == 5)
    kinds = [type(message) for message in server.messages[2:]]
    assert kinds == [SubmitJobHigh, SubmitJobLowBg, SubmitJobEpoch]
    assert list(client.active_connections[0].related_jobs) == [b"H:1"]


def test_background_none_as_some_programs_pass_it(client: Client) -> None:
    job = Job("reverse", b"ab")
    client.submitJob(job, None)
    assert job.result(WAIT) == b"ba"


def test_a_refused_job(client: Client) -> None:
    with pytest.raises(ServerError, match="QUEUE_ERROR: Job queue is full"):
        submit(client, "refuse")
    assert submit(client, "reverse", b"ab").result(WAIT) == b"ba"


def test_a_server_that_does_not_answer(client: Client) -> None:
    job = Job("silence", b"")
    with pytest.raises(TimeoutError, match=r"SUBMIT_JOB in 0\.05 s"):
        client.submitJob(job, timeout=0.05)
    assert client.active_connections


def test_no_server() -> None:
    client = Client()
    with pytest.raises(NoConnectedServersError):
        client.submitJob(Job("reverse", b""))
    with pytest.raises(NoConnectedServersError):
        client.getStatus(b"H:1")
    with pytest.raises(NoConnectedServersError):
        client.getStatusByUnique("u")
    assert client.setOption("exceptions")
    client.shutdown()


def test_a_lost_server_wakes_who_submits(client: Client) -> None:
    with pytest.raises(NoConnectedServersError):
        client.submitJob(Job("drop", b""), timeout=60)


def test_the_next_server_takes_what_the_first_lost(jobs: Jobs) -> None:
    class Dropping(Jobs):
        def _take(self, peer: object, function: bytes, payload: bytes) -> None:
            raise ConnectionResetError("the script says so")

    with scripted_server(Dropping()) as bad, scripted_server(jobs) as good:
        client = connect(connect(Client(), bad), good)
        with client.connections_condition:
            assert client.connections_condition.wait_for(
                lambda: len(client.active_connections) == 2, WAIT
            )
        job = submit(client, "reverse", b"ab")
        assert job.result(WAIT) == b"ba"
        client.shutdown()


def test_a_lost_server_fails_its_jobs(client: Client, server: ScriptedServer, jobs: Jobs) -> None:
    job = submit(client, "hold")
    assert (job.complete, len(jobs.held)) == (False, 1)
    server.drop()
    with pytest.raises(JobFailedError, match="lost its server"):
        job.result(WAIT)
    client.waitForServer(WAIT)
    assert submit(client, "reverse", b"ab").result(WAIT) == b"ba"


def test_shutdown_wakes_who_waits(client: Client) -> None:
    job = submit(client, "hold")
    timer = threading.Timer(0.05, client.shutdown)
    timer.start()
    with pytest.raises(JobFailedError):
        job.result(WAIT)
    timer.join()
    with pytest.raises(InterruptedError):
        client.waitForServer()


# Status, options, echo


def test_the_state_of_a_job(client: Client) -> None:
    job = submit(client, "hold")
    state = JobState(known=True, running=False, numerator=1, denominator=2)
    assert client.getStatus(job) == state
    assert (job.known, job.running, job.fraction_complete) == (True, False, 0.5)
    assert client.getStatus("H:1") == client.getStatus(b"H:1") == state
    assert not client.getStatus("H:2").known
    assert client.getStatusByUnique("u") == JobState(True, True, 3, 4, clients=5)


def test_the_state_of_a_job_that_was_not_submitted(client: Client) -> None:
    with pytest.raises(InvalidDataError, match="submit it first"):
        client.getStatus(Job("reverse", b""))


def test_options(client: Client, server: ScriptedServer) -> None:
    assert client.setOption("exceptions", WAIT)
    assert not client.setOption("other", WAIT)
    assert client.active_connections[0].options == {b"exceptions"}
    with pytest.raises(InvalidDataError, match="an option must not hold a NUL"):
        client.setOption("a\0b")
    server.drop()
    server.wait_for(lambda: server.messages.count(OptionReq(b"other")) == 2)


def test_an_echo(client: Client) -> None:
    assert client.echo("x", WAIT) == b"x"


def test_a_lost_server_wakes_who_asks(client: Client, server: ScriptedServer) -> None:
    def drop() -> None:
        server.wait_for(lambda: GetStatus(Handle(b"H:silence")) in server.messages)
        server.drop()

    thread = threading.Thread(target=drop)
    thread.start()
    with pytest.raises(DisconnectError):
        client.getStatus(b"H:silence", 60)
    thread.join()


# Handlers


class Recording(Client):
    """Calls super in some handlers, and notes what it is given."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, object]] = []
        self.ended = threading.Event()
        super().__init__("recording")

    def handleWorkData(self, packet: Packet) -> Job:
        job = super().handleWorkData(packet)
        self.seen.append(("data", job.data[-1]))
        return job

    def handleWorkComplete(self, packet: Packet) -> Job:
        job = super().handleWorkComplete(packet)
        self.seen.append(("complete", job.name))
        self.ended.set()
        return job


def test_handlers_are_given_the_job(server: ScriptedServer) -> None:
    client = Recording()
    connect(client, server)
    submit(client, "report")
    assert client.ended.wait(WAIT)
    assert client.seen == [("data", b"one"), ("complete", "report")]
    client.shutdown()


def test_blocking_calls_in_a_handler_raise_at_once(server: ScriptedServer) -> None:
    held = Job("hold", b"")

    class Blocking(Recording):
        def handleWorkComplete(self, packet: Packet) -> Job:
            calls: list[Callable[[], object]] = [
                lambda: self.submitJob(Job("reverse", b"")),
                lambda: self.getStatus(b"H:1"),
                lambda: self.getStatusByUnique(b"u"),
                lambda: self.setOption("exceptions"),
                self.echo,
                held.wait,
                held.result,
            ]
            for call in calls:
                with pytest.raises(GearmanError, match="poll thread"):
                    call()
            return super().handleWorkComplete(packet)

    client = Blocking()
    connect(client, server)
    client.submitJob(held)
    submit(client, "reverse")
    assert client.ended.wait(WAIT)
    client.shutdown()


def test_packets_of_unknown_jobs_stall_nothing(
    client: Client, server: ScriptedServer, caplog: pytest.LogCaptureFixture
) -> None:
    server.wait_for(lambda: server.peers)
    with caplog.at_level(logging.ERROR):
        server.peers[0].sock.sendall(Packet(b"\0RES", 13, b"H:99\0x").toBinary() * 2)
        assert submit(client, "reverse", b"ab").result(WAIT) == b"ba"
    assert caplog.text.count("unknown job b'H:99'") == 2


def test_many_threads_get_their_own_results(client: Client) -> None:
    wrong: list[Job] = []

    def work(number: int) -> None:
        for turn in range(20):
            data = b"%d-%d" % (number, turn)
            job = submit(client, "reverse", data)
            if job.result(WAIT) != data[::-1]:
                wrong.append(job)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_only_jobs_are_submitted(client: Client) -> None:
    with pytest.raises(TypeError, match=r"submitJob takes a gear\.Job, not str"):
        client.submitJob("reverse")  # type: ignore[arg-type]  # what the test is about
    with pytest.raises(ConfigurationError, match="unknown precedence 9"):
        client.submitJob(Job("reverse", b""), precedence=9)


def test_handlers_may_be_called_by_hand(client: Client, jobs: Jobs) -> None:
    job = submit(client, "hold")
    assert job.handle is not None
    packet = Packet(b"\0RES", 13, job.handle + b"\0x", client.active_connections[0])
    assert client.handlePacket(packet) is job
    assert job.complete
    with pytest.raises(GearmanError, match="no connection"):
        client.handleWorkComplete(Packet(b"\0RES", 13, b"H:1\0"))
    assert WorkComplete(packet.decoded.handle, b"x") == packet.decoded  # type: ignore[attr-defined]  # any packet may be decoded
