"""A server that dies wakes whoever waits on it at once: no call here has a timeout of its own."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

import gear
from gear_wire.packets import (
    EchoReq,
    GetStatus,
    GetStatusUnique,
    GrabJobUniq,
    JobAssignUnique,
    JobCreated,
    OptionReq,
    SubmitJob,
)
from gear_wire.types import FunctionName, Handle, UniqueKey
from support.fix_peers import Gearmand
from support.scripted_server import Peer, ScriptedServer, scripted_server

HOST = "127.0.0.1"
AT_ONCE = 5.0
NOBODY = "nobody"
HANDLE = b"H:1"


def take_jobs(peer: Peer, message: object) -> None:
    """Take the jobs of one function, and answer nothing else."""
    if isinstance(message, SubmitJob) and message.function != NOBODY.encode():
        peer.send(JobCreated(Handle(HANDLE)))


class Mortal(ScriptedServer):
    """A server that may die before its test ends."""

    dead = False

    def close(self) -> None:
        if not self.dead:
            self.dead = True
            super().close()


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    server = Mortal(take_jobs)
    yield server
    server.close()


def heard(server: ScriptedServer, kind: type | bytes) -> Callable[[], bool]:
    """Return what tells whether a server heard a kind of packet, or a line."""
    return lambda: any(
        message == kind if isinstance(kind, bytes) else isinstance(message, kind)
        for message in server.messages
    )


def dying(server: ScriptedServer, kind: type | bytes, call: Callable[[], object]) -> object:
    """Return the outcome of a call that waits for a server which dies meanwhile."""
    outcomes: list[object] = []

    def run() -> None:
        try:
            outcomes.append(call())
        except Exception as error:
            outcomes.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    server.wait_for(heard(server, kind))
    assert thread.is_alive()
    server.close()
    thread.join(AT_ONCE)
    assert outcomes, "it waits on"
    return outcomes[0]


# Threads


@pytest.fixture
def client(server: ScriptedServer) -> Iterator[gear.Client]:
    client = gear.Client()
    client.addServer(HOST, server.port)
    client.waitForServer(20)
    yield client
    client.shutdown()


def submitted(client: gear.Client) -> gear.Job:
    job = gear.Job("do", b"")
    client.submitJob(job)
    return job


Waiting = Callable[[gear.Client], object]
THREADS: dict[str, tuple[type | bytes, type[Exception], Waiting]] = {
    "submitJob": (
        SubmitJob,
        gear.NoConnectedServersError,
        lambda client: client.submitJob(gear.Job(NOBODY, b""), timeout=None),
    ),
    "getStatus of a job": (
        GetStatus,
        gear.ConnectionError,
        lambda client: client.getStatus(submitted(client), timeout=None),
    ),
    "getStatus of a handle": (
        GetStatus,
        gear.ConnectionError,
        lambda client: client.getStatus(HANDLE, timeout=None),
    ),
    "getStatusByUnique": (
        GetStatusUnique,
        gear.ConnectionError,
        lambda client: client.getStatusByUnique("u", timeout=None),
    ),
    "echo": (EchoReq, gear.ConnectionError, lambda client: client.echo(timeout=None)),
    "cancelJob": (
        b"cancel job H:1\n",
        gear.ConnectionError,
        lambda client: client.cancelJob(HANDLE, timeout=None),
    ),
    "sendAdminRequest": (
        b"status\n",
        gear.ConnectionError,
        lambda client: client.getConnection().sendAdminRequest(gear.StatusAdminRequest(), None),
    ),
    "job.result": (SubmitJob, gear.JobFailedError, lambda client: submitted(client).result()),
}


@pytest.mark.parametrize("name", THREADS)
def test_threads_that_wait_are_woken(
    name: str, server: ScriptedServer, client: gear.Client
) -> None:
    kind, error, call = THREADS[name]
    assert isinstance(dying(server, kind, lambda: call(client)), error)


def test_setOption_is_not_confirmed(server: ScriptedServer, client: gear.Client) -> None:
    server.wait_for(heard(server, OptionReq))  # of the greeting
    server.messages.clear()
    assert dying(server, OptionReq, lambda: client.setOption("exceptions", None)) is False


def test_job_wait_tells_of_the_failure(server: ScriptedServer, client: gear.Client) -> None:
    job = gear.Job("do", b"")
    client.submitJob(job)
    assert dying(server, SubmitJob, job.wait) is True
    assert (job.complete, job.failure) == (True, True)


BARE: dict[str, tuple[type | bytes, Callable[[gear.Connection], object]]] = {
    "echo": (EchoReq, lambda connection: connection.echo(timeout=None)),
    "sendAdminRequest": (
        b"status\n",
        lambda connection: connection.sendAdminRequest(gear.StatusAdminRequest(), None),
    ),
}


@pytest.mark.parametrize("name", BARE)
def test_who_waits_on_a_bare_connection_is_woken(name: str, server: ScriptedServer) -> None:
    kind, call = BARE[name]
    connection = gear.Connection(HOST, server.port)
    connection.connect()
    assert isinstance(dying(server, kind, lambda: call(connection)), gear.ConnectionError)
    connection.disconnect()


def test_who_reads_from_a_bare_connection_is_woken(server: ScriptedServer) -> None:
    connection = gear.Connection(HOST, server.port)
    connection.connect()
    connection.sendEchoReq(b"x")
    assert isinstance(dying(server, EchoReq, connection.readPacket), gear.ConnectionError)
    connection.disconnect()


def test_the_administrative_client_is_woken(server: ScriptedServer) -> None:
    with gear.AdminClient(HOST, server.port, timeout=None) as client:
        assert isinstance(dying(server, b"version\n", client.version), gear.ConnectionError)


def give_a_job(peer: Peer, message: object) -> None:
    if isinstance(message, GrabJobUniq):
        peer.send(JobAssignUnique(Handle(HANDLE), FunctionName(b"do"), UniqueKey(b""), b"x"))


def test_getJob_goes_on_at_another_server(server: ScriptedServer) -> None:
    worker = gear.Worker("w")
    worker.registerFunction("do")
    worker.addServer(HOST, server.port)
    worker.waitForServer(20)
    jobs: list[gear.WorkerJob] = []
    thread = threading.Thread(target=lambda: jobs.append(worker.getJob()))
    thread.start()
    server.wait_for(heard(server, GrabJobUniq))
    with scripted_server(give_a_job) as other:
        worker.addServer(HOST, other.port)
        other.wait_for(lambda: other.messages)
        assert not jobs  # one job is needed, and one was asked for
        server.close()
        thread.join(AT_ONCE)
        assert [job.arguments for job in jobs] == [b"x"]
        worker.shutdown()


# asyncio

AsyncWaiting = Callable[[gear.AsyncClient], Awaitable[object]]


async def updates(client: gear.AsyncClient) -> None:
    job = await client.submit("do")
    assert [packet async for packet in job] == []
    await job


async def ended(client: gear.AsyncClient) -> object:
    return await (await client.submit("do"))


ASYNCIO: dict[str, tuple[type | bytes, type[Exception], AsyncWaiting]] = {
    "submit": (
        SubmitJob,
        gear.NoConnectedServersError,
        lambda client: client.submit(NOBODY, timeout=None),
    ),
    "status": (
        GetStatus,
        gear.ConnectionError,
        lambda client: client.status(HANDLE, timeout=None),
    ),
    "status_by_unique": (
        GetStatusUnique,
        gear.ConnectionError,
        lambda client: client.status_by_unique("u", timeout=None),
    ),
    "echo": (EchoReq, gear.ConnectionError, lambda client: client.echo(timeout=None)),
    "cancel": (
        b"cancel job H:1\n",
        gear.ConnectionError,
        lambda client: client.cancel(HANDLE, timeout=None),
    ),
    "await job": (SubmitJob, gear.JobFailedError, ended),
    "async for": (SubmitJob, gear.JobFailedError, updates),
}


async def dying_meanwhile(
    server: ScriptedServer, kind: type | bytes, call: Awaitable[Any]
) -> object:
    """Return the outcome of an awaitable whose server dies meanwhile."""

    async def run() -> object:
        return await call

    task = asyncio.create_task(run())
    await asyncio.to_thread(server.wait_for, heard(server, kind))
    assert not task.done()
    await asyncio.to_thread(server.close)
    await asyncio.wait([task], timeout=AT_ONCE)
    assert task.done(), "it waits on"
    return task.exception() or task.result()


@pytest.mark.parametrize("name", ASYNCIO)
def test_tasks_that_wait_are_woken(name: str, server: ScriptedServer) -> None:
    kind, error, call = ASYNCIO[name]

    async def outcome() -> object:
        async with gear.AsyncClient() as client:
            client.add_server(HOST, server.port)
            await client.wait_for_server(20)
            return await dying_meanwhile(server, kind, call(client))

    assert isinstance(asyncio.run(outcome()), error)


def test_set_option_is_not_confirmed(server: ScriptedServer) -> None:
    async def outcome() -> object:
        async with gear.AsyncClient() as client:
            client.add_server(HOST, server.port)
            await client.wait_for_server(20)
            await asyncio.to_thread(server.wait_for, heard(server, OptionReq))
            server.messages.clear()
            return await dying_meanwhile(server, OptionReq, client.set_option("exceptions", None))

    assert asyncio.run(outcome()) is False


def test_the_administrative_client_of_asyncio_is_woken(server: ScriptedServer) -> None:
    async def outcome() -> object:
        async with gear.AsyncAdminClient(HOST, server.port, timeout=None) as client:
            return await dying_meanwhile(server, b"version\n", client.version())

    assert isinstance(asyncio.run(outcome()), gear.ConnectionError)


def test_get_job_goes_on_at_another_server(server: ScriptedServer) -> None:
    async def run() -> bytes:
        async with gear.AsyncWorker("w") as worker:
            worker.register("do")
            worker.add_server(HOST, server.port)
            await worker.wait_for_server(20)
            task = asyncio.create_task(worker.get_job())
            await asyncio.to_thread(server.wait_for, heard(server, GrabJobUniq))
            with scripted_server(give_a_job) as other:
                worker.add_server(HOST, other.port)
                await asyncio.to_thread(other.wait_for, lambda: other.messages)
                await asyncio.to_thread(server.close)
                async with asyncio.timeout(AT_ONCE):
                    job = await task
                await worker.close()
            return job.arguments

    assert asyncio.run(run()) == b"x"


# The real thing


@pytest.mark.peer
def test_a_killed_gearmand_ends_its_jobs_at_once(gearmand: Gearmand) -> None:
    client = gear.Client()
    client.addServer(gearmand.host, gearmand.port)
    client.waitForServer(20)
    job = gear.Job("nobody", b"")
    client.submitJob(job)
    gearmand.stop()
    with pytest.raises(gear.JobFailedError, match="lost its server"):
        job.result(AT_ONCE)
    client.shutdown()
