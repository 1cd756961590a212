"""A worker that drains finishes what it has, and loses nothing; on either face."""

import collections
import contextlib
import threading
from collections.abc import Callable, Iterator

import pytest

import gear
from gear_wire.packets import GrabJobUniq
from support.scripted_server import scripted_server
from support.work_loops import LOOPS, AsyncLoop, ThreadLoop, WorkLoop

WAIT = 20.0
HOST = "127.0.0.1"


class Held:
    """Work that begins, and ends when it is told to.

    Attributes:
        begun: Released once for each job that has begun.
        go_on: Set when they may end.
    """

    def __init__(self) -> None:
        self.begun = threading.Semaphore(0)
        self.go_on = threading.Event()

    def __call__(self, arguments: bytes) -> bytes:
        self.begun.release()
        assert self.go_on.wait(WAIT)
        return arguments.upper()


@pytest.fixture(params=LOOPS)
def kind(request: pytest.FixtureRequest) -> str:
    value: str = request.param
    return value


@pytest.fixture
def held() -> Iterator[Held]:
    held = Held()
    yield held
    held.go_on.set()


@pytest.fixture
def server() -> Iterator[gear.Server]:
    """One that fails a job whose worker is lost, as gear 0.16's."""
    with contextlib.ExitStack() as stack:
        yield start_server(stack)


def start_server(stack: contextlib.ExitStack, job_retries: int = 0) -> gear.Server:
    server = gear.Server(0, host=HOST, job_retries=job_retries)
    stack.callback(server.shutdown)
    return server


@pytest.fixture
def client(server: gear.Server) -> Iterator[gear.Client]:
    client = gear.Client("client")
    client.addServer(HOST, server.port)
    client.waitForServer(WAIT)
    yield client
    client.shutdown()


Start = Callable[..., WorkLoop]


@pytest.fixture
def start(kind: str) -> Iterator[Start]:
    loops: list[WorkLoop] = []

    def start(port: int, work: Callable[[bytes], bytes], places: int = 1) -> WorkLoop:
        loops.append(LOOPS[kind]([(HOST, port)], work, places))
        return loops[-1]

    yield start
    for loop in loops:
        loop.close()


def submit(client: gear.Client, arguments: bytes) -> gear.Job:
    job = gear.Job("work", arguments)
    client.submitJob(job)
    return job


def test_what_runs_is_finished(
    start: Start, server: gear.Server, client: gear.Client, held: Held
) -> None:
    loop = start(server.port, held, places=3)
    jobs = [submit(client, b"a"), submit(client, b"b")]
    for _ in jobs:
        assert held.begun.acquire(timeout=WAIT)
    drained = loop.drain(WAIT)
    assert loop.left.acquire(timeout=WAIT)  # the third place takes nothing any more
    waiting = submit(client, b"c")
    assert not drained.done()
    assert not held.begun.acquire(timeout=0.2)
    held.go_on.set()
    assert drained.result(WAIT) is True
    assert [job.result(WAIT) for job in jobs] == [b"A", b"B"]
    assert loop.ended()
    other = start(server.port, bytes.upper)
    assert waiting.result(WAIT) == b"C"
    assert other.drain(WAIT).result(WAIT) is True


def test_a_worker_without_work_is_drained_at_once(start: Start, server: gear.Server) -> None:
    loop = start(server.port, bytes.upper, places=4)
    assert loop.drain(WAIT).result(WAIT) is True
    assert loop.ended()
    assert loop.drain(WAIT).result(WAIT) is True  # once more changes nothing


def test_the_time_is_limited(start: Start, held: Held) -> None:
    with contextlib.ExitStack() as stack:
        server = start_server(stack, job_retries=-1)
        client = gear.Client("client")
        stack.callback(client.shutdown)
        client.addServer(HOST, server.port)
        client.waitForServer(WAIT)
        loop = start(server.port, held)
        job = submit(client, b"x")
        assert held.begun.acquire(timeout=WAIT)
        assert loop.drain(0.2).result(WAIT) is False
        # What did not end in time was taken back by the server, and is given to another.
        start(server.port, bytes.lower)
        assert job.result(WAIT) == b"x"
        held.go_on.set()
        assert loop.ended()


@pytest.mark.parametrize("places", [1, 4])
def test_no_job_is_lost_or_done_twice_in_the_midst_of_work(
    start: Start, server: gear.Server, client: gear.Client, places: int
) -> None:
    done: collections.Counter[bytes] = collections.Counter()
    some = threading.Event()

    def work(arguments: bytes) -> bytes:
        done[arguments] += 1
        if done.total() > 20:
            some.set()
        return arguments

    loops = [start(server.port, work, places) for _ in range(3)]
    jobs = [submit(client, b"%d" % number) for number in range(400)]
    assert some.wait(WAIT)
    # This server fails what a worker that leaves has not ended.
    for loop in loops[:2]:
        assert loop.drain(WAIT).result(WAIT) is True
        assert loop.ended()
    assert [job.result(WAIT) for job in jobs] == [b"%d" % number for number in range(400)]
    assert set(done.values()) == {1}


def test_a_job_that_was_lost_meanwhile_did_not_end(
    start: Start, server: gear.Server, client: gear.Client, held: Held
) -> None:
    loop = start(server.port, held)
    submit(client, b"x")
    assert held.begun.acquire(timeout=WAIT)
    drained = loop.drain(WAIT)
    server.shutdown()
    assert drained.result(WAIT) is False
    held.go_on.set()
    assert loop.ended()


def test_a_server_that_does_not_answer_is_not_waited_for(start: Start) -> None:
    with scripted_server(lambda peer, message: None) as server:
        loop = start(server.port, bytes.upper)
        server.wait_for(lambda: GrabJobUniq() in server.messages)
        assert loop.drain(None).result(WAIT) is True
        assert loop.ended()


# Threads alone


def test_a_job_that_nobody_took_is_given_back() -> None:
    with contextlib.ExitStack() as stack:
        server = start_server(stack, job_retries=-1)
        client = gear.Client("client")
        worker = gear.Worker("leaving")
        for end in (client, worker):
            stack.callback(end.shutdown)
            end.addServer(HOST, server.port)
            end.waitForServer(WAIT)
        worker.registerFunction("work")
        job = submit(client, b"x")
        worker._sendGrabJobUniq()
        with worker._assigned:
            assert worker._assigned.wait_for(
                lambda: worker.active_connections[0].related_jobs, WAIT
            )
        assert worker.drain(WAIT) is True
        with pytest.raises(gear.InterruptedError):
            worker.getJob()
        loop = ThreadLoop([(HOST, server.port)], bytes.upper)
        assert job.result(WAIT) == b"X"
        loop.close()


def test_later_calls_are_interrupted_while_others_work(
    server: gear.Server, client: gear.Client, held: Held
) -> None:
    loop = ThreadLoop([(HOST, server.port)], held)
    job = submit(client, b"x")
    assert held.begun.acquire(timeout=WAIT)
    drained = loop.drain(WAIT)
    while True:
        try:
            loop.worker.getJob(timeout=0.01)
        except gear.InterruptedError:
            break
        except gear.TimeoutError:
            continue
    with pytest.raises(gear.InterruptedError, match="is being drained"):
        loop.worker.getJob()
    held.go_on.set()
    assert drained.result(WAIT) is True
    assert job.result(WAIT) == b"X"
    loop.close()


def test_a_handler_cannot_drain(server: gear.Server) -> None:
    errors: list[Exception] = []
    tried = threading.Event()

    class Draining(gear.Worker):
        def handleNoJob(self, packet: gear.Packet) -> object:
            try:
                self.drain()
            except gear.GearmanError as error:
                errors.append(error)
            tried.set()
            return super().handleNoJob(packet)

    worker = Draining("draining")
    worker.addServer(HOST, server.port)
    worker.waitForServer(WAIT)
    with pytest.raises(gear.TimeoutError):
        worker.getJob(0.1)
    assert tried.wait(WAIT)
    assert "poll thread" in str(errors[0])
    worker.shutdown()


# asyncio alone


def test_draining_may_be_given_up(server: gear.Server, client: gear.Client, held: Held) -> None:
    loop = AsyncLoop([(HOST, server.port)], held)
    job = submit(client, b"x")
    assert held.begun.acquire(timeout=WAIT)
    drained = loop.drain(None)
    drained.cancel()
    held.go_on.set()
    assert job.result(WAIT) == b"X"
    assert loop.drain(WAIT).result(WAIT) is True
    loop.close()
