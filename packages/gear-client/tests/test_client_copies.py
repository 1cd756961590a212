"""A job is copied and pickled as a value: before, while and after a server has it."""

import asyncio
import copy
import gc
import pickle
import threading
import weakref
from collections.abc import Callable

import pytest

from gear_client import AsyncClient, AsyncJob, BinaryJob, Client, Job, TextJob
from gear_wire.errors import GearmanError, InvalidDataError, JobFailedError
from gear_wire.packets import WorkComplete, WorkData
from support.client_peers import WAIT, run
from support.scripted_jobs import Jobs
from support.scripted_server import ScriptedServer

Duplicate = Callable[[Job], Job]


class OwnJob(Job):
    """A job of a program, with an attribute of its own."""

    __slots__ = ("own",)

    def __init__(self, own: str) -> None:
        super().__init__("reverse", b"")
        self.own = own


def pickled(job: Job) -> Job:
    twin: Job = pickle.loads(pickle.dumps(job))
    return twin


duplicates = pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, pickled])


@duplicates
@pytest.mark.parametrize("kind", [Job, BinaryJob, TextJob, AsyncJob])
def test_a_job_before_it_is_submitted(kind: type[Job], duplicate: Duplicate) -> None:
    job = kind("reverse", "ab", "u")
    twin = duplicate(job)
    assert type(twin) is kind
    assert (twin.name, twin.arguments, twin.unique) == (job.name, job.arguments, job.unique)
    assert twin.data == []
    assert twin.data is not job.data


@duplicates
def test_attributes_of_a_program(duplicate: Duplicate) -> None:
    job = OwnJob("mine")
    job.__dict__["build"] = ["x"]
    twin = duplicate(job)
    assert isinstance(twin, OwnJob)
    assert (twin.own, vars(twin)["build"]) == ("mine", ["x"])


@duplicates
def test_a_job_that_runs(client: Client, jobs: Jobs, duplicate: Duplicate) -> None:
    job = Job("hold", b"")
    client.submitJob(job)
    peer, handle = jobs.held[0]
    peer.send(WorkData(handle, b"a"))
    client.echo(timeout=WAIT)
    twin = duplicate(job)
    assert (twin.handle, twin.data, twin.connection) == (handle, [b"a"], None)
    for wait in (twin.wait, twin.result):
        with pytest.raises(InvalidDataError, match="is a copy"):
            wait()
    with pytest.raises(InvalidDataError, match="ask for its handle"):
        client.getStatus(twin)
    peer.send(WorkComplete(handle, b"b"))
    assert job.result(WAIT) == b"ab"
    assert (twin.complete, twin.data) == (False, [b"a"])
    # Submitted, it is a job of its own.
    client.submitJob(twin)
    peer, handle = jobs.held[1]
    peer.send(WorkComplete(handle, b"c"))
    assert twin.result(WAIT) == b"c"


@duplicates
def test_a_job_that_has_ended(client: Client, duplicate: Duplicate) -> None:
    good, bad = Job("reverse", b"ab"), Job("raise", b"why")
    client.submitJob(good)
    client.submitJob(bad)
    assert good.wait(WAIT)
    assert bad.wait(WAIT)
    assert duplicate(good).result() == b"ba"
    with pytest.raises(JobFailedError, match="failed with exception b'why'"):
        duplicate(bad).result()


@duplicates
def test_an_async_job_that_runs(server: ScriptedServer, jobs: Jobs, duplicate: Duplicate) -> None:
    async def test(client: AsyncClient) -> None:
        job = await client.submit("hold")
        updates = aiter(job)
        peer, handle = jobs.held[0]
        peer.send(WorkData(handle, b"a"))
        assert await anext(updates) == WorkData(handle, b"a")
        twin = duplicate(job)
        assert isinstance(twin, AsyncJob)
        with pytest.raises(InvalidDataError, match="is a copy"):
            await twin
        peer.send(WorkComplete(handle, b"b"))
        assert await job == b"ab"
        again = duplicate(job)
        assert isinstance(again, AsyncJob)
        assert await again == b"ab"

    run(server.port, test)


# Cycles


def test_an_async_job_goes_with_its_last_reference(server: ScriptedServer) -> None:
    async def test(client: AsyncClient) -> None:
        for name in ("reverse", "report"):
            job = await client.submit(name)
            if name == "report":
                assert len([update async for update in job]) == 3
            await job
            reference = weakref.ref(job)
            del job
            assert reference() is None

    gc.disable()
    try:
        run(server.port, test)
        reference = weakref.ref(AsyncJob("reverse"))
        assert reference() is None
    finally:
        gc.enable()


def test_updates_are_kept_for_whoever_iterates(server: ScriptedServer, jobs: Jobs) -> None:
    async def test(client: AsyncClient) -> None:
        job = await client.submit("hold")
        updates = aiter(job)
        reference = weakref.ref(updates)
        del updates
        assert reference() is None
        peer, handle = jobs.held[0]
        for part in (b"a", b"b", b"c"):
            peer.send(WorkData(handle, part))
        await client.echo()
        # What came before is given all the same, and once.
        async for update in job:
            assert update == WorkData(handle, b"a")
            break
        assert await anext(aiter(job)) == WorkData(handle, b"b")
        peer.send(WorkComplete(handle, b"d"))
        assert await job == b"abcd"
        assert [update async for update in job] == [WorkData(handle, b"c")]
        assert [update async for update in job] == []

    run(server.port, test)


# Loops


def test_a_job_of_another_loop(server: ScriptedServer) -> None:
    async def test(client: AsyncClient) -> None:
        job = await client.submit("hold")

        async def elsewhere() -> None:
            async def wait() -> None:
                await job

            async def iterate() -> None:
                async for _ in job:
                    pass

            async def stream() -> None:
                async for _ in job.astream():
                    pass

            for use in (
                wait,
                iterate,
                stream,
                lambda: client.submit(job),
                lambda: client.cancel(job),
                lambda: client.status(job),
            ):
                with pytest.raises(GearmanError, match="belongs to another event loop"):
                    await use()

        thread = threading.Thread(target=asyncio.run, args=(elsewhere(),))
        thread.start()
        await asyncio.to_thread(thread.join)
        # And its own loop goes on.
        assert await client.cancel(job)
        assert job.complete

    run(server.port, test)


def test_an_async_job_of_a_client_for_threads(client: Client) -> None:
    with pytest.raises(TypeError, match="is for an AsyncClient"):
        client.submitJob(AsyncJob("reverse"))
