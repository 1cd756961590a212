"""A report that ends a job returns when the kernel has its bytes, on threads and on asyncio."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator

import pytest

from gear_wire.errors import ConnectionError
from gear_wire.packet import Packet
from gear_wire.packets import GrabJobUniq, WorkComplete, WorkData
from gear_wire.types import Handle
from gear_worker import AsyncWorker, Worker
from support.scripted_server import Peer, ScriptedServer, scripted_server
from support.scripted_work import Work

WAIT = 20
LARGE = bytes(32 << 20)
"""More than the buffers of two kernels."""
H1 = Handle(b"H:1")


class Unread(Work):
    """Gives out a job, and reads nothing more until it is told to.

    Attributes:
        read: Set when it may read on.
    """

    def __init__(self) -> None:
        super().__init__()
        self.read = threading.Event()

    def __call__(self, peer: Peer, message: object) -> None:
        super().__call__(peer, message)
        if isinstance(message, GrabJobUniq):
            self.read.wait(WAIT)


@pytest.fixture
def work() -> Iterator[Unread]:
    work = Unread()
    work.put(b"x")
    yield work
    work.read.set()


@pytest.fixture
def server(work: Unread) -> Iterator[ScriptedServer]:
    with scripted_server(work) as server:
        yield server
        work.read.set()


Act = Callable[[], None]


def on_threads(server: ScriptedServer, act: Callable[[Worker], None]) -> None:
    """End a job with a large result, and do something while that is on its way."""
    worker = Worker("me")
    worker.registerFunction("work")
    worker.addServer("127.0.0.1", server.port)
    job = worker.getJob(WAIT)
    errors: list[Exception] = []

    def send() -> None:
        try:
            job.sendWorkComplete(LARGE)
        except ConnectionError as error:
            errors.append(error)

    thread = threading.Thread(target=send)
    thread.start()
    thread.join(0.3)
    assert thread.is_alive(), "it returned, and the server has read nothing"
    act(worker)
    thread.join(WAIT)
    assert not thread.is_alive()
    worker.shutdown()
    if errors:
        raise errors[0]


def on_asyncio(server: ScriptedServer, act: Callable[[AsyncWorker], Awaitable[None]]) -> None:
    async def main() -> None:
        async with AsyncWorker("me") as worker, asyncio.timeout(WAIT):
            worker.register("work")
            worker.add_server("127.0.0.1", server.port)
            job = await worker.get_job()
            task = asyncio.create_task(job.complete(LARGE))
            await asyncio.wait((task,), timeout=0.3)
            assert not task.done(), "it returned, and the server has read nothing"
            await act(worker)
            await task

    asyncio.run(main())


def drained_on_threads(server: ScriptedServer, act: Act, timeout: float) -> tuple[bool, bool]:
    """Drain a worker whose last result is on its way, and do something meanwhile.

    Returns what `drain` returned, and whether the report could be sent.
    """
    drained: list[bool] = []
    draining: list[threading.Thread] = []

    def drain(worker: Worker) -> None:
        draining.append(threading.Thread(target=lambda: drained.append(worker.drain(timeout))))
        draining[0].start()
        draining[0].join(0.2)
        assert draining[0].is_alive(), "it is drained, and the server has read nothing"
        act()

    sent = True
    try:
        on_threads(server, drain)
    except ConnectionError:
        sent = False
    draining[0].join(WAIT)
    return drained[0], sent


def drained_on_asyncio(server: ScriptedServer, act: Act, timeout: float) -> tuple[bool, bool]:
    drained: list[bool] = []

    async def drain(worker: AsyncWorker) -> None:
        task = asyncio.create_task(worker.drain(timeout))
        await asyncio.wait((task,), timeout=0.2)
        assert not task.done(), "it is drained, and the server has read nothing"
        act()
        drained.append(await task)

    sent = True
    try:
        on_asyncio(server, drain)
    except ConnectionError:
        sent = False
    return drained[0], sent


def report_on_threads(server: ScriptedServer, act: Act) -> None:
    on_threads(server, lambda worker: act())


def report_on_asyncio(server: ScriptedServer, act: Act) -> None:
    async def do(worker: AsyncWorker) -> None:
        act()

    on_asyncio(server, do)


FACES = pytest.mark.parametrize("face", [report_on_threads, report_on_asyncio])
DRAINED = pytest.mark.parametrize("drained", [drained_on_threads, drained_on_asyncio])
Face = Callable[[ScriptedServer, Act], None]
Drained = Callable[[ScriptedServer, Act, float], tuple[bool, bool]]


@FACES
def test_it_returns_once_the_result_is_on_its_way(
    face: Face, server: ScriptedServer, work: Unread
) -> None:
    face(server, work.read.set)
    server.wait_for(lambda: WorkComplete(H1, LARGE) in server.messages)


@FACES
def test_it_raises_when_the_connection_is_lost_meanwhile(
    face: Face, server: ScriptedServer
) -> None:
    with pytest.raises(ConnectionError):
        face(server, server.drop)


@DRAINED
def test_a_worker_that_drains_waits_for_a_result_that_is_on_its_way(
    drained: Drained, server: ScriptedServer, work: Unread
) -> None:
    assert drained(server, work.read.set, WAIT) == (True, True)
    server.wait_for(lambda: WorkComplete(H1, LARGE) in server.messages)


@DRAINED
def test_a_result_that_is_cut_off_has_not_ended_its_job(
    drained: Drained, server: ScriptedServer
) -> None:
    assert drained(server, lambda: None, 0.5) == (False, False)


def test_a_handler_leaves_it_to_the_poll_thread(server: ScriptedServer, work: Unread) -> None:
    class Eager(Worker):
        """Ends its jobs in the handler, which must not wait."""

        def handleJobAssignUnique(self, packet: Packet) -> object:
            super().handleJobAssignUnique(packet)
            job = self._assignments.jobs.popleft()
            job.sendWorkData(b"x")
            job.sendWorkComplete(LARGE)
            ended.set()
            return job

    ended = threading.Event()
    worker = Eager("me")
    worker.registerFunction("work")
    worker.addServer("127.0.0.1", server.port)
    worker.waitForServer(WAIT)
    worker._sendGrabJobUniq()
    assert ended.wait(WAIT)
    work.read.set()
    server.wait_for(lambda: WorkData(H1, b"x") in server.messages)
    server.wait_for(lambda: WorkComplete(H1, LARGE) in server.messages)
    worker.shutdown()
