"""Handlers that raise stall nothing, and shutdown leaves nothing, whatever was going on."""

import asyncio
import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import gear
from gear_wire.codec import encode
from gear_wire.enums import Magic
from gear_wire.packets import JobCreated, SubmitJob, WorkFail
from gear_wire.types import Handle
from support.certificates import Authority, Files
from support.scripted_server import Peer, scripted_server

HOST = "127.0.0.1"
HANDLE = Handle(b"H:1")


@pytest.fixture
def server() -> Iterator[gear.Server]:
    server = gear.Server(0, host=HOST)
    yield server
    server.shutdown()


def test_a_client_whose_handlers_raise_goes_on(server: gear.Server) -> None:
    """The packets come in one read: in 0.16, those behind the first waited for the next byte."""

    class Raising(gear.Client):
        def handleWorkData(self, packet: gear.Packet) -> gear.Job:
            super().handleWorkData(packet)
            raise RuntimeError("on purpose")

        handleWorkStatus = handleWorkWarning = handleWorkData

    client, worker = Raising("raising"), gear.Worker("w")
    for end in (client, worker):
        end.addServer(HOST, server.port)
        end.waitForServer(20)
    worker.registerFunction("do")
    job = gear.Job("do", b"")
    client.submitJob(job)
    assigned = worker.getJob(20)
    with worker._state_lock:  # all four in one write
        for number in range(3):
            assigned.sendWorkData(b"%d" % number)
        assigned.sendWorkComplete(b"end")
    assert job.result(20) == b"012end"
    for end in (client, worker):
        end.shutdown()


def cancel_twice(peer: Peer, message: object) -> None:
    """Tell of a failure twice before a reply, all in one write, as gearmand 1.1.20 does."""
    if isinstance(message, SubmitJob):
        peer.send(JobCreated(HANDLE))
    if message == b"cancel job H:1\n":
        peer.sock.sendall(encode(WorkFail(HANDLE), Magic.RES) * 2 + b"OK\r\n")


def test_a_packet_about_an_unknown_job_stalls_no_reply_behind_it() -> None:
    with scripted_server(cancel_twice) as server:
        client = gear.Client()
        client.addServer(HOST, server.port)
        client.waitForServer(20)
        job = gear.Job("do", b"")
        client.submitJob(job)
        client.getConnection().sendAdminRequest(gear.CancelJobAdminRequest(HANDLE), 20)
        assert job.failure
        client.shutdown()


def test_a_worker_whose_handlers_raise_goes_on(server: gear.Server) -> None:
    class Raising(gear.Worker):
        def handleNoop(self, packet: gear.Packet) -> object:
            super().handleNoop(packet)
            raise RuntimeError("on purpose")

        def handleJobAssignUnique(self, packet: gear.Packet) -> object:
            super().handleJobAssignUnique(packet)
            raise RuntimeError("on purpose")

    worker, client = Raising("raising"), gear.Client()
    for end in (client, worker):
        end.addServer(HOST, server.port)
        end.waitForServer(20)
    worker.registerFunction("do")
    for _ in range(3):
        jobs: list[gear.WorkerJob] = []
        thread = threading.Thread(target=lambda jobs=jobs: jobs.append(worker.getJob(20)))
        thread.start()
        client.submitJob(gear.Job("do", b""))
        thread.join(20)
        jobs[0].sendWorkComplete()
    for end in (client, worker):
        end.shutdown()


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def leave_while_connecting(server: gear.Server, files: Files) -> None:
    """Shut down clients that are connected, refused, or in the middle of a TLS handshake."""
    with socket.create_server((HOST, 0)) as silent:
        client, worker = gear.Client(), gear.Worker("w")
        for end in (client, worker):
            end.addServer(HOST, server.port)
            end.addServer(HOST, 1)
            end.addServer(HOST, silent.getsockname()[1], *files)
            end.waitForServer(20)
        worker.registerFunction("do")
        client.submitJob(gear.Job("do", b""))
        worker.getJob(20)
        for end in (client, worker):
            end.shutdown()


def leave_a_loop_while_connecting(server: gear.Server, files: Files) -> None:
    """The same on asyncio."""

    async def leave() -> None:
        with socket.create_server((HOST, 0)) as silent:
            async with gear.AsyncClient() as client, gear.AsyncWorker("w") as worker:
                for end in (client, worker):
                    end.add_server(HOST, server.port)
                    end.add_server(HOST, 1)
                    end.add_server(HOST, silent.getsockname()[1], *files)
                    await end.wait_for_server(20)
                worker.register("do")
                await client.submit("do")
                await worker.get_job(20)
                asyncio.create_task(worker.get_job()).cancel()

    asyncio.run(leave())


def leave_a_lost_server(server: gear.Server, files: Files) -> None:
    """Shut down clients whose server went before them."""
    other = gear.Server(0, *files, host=HOST)
    client = gear.Client()
    client.addServer(HOST, other.port, *files)
    client.waitForServer(20)
    other.shutdown()
    client.shutdown()


def fail_to_start(server: gear.Server, files: Files) -> None:
    """Have a server whose port is taken, and connections that cannot be made."""
    with pytest.raises(OSError):
        gear.Server(server.port, host=HOST)
    for connection in (gear.Connection(HOST, 1), gear.Connection(HOST, server.port, *files)):
        with pytest.raises(gear.ConnectionError):
            connection.connect(timeout=0.5)


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="nothing tells what is open")
@pytest.mark.parametrize(
    "leave",
    [leave_while_connecting, leave_a_loop_while_connecting, leave_a_lost_server, fail_to_start],
)
def test_nothing_is_left(
    leave: Callable[[gear.Server, Files], None], server: gear.Server, tmp_path: Path
) -> None:
    files = Authority(tmp_path / "authority").issue(HOST)
    leave(server, files)  # what a process opens once is open now
    assert server.waitFor(lambda: not server.active_connections, 20)
    before, threads = descriptors(), set(threading.enumerate())
    for _ in range(3):
        leave(server, files)
    assert server.waitFor(lambda: not server.active_connections, 20)
    assert set(threading.enumerate()) == threads
    assert descriptors() <= before
