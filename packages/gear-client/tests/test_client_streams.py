"""Data that is taken as it comes: a large result is never there as a whole."""

import asyncio
import threading

import pytest

from gear_client import AsyncClient, AsyncJob, Client, Job, TextJob
from gear_client.async_job import _MANY, Updates
from gear_wire.errors import GearmanError, InvalidDataError, JobFailedError, TimeoutError
from gear_wire.packets import WorkComplete, WorkData, WorkFail, WorkStatus, WorkWarning
from gear_wire.types import Handle
from support.client_peers import WAIT, run
from support.scripted_jobs import Jobs
from support.scripted_server import ScriptedServer


def test_parts_are_taken_out_of_the_data(client: Client, jobs: Jobs) -> None:
    job = Job("hold", b"")
    client.submitJob(job)
    peer, handle = jobs.held[0]
    parts = job.stream(WAIT)
    for part in (b"a", b"b"):
        peer.send(WorkData(handle, part))
        assert next(parts) == part
        assert job.data == []
    peer.send(WorkStatus(handle, b"1", b"2"))
    peer.send(WorkData(handle, b""))
    peer.send(WorkWarning(handle, b"c"))
    peer.send(WorkComplete(handle, b"d"))
    assert list(parts) == [b"c", b"d"]
    assert (job.data, job.result()) == ([], b"")
    assert list(job.stream()) == []


def test_a_stream_is_resumed(client: Client, jobs: Jobs) -> None:
    job = TextJob("hold", "")
    client.submitJob(job)
    peer, handle = jobs.held[0]
    with pytest.raises(TimeoutError, match=r"has not ended in 0\.05 s"):
        next(job.stream(0.05))
    for part in ("ä", "b", "c"):
        peer.send(WorkData(handle, part.encode()))
    peer.send(WorkComplete(handle, b"d"))
    assert job.wait(WAIT)
    assert next(job.stream()) == "ä".encode()
    assert job.data == ["b", "c", "d"]
    assert job.result() == b"bcd"


def test_the_stream_of_a_job_that_fails(client: Client, jobs: Jobs) -> None:
    job = Job("hold", b"")
    client.submitJob(job)
    peer, handle = jobs.held[0]
    peer.send(WorkData(handle, b"a"))
    peer.send(WorkFail(handle))
    parts = job.stream(WAIT)
    assert next(parts) == b"a"
    with pytest.raises(JobFailedError):
        next(parts)


def test_a_stream_of_which_nothing_is_heard(client: Client) -> None:
    job = Job("hold", b"")
    client.submitJob(job, background=True)
    with pytest.raises(InvalidDataError, match="in the background"):
        next(job.stream())


def test_a_stream_is_refused_in_a_handler(server: ScriptedServer) -> None:
    job, refused = Job("hold", b""), threading.Event()

    class Streaming(Client):
        def handleEchoRes(self, packet: object) -> None:
            with pytest.raises(GearmanError, match="poll thread"):
                next(job.stream())
            refused.set()

    client = Streaming()
    client.addServer("127.0.0.1", server.port)
    client.waitForServer(WAIT)
    client.submitJob(job)
    client.active_connections[0].sendEchoReq(b"x")
    assert refused.wait(WAIT)
    client.shutdown()


def test_an_async_stream(server: ScriptedServer, jobs: Jobs) -> None:
    async def test(client: AsyncClient) -> None:
        job = await client.submit("hold")
        peer, handle = jobs.held[0]
        parts = job.astream()
        for part in (b"a", b"b"):
            peer.send(WorkData(handle, part))
            assert await anext(parts) == part
            assert job.data == []
        peer.send(WorkWarning(handle, b"c"))
        peer.send(WorkComplete(handle, b"d"))
        assert [part async for part in parts] == [b"c", b"d"]
        assert (job.data, await job) == ([], b"")

    run(server.port, test)


def test_an_async_stream_of_a_job_that_fails(server: ScriptedServer, jobs: Jobs) -> None:
    async def test(client: AsyncClient) -> None:
        job = await client.submit("hold")
        peer, handle = jobs.held[0]
        peer.send(WorkData(handle, b"a"))
        peer.send(WorkFail(handle))
        parts = job.astream()
        assert await anext(parts) == b"a"
        with pytest.raises(JobFailedError):
            await anext(parts)
        background = await client.submit("hold", background=True)
        with pytest.raises(InvalidDataError, match="in the background"):
            await anext(background.astream())
        with pytest.raises(GearmanError, match="await it instead"):
            next(AsyncJob("hold").stream())

    run(server.port, test)


def test_updates_and_result_beside_each_other(server: ScriptedServer, jobs: Jobs) -> None:
    async def test(client: AsyncClient) -> None:
        job = await client.submit("hold")
        peer, handle = jobs.held[0]

        async def updates() -> list[object]:
            return [update async for update in job]

        async def result() -> bytes:
            return await job

        both = asyncio.gather(updates(), result())
        await asyncio.sleep(0)  # so that both wait
        sent = [
            WorkData(handle, b"a"),
            WorkStatus(handle, b"1", b"2"),
            WorkStatus(handle, b"2", b"2"),
            WorkWarning(handle, b"b"),
        ]
        for packet in sent:
            peer.send(packet)
        peer.send(WorkComplete(handle, b"c"))
        assert tuple(await both) == (sent, b"abc")

    run(server.port, test)


def test_of_what_nobody_saw_the_last_status_is_given(server: ScriptedServer, jobs: Jobs) -> None:
    async def test(client: AsyncClient) -> None:
        job = await client.submit("hold")
        peer, handle = jobs.held[0]
        peer.send(WorkData(handle, b"a"))
        for number in range(5):
            peer.send(WorkStatus(handle, b"%d" % number, b"4"))
        peer.send(WorkWarning(handle, b"b"))
        peer.send(WorkComplete(handle, b"c"))
        await job
        assert [update async for update in job] == [
            WorkData(handle, b"a"),
            WorkStatus(handle, b"4", b"4"),
            WorkWarning(handle, b"b"),
        ]

    run(server.port, test)


def test_of_a_great_many_updates_that_wait_the_data_and_the_last_progress_stay() -> None:
    job = AsyncJob("f", b"")
    updates = Updates(job, [])
    for number in range(_MANY + 5):
        updates.append(WorkStatus(Handle(b"H:1"), b"%d" % number, b"9"))
    updates.append(WorkData(Handle(b"H:1"), b""))
    updates.append(WorkData(Handle(b"H:1"), b"data"))
    waiting = list(updates._waiting)
    assert len(waiting) == _MANY + 1
    assert waiting[-2] == WorkStatus(Handle(b"H:1"), b"%d" % (_MANY + 4), b"9")
    assert waiting[-1] == WorkData(Handle(b"H:1"), b"data")
    assert updates.__aiter__() is updates
