"""Which thread reads the answer that a thread waits for, over real sockets."""

import signal
import threading
from collections.abc import Iterator

import pytest

from gear_client import Client, Job
from gear_wire.errors import NoConnectedServersError
from gear_wire.packet import Packet
from gear_wire.packets import SubmitJob
from gear_wire.types import FunctionName, UniqueKey
from support.held_answers import HeldAnswers
from support.scripted_jobs import Jobs
from support.scripted_server import ScriptedServer, scripted_server

WAIT = 10


class NotedJob(Job):
    """Notes which thread gives it its handle."""

    def __setattr__(self, name: str, value: object) -> None:
        if name == "handle":
            self.__dict__["thread"] = threading.current_thread()
        super().__setattr__(name, value)


class Overriding(Client):
    """A client with a handler of its own."""

    def handleWorkFail(self, packet: Packet) -> Job:
        return super().handleWorkFail(packet)


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> HeldAnswers:
    return HeldAnswers(Jobs(), (SubmitJob,), monkeypatch)


@pytest.fixture
def server(answers: HeldAnswers) -> Iterator[ScriptedServer]:
    with scripted_server(answers) as server:
        yield server


@pytest.fixture
def client(server: ScriptedServer) -> Iterator[Client]:
    client = Client("me")
    yield connect(client, server)
    client.shutdown()


def connect(client: Client, server: ScriptedServer) -> Client:
    client.addServer("127.0.0.1", server.port)
    client.waitForServer(WAIT)
    # Once the poll thread has answered this, it watches the connection.
    client.echo(timeout=WAIT)
    return client


def wait_for_silence(server: ScriptedServer) -> None:
    """Wait until the server has a job that it does not answer."""
    silence = SubmitJob(FunctionName(b"silence"), UniqueKey(b""), b"")
    server.wait_for(lambda: silence in server.messages)


def reader(client: Client) -> threading.Thread:
    """Return the thread that reads the answer to a submission."""
    job = NotedJob("hold", b"")
    client.submitJob(job, timeout=WAIT)
    thread: threading.Thread = job.__dict__["thread"]
    return thread


def test_a_thread_that_waits_alone_reads_its_answer(client: Client, answers: HeldAnswers) -> None:
    answers.hold()
    assert [reader(client) for _ in range(3)] == [threading.current_thread()] * 3


def test_what_comes_later_is_read_by_the_poll_thread(client: Client, answers: HeldAnswers) -> None:
    answers.hold()
    assert reader(client) is threading.current_thread()
    job = Job("hold", b"")
    client.submitJob(job)
    assert client.cancelJob(job, WAIT)
    assert job.wait(WAIT)
    assert client.echo(b"x", WAIT) == b"x"


def test_handlers_of_a_subclass_run_on_the_poll_thread(server: ScriptedServer) -> None:
    client = Overriding("me")
    connect(client, server)
    assert reader(client).name == "Gearman client poll"
    client.shutdown()


def test_handlers_of_an_object_run_on_the_poll_thread(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "handleWorkFail", Client.handleWorkFail.__get__(client))
    assert reader(client).name == "Gearman client poll"
    monkeypatch.undo()


def test_a_connection_that_breaks_ends_the_wait(client: Client) -> None:
    with pytest.raises(NoConnectedServersError):
        client.submitJob(Job("drop", b""), timeout=WAIT)


def test_a_shutdown_ends_the_wait(client: Client, server: ScriptedServer) -> None:
    failures: list[NoConnectedServersError] = []

    def submit() -> None:
        try:
            client.submitJob(Job("silence", b""), timeout=WAIT)
        except NoConnectedServersError as error:
            failures.append(error)

    thread = threading.Thread(target=submit)
    thread.start()
    wait_for_silence(server)
    client.shutdown()
    thread.join()
    assert len(failures) == 1
    assert "was shut down" in str(failures[0])


def test_a_signal_ends_the_wait_and_the_client_goes_on(
    client: Client, server: ScriptedServer, answers: HeldAnswers
) -> None:
    answers.looking.clear()

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    def kill() -> None:
        assert answers.looking.wait(WAIT)
        signal.raise_signal(signal.SIGUSR1)

    before = signal.signal(signal.SIGUSR1, interrupt)
    thread = threading.Thread(target=kill)
    try:
        thread.start()
        with pytest.raises(KeyboardInterrupt):
            client.submitJob(Job("silence", b""), timeout=WAIT)
    finally:
        signal.signal(signal.SIGUSR1, before)
        thread.join()
    server.wait_for(lambda: len(server.peers) == 2)
    client.waitForServer(WAIT)
    client.submitJob(Job("hold", b""), timeout=WAIT)
