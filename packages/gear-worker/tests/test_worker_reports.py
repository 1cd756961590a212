"""A report that ends a job returns when the kernel has its bytes, on threads and on asyncio."""

import asyncio
import threading
from collections.abc import Callable, Iterator

import pytest
from scripted_server import Peer, ScriptedServer, scripted_server
from scripted_work import Work

from gear_wire.errors import ConnectionError
from gear_wire.packet import Packet
from gear_wire.packets import GrabJobUniq, WorkComplete, WorkData
from gear_wire.types import Handle
from gear_worker import AsyncWorker, Worker

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


def on_threads(server: ScriptedServer, act: Act) -> None:
    """End a job with a large result, and do something while that is on its way."""
    worker = Worker("me")
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
    act()
    thread.join(WAIT)
    assert not thread.is_alive()
    worker.shutdown()
    if errors:
        raise errors[0]


def on_asyncio(server: ScriptedServer, act: Act) -> None:
    async def main() -> None:
        async with AsyncWorker("me") as worker, asyncio.timeout(WAIT):
            worker.add_server("127.0.0.1", server.port)
            job = await worker.get_job()
            task = asyncio.create_task(job.complete(LARGE))
            await asyncio.wait((task,), timeout=0.3)
            assert not task.done(), "it returned, and the server has read nothing"
            act()
            await task

    asyncio.run(main())


FACES = pytest.mark.parametrize("face", [on_threads, on_asyncio])
Face = Callable[[ScriptedServer, Act], None]


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
    worker.addServer("127.0.0.1", server.port)
    worker.waitForServer(WAIT)
    worker._sendGrabJobUniq()
    assert ended.wait(WAIT)
    work.read.set()
    server.wait_for(lambda: WorkData(H1, b"x") in server.messages)
    server.wait_for(lambda: WorkComplete(H1, LARGE) in server.messages)
    worker.shutdown()
