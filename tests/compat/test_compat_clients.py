"""What gear 0.16's Client and Worker did wrong, seen from both ends of the wire."""

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

import pytest

import gear
import gear.constants
from gear_wire.packets import (
    CanDo,
    CanDoTimeout,
    EchoReq,
    EchoRes,
    Error,
    GrabJobUniq,
    JobAssignUnique,
    JobCreated,
    NoJob,
    Noop,
    OptionReq,
    PreSleep,
    SubmitJob,
)
from gear_wire.types import FunctionName, Handle, UniqueKey
from support import faces
from support.faces import FACES
from support.scripted_server import Peer, ScriptedServer, scripted_server

HOST = "127.0.0.1"
End = TypeVar("End", bound=gear.BaseClient)


@pytest.fixture
def client(server: gear.Server) -> Iterator[gear.Client]:
    client = connected(gear.Client(), server.port)
    yield client
    client.shutdown()


@pytest.fixture
def worker(server: gear.Server) -> Iterator[gear.Worker]:
    worker = gear.Worker("w")
    worker.registerFunction("do")
    connected(worker, server.port)
    yield worker
    worker.shutdown()


def connected(end: End, *ports: int) -> End:
    for port in ports:
        end.addServer(HOST, port)
    end.waitForServer(20)
    return end


# Errors and refusals


def test_an_error_costs_a_worker_neither_its_connection_nor_its_jobs(
    server: gear.Server, client: gear.Client, worker: gear.Worker
) -> None:
    """Any ERROR, as for a job that was completed twice, had 0.16 drop the connection."""
    errors = threading.Event()
    handle_error = worker.handleError

    def note(packet: gear.Packet) -> object:
        errors.set()
        return handle_error(packet)

    worker.handleError = note  # type: ignore[method-assign]  # as a subclass would
    jobs = [gear.Job("do", b"%d" % number) for number in range(2)]
    for job in jobs:
        client.submitJob(job)
    first, second = worker.getJob(20), worker.getJob(20)
    before = worker.getConnection().connect_time
    first.sendWorkComplete()
    first.sendWorkComplete()
    assert errors.wait(20)
    second.sendWorkComplete(b"still here")
    assert jobs[1].result(20) == b"still here"
    assert worker.getConnection().connect_time == before


def test_an_error_costs_a_client_neither_its_connection_nor_its_jobs() -> None:
    handles = (Handle(b"H:%d" % number) for number in itertools.count())

    def answer(peer: Peer, message: object) -> None:
        if not isinstance(message, SubmitJob):
            return
        if message.function == b"refused":
            peer.send(Error(b"QUEUE_ERROR", b"Job queue is full"))
        else:
            peer.send(JobCreated(next(handles)))

    with scripted_server(answer) as server:
        client = connected(gear.Client(), server.port)
        kept = gear.Job("taken", b"")
        client.submitJob(kept)
        with pytest.raises(gear.ServerError, match="Job queue is full"):
            client.submitJob(gear.Job("refused", b""))
        client.submitJob(gear.Job("taken", b""))
        assert not kept.complete
        client.shutdown()


@pytest.mark.parametrize("kind", FACES)
def test_an_error_is_logged(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    def answer(peer: Peer, message: object) -> None:
        if isinstance(message, EchoReq):
            peer.send(Error(b"JOB_NOT_FOUND", b"Job does not exist on server"))
            peer.send(EchoRes(message.payload))

    with scripted_server(answer) as server:
        with faces.connected(kind, [(HOST, server.port)]) as face:
            assert face.echo(b"x") == b"x"
    assert "JOB_NOT_FOUND: Job does not exist on server" in caplog.text


# Submitting


def test_background_jobs_are_not_kept(client: gear.Client) -> None:
    """0.16 kept every one of them for ever, and told each of a lost connection."""
    for _ in range(50):
        client.submitJob(gear.Job("nobody", b""), background=True)
    assert client.getConnection().related_jobs == {}
    job = gear.Job("nobody", b"")
    client.submitJob(job)
    assert list(client.getConnection().related_jobs.values()) == [job]


def test_every_job_of_one_unique_hears_of_a_lost_server(server: gear.Server) -> None:
    lost: list[gear.BaseJob] = []
    heard = threading.Event()

    class Listening(gear.Client):
        def handleDisconnect(self, job: gear.BaseJob) -> None:
            lost.append(job)
            if len(lost) == 3:
                heard.set()

    client = connected(Listening(), server.port)
    jobs = [gear.Job("nobody", b"", "one") for _ in range(3)]
    for job in jobs:
        client.submitJob(job)
    assert len({job.handle for job in jobs}) == 1
    server.shutdown()
    assert heard.wait(20)
    assert {id(job) for job in lost} == {id(job) for job in jobs}
    client.shutdown()


def test_a_submission_that_is_not_answered_is_not_sent_to_another_server() -> None:
    """0.16 sent it to all of them, and then said that no server was connected."""

    def say_nothing(peer: Peer, message: object) -> None:
        pass

    def greeted(server: ScriptedServer) -> Callable[[], bool]:
        return lambda: bool(server.messages)

    def count(server: ScriptedServer) -> int:
        return len([m for m in server.messages if isinstance(m, SubmitJob)])

    with scripted_server(say_nothing) as first, scripted_server(say_nothing) as second:
        client = connected(gear.Client(), first.port, second.port)
        for server in (first, second):
            server.wait_for(greeted(server))
        with pytest.raises(gear.TimeoutError, match=r"not answered SUBMIT_JOB in 0\.1 s"):
            client.submitJob(gear.Job("do", b""), timeout=0.1)
        assert len(client.active_connections) == 2
        client.shutdown()
        assert count(first) + count(second) == 1


def test_an_answer_that_comes_late_is_the_late_jobs_own() -> None:
    """The next job gets its own handle, though the first one's came after its timeout."""
    go_on = threading.Event()

    def answer(peer: Peer, message: object) -> None:
        if isinstance(message, SubmitJob):
            assert message.payload != b"first" or go_on.wait(20)
            peer.send(JobCreated(Handle(b"H:" + message.payload)))

    with scripted_server(answer) as server:
        client = connected(gear.Client(), server.port)
        first, second = gear.Job("do", b"first"), gear.Job("do", b"second")
        with pytest.raises(gear.TimeoutError):
            client.submitJob(first, timeout=0.05)
        go_on.set()
        client.submitJob(second)
        assert (first.handle, second.handle) == (b"H:first", b"H:second")
        client.shutdown()


def test_an_option_that_is_never_answered_is_not_set_and_costs_nothing() -> None:
    """As with 0.16's own server: its client returned True, and dropped the connection."""

    def answer(peer: Peer, message: object) -> None:
        if isinstance(message, EchoReq):
            peer.send(EchoRes(message.payload))

    with scripted_server(answer) as server:
        client = connected(gear.Client(), server.port)
        (connection,) = client.active_connections
        before = connection.connect_time
        assert client.setOption("exceptions", timeout=0.05) is False
        assert client.echo(b"x", 20) == b"x"
        assert connection.connect_time == before
        client.shutdown()


def test_an_option_is_set_again_after_a_loss() -> None:
    def say_nothing(peer: Peer, message: object) -> None:
        pass

    def asked(server: ScriptedServer) -> int:
        return len([m for m in server.messages if m == OptionReq(b"mine")])

    with scripted_server(say_nothing) as server:
        client = connected(gear.Client(), server.port)
        client.setOption("mine", timeout=0)
        server.wait_for(lambda: asked(server) == 1)
        server.drop()
        server.wait_for(lambda: asked(server) == 2)
        client.shutdown()


# Workers


@pytest.mark.parametrize(
    ("timeout", "packet"),
    [
        (None, CanDo(FunctionName(b"do"))),
        (2, CanDoTimeout(FunctionName(b"do"), b"2000")),
        (0.5, CanDoTimeout(FunctionName(b"do"), b"500")),
        (b"1500", CanDoTimeout(FunctionName(b"do"), b"1500")),
    ],
    ids=repr,
)
@pytest.mark.parametrize("way", ["registerFunction", "setFunctions"])
def test_a_timeout_is_a_number_of_seconds(
    way: str, timeout: float | bytes | None, packet: object
) -> None:
    """The documented number was a TypeError in 0.16; bytes in milliseconds went through."""
    worker = gear.Worker("w")
    if way == "registerFunction":
        worker.registerFunction("do", timeout=timeout)
    else:
        worker.setFunctions([gear.FunctionRecord("do", timeout)])
    with scripted_server() as server:
        connected(worker, server.port)
        server.wait_for(lambda: packet in server.messages)
        worker.shutdown()


def test_a_timeout_is_kept_by_the_server(
    server: gear.Server, client: gear.Client, worker: gear.Worker
) -> None:
    worker.registerFunction("slow", timeout=0.05)
    job = gear.Job("slow", b"")
    client.submitJob(job)
    taken = worker.getJob(20)
    with pytest.raises(gear.JobFailedError):
        job.result(20)
    assert server.running_jobs == 0
    taken.sendWorkComplete(b"too late")


def test_functions_that_make_no_sense_take_none_back(
    server: gear.Server, worker: gear.Worker
) -> None:
    """0.16 had said RESET_ABILITIES before it looked at them."""
    record = gear.FunctionRecord("other")
    for functions in ([record, "do"], None):
        with pytest.raises(TypeError):
            worker.setFunctions(functions)  # type: ignore[arg-type]  # what the test is about
    worker.getConnection().echo(b"x", 20)
    (peer,) = server.active_connections
    assert set(peer.functions) == {b"do"}
    assert list(worker.functions) == [b"do"]


def test_a_server_of_0_16_says_noops_and_no_jobs_as_it_likes() -> None:
    """A NO_JOB before its GRAB_JOB, or a NOOP for nobody, keeps no worker from working."""
    grabs: list[object] = []

    def answer(peer: Peer, message: object) -> None:
        if isinstance(message, CanDo):
            peer.send(NoJob())
            peer.send(Noop())
        if isinstance(message, PreSleep):
            peer.send(Noop())
        if isinstance(message, GrabJobUniq):
            grabs.append(message)
            handle, name = Handle(b"H:1"), FunctionName(b"do")
            job = JobAssignUnique(handle, name, UniqueKey(b""), b"x")
            peer.send(job if len(grabs) == 3 else NoJob())

    with scripted_server(answer) as server:
        worker = gear.Worker("w")
        worker.registerFunction("do")
        worker.addServer(HOST, server.port)
        assert worker.getJob(20).arguments == b"x"
        worker.shutdown()


def test_waiting_is_counted_right(server: gear.Server, worker: gear.Worker) -> None:
    """In 0.16, waiting_for_jobs went below nothing."""
    client = connected(gear.Client(), server.port)
    for _ in range(3):
        client.submitJob(gear.Job("do", b""), background=True)
        worker.getJob(20).sendWorkComplete()
        assert worker.waiting_for_jobs == 0
    with pytest.raises(gear.TimeoutError):
        worker.getJob(0)
    assert worker.waiting_for_jobs == 0
    client.shutdown()


# Text


def test_lists_of_text() -> None:
    texts = gear.TextList()
    texts.extend([b"a", "b"])
    texts.append(b"c")
    texts.insert(0, b"d")
    assert texts == ["d", "a", "b", "c"]


def test_the_unique_of_a_text_job_may_be_none() -> None:
    job = gear.TextJob("do", "", unique="u")
    job.unique = None
    assert (job.unique, job.binary_unique) == (None, None)


def test_the_documentations_own_job(client: gear.Client, worker: gear.Worker) -> None:
    """Its arguments are text, which was a TypeError in 0.16 on Python 3."""
    job = gear.Job("do", "test string")
    client.submitJob(job)
    assigned = worker.getJob(20)
    assert assigned.arguments == b"test string"
    assigned.sendWorkComplete(assigned.arguments[::-1])
    assert job.result(20) == b"gnirts tset"


def test_what_is_empty_is_no_data(client: gear.Client, worker: gear.Worker) -> None:
    """As in 0.16, for all three packets that bring data."""
    job = gear.Job("do", b"")
    client.submitJob(job)
    assigned = worker.getJob(20)
    assigned.sendWorkData()
    assigned.sendWorkWarning()
    assigned.sendWorkData(b"x")
    assigned.sendWorkComplete()
    assert job.wait(20)
    assert (job.data, job.warning) == ([b"x"], True)


# What 0.16 had no call for


def test_waiting_for_a_job_and_its_result(client: gear.Client, worker: gear.Worker) -> None:
    job = gear.Job("do", b"")
    client.submitJob(job)
    assert job.wait(0.01) is False
    with pytest.raises(gear.TimeoutError):
        job.result(0.01)
    assigned = worker.getJob(20)
    assigned.sendWorkData(b"a")
    assigned.sendWorkException(b"why")
    assert job.wait(20) is True
    with pytest.raises(gear.JobFailedError) as failure:
        job.result()
    assert failure.value.exception == b"why"


def test_the_state_of_a_job(client: gear.Client, worker: gear.Worker) -> None:
    job = gear.Job("do", b"", "u")
    client.submitJob(job)
    assert client.getStatus(job) == gear.JobState(True, False, 0, 0)
    assigned = worker.getJob(20)
    assigned.sendWorkStatus(1, 4)
    while not job.numerator:
        time.sleep(0.001)
    assert job.handle is not None
    asked: list[Callable[[], gear.JobState]] = [
        lambda: client.getStatus(job),
        lambda: client.getStatus(job.handle or b""),
        lambda: client.getStatusByUnique("u"),
    ]
    for ask in asked:
        state = ask()
        assert (state.known, state.running, state.fraction_complete) == (True, True, 0.25)
    assert (job.known, job.running) == (True, True)


def test_a_job_at_its_time(client: gear.Client, worker: gear.Worker) -> None:
    client.submitJob(gear.Job("do", b""), background=True, when=time.time() + 1)
    with pytest.raises(gear.TimeoutError):
        worker.getJob(0.05)
    worker.getJob(20).sendWorkComplete()


def test_a_worker_stops_taking_work_and_finishes_what_it_has(
    server: gear.Server, client: gear.Client, worker: gear.Worker
) -> None:
    jobs = [gear.Job("do", b"%d" % number) for number in range(2)]
    for job in jobs:
        client.submitJob(job)
    running = worker.getJob(20)
    worker.stopWaitingForJobs()
    running.sendWorkComplete(b"finished")
    worker.setFunctions([])
    assert jobs[0].result(20) == b"finished"
    with pytest.raises(gear.TimeoutError):
        worker.getJob(0.05)
    assert server.waiting_jobs == 1
