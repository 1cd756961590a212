"""A job that is submitted again begins anew, over real sockets and a scripted server."""

import asyncio
import threading

import pytest

from gear_client import AsyncClient, AsyncJob, Client, Job
from gear_wire.errors import JobFailedError, TimeoutError
from gear_wire.packets import SubmitJob, WorkComplete, WorkData, WorkFail
from support.client_peers import WAIT, LateJobs, run
from support.scripted_server import ScriptedServer


def is_late(message: object) -> bool:
    return isinstance(message, SubmitJob) and message.payload == b"late"


@pytest.fixture
def jobs() -> LateJobs:
    return LateJobs(is_late)


def test_an_ended_job_begins_anew(client: Client, jobs: LateJobs) -> None:
    job = Job("hold", b"")
    client.submitJob(job)
    first = job.handle
    peer, handle = jobs.held.pop()
    peer.send(WorkData(handle, b"old"))
    peer.send(WorkFail(handle))
    assert job.wait(WAIT)
    old = job.data
    client.submitJob(job)
    assert job.handle != first
    assert (job.complete, job.failure, job.data, old) == (False, False, [], [b"old"])
    results: list[bytes] = []
    waiting = threading.Thread(target=lambda: results.append(job.result(WAIT)))
    waiting.start()
    peer, handle = jobs.held.pop()
    peer.send(WorkComplete(handle, b"new"))
    waiting.join()
    assert results == [b"new"]


def test_an_ended_async_job_begins_anew(server: ScriptedServer, jobs: LateJobs) -> None:
    async def test(client: AsyncClient) -> None:
        job = await client.submit("hold")
        peer, handle = jobs.held.pop()
        peer.send(WorkData(handle, b"old"))
        peer.send(WorkFail(handle))
        with pytest.raises(JobFailedError):
            await job
        await client.submit(job)
        peer, handle = jobs.held.pop()
        peer.send(WorkData(handle, b"new"))
        assert await anext(aiter(job)) == WorkData(handle, b"new")
        peer.send(WorkComplete(handle, b"er"))
        assert await job == b"newer"

    run(server.port, test)


def test_a_late_handle_is_not_that_of_the_next_submission(client: Client, jobs: LateJobs) -> None:
    job = Job("hold", b"late")
    with pytest.raises(TimeoutError):
        client.submitJob(job, timeout=0.05)
    submitting = threading.Thread(target=client.submitJob, args=(job,))
    submitting.start()
    with jobs.changed:
        assert jobs.changed.wait_for(lambda: len(jobs.waiting) == 2, WAIT)
    jobs.answer()
    jobs.answer()
    submitting.join()
    assert job.handle == b"H:2"
    (peer, first), (_, second) = jobs.held
    peer.send(WorkData(first, b"old"))
    peer.send(WorkComplete(first, b"old"))
    peer.send(WorkComplete(second, b"new"))
    assert job.result(WAIT) == b"new"


def test_a_late_handle_is_not_that_of_the_next_async_submission(
    server: ScriptedServer, jobs: LateJobs
) -> None:
    async def test(client: AsyncClient) -> None:
        job = AsyncJob("hold", b"late")
        with pytest.raises(TimeoutError):
            await client.submit(job, timeout=0.05)
        submitting = asyncio.ensure_future(client.submit(job))
        await asyncio.to_thread(jobs.answer)
        await asyncio.to_thread(jobs.answer)
        assert await submitting is job
        (peer, first), (_, second) = jobs.held
        assert job.handle == second
        peer.send(WorkComplete(first, b"old"))
        peer.send(WorkComplete(second, b"new"))
        assert await job == b"new"

    run(server.port, test)


def test_a_late_handle_is_that_of_its_submission(client: Client, jobs: LateJobs) -> None:
    job, other = Job("reverse", b"late"), Job("reverse", b"other")
    with pytest.raises(TimeoutError):
        client.submitJob(job, timeout=0.05)
    submitting = threading.Thread(target=client.submitJob, args=(other,))
    jobs.late = lambda message: isinstance(message, SubmitJob)
    submitting.start()
    jobs.answer()
    jobs.answer()
    submitting.join()
    assert (job.result(WAIT), other.result(WAIT)) == (b"etal", b"rehto")
