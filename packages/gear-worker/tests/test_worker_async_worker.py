"""AsyncWorker and AsyncWorkerJob over real sockets and a scripted server."""

import asyncio
import copy
import gc
import pickle
import socket

import pytest

from gear_wire.errors import (
    ConnectionError,
    GearmanError,
    InterruptedError,
    InvalidDataError,
    TimeoutError,
)
from gear_wire.packets import (
    BasePacket,
    CanDo,
    CanDoTimeout,
    CantDo,
    Error,
    GrabJobAll,
    PreSleep,
    ResetAbilities,
    SetClientID,
    WorkComplete,
    WorkData,
    WorkException,
    WorkFail,
    WorkStatus,
    WorkWarning,
)
from gear_wire.types import ClientID, FunctionName, Handle
from gear_worker import AsyncWorker, AsyncWorkerJob, FunctionRecord
from support.scripted_server import ScriptedServer
from support.scripted_work import Work
from support.worker_peers import WAIT, run

pytest_plugins = ["support.fix_worker"]

WORK = FunctionName(b"work")
H1 = Handle(b"H:1")


async def heard(server: ScriptedServer, packet: BasePacket, times: int = 1) -> None:
    """Wait until the server has heard a packet."""
    await asyncio.to_thread(server.wait_for, lambda: server.messages.count(packet) >= times)


def test_it_greets(server: ScriptedServer) -> None:
    async def test(worker: AsyncWorker) -> None:
        await heard(server, CanDo(WORK))

    run(server, test)
    assert server.messages == [SetClientID(ClientID(b"me")), CanDo(WORK)]


def test_a_job_and_all_that_it_sends(server: ScriptedServer, work: Work) -> None:
    async def test(worker: AsyncWorker) -> None:
        work.put(b"test")
        job = await worker.get_job(WAIT)
        assert (job.handle, job.name, job.arguments, job.unique) == (H1, "work", b"test", b"u")
        assert job.connection is worker.links[0]
        await job.data("a")
        await job.warning(b"b")
        await job.status(1, 2)
        await job.complete("c")
        assert worker.links[0].related_jobs == {}
        await heard(server, WorkComplete(H1, b"c"))

    run(server, test)
    assert server.messages[-4:] == [
        WorkData(H1, b"a"),
        WorkWarning(H1, b"b"),
        WorkStatus(H1, b"1", b"2"),
        WorkComplete(H1, b"c"),
    ]


def test_jobs_that_fail(server: ScriptedServer, work: Work) -> None:
    async def test(worker: AsyncWorker) -> None:
        work.put(b"1")
        work.put(b"2")
        await (await worker.get_job(WAIT)).fail()
        await (await worker.get_job(WAIT)).exception(b"why")
        await heard(server, WorkFail(H1))
        await heard(server, WorkException(Handle(b"H:2"), b"why"))

    run(server, test)


def test_one_job_after_the_other_until_the_end(server: ScriptedServer, work: Work) -> None:
    async def test(worker: AsyncWorker) -> None:
        for number in range(20):
            work.put(b"%d" % number)
        seen = []
        async for job in worker:
            seen.append(job.arguments)
            await job.complete()
            if len(seen) == 20:
                await worker.close()
        assert seen == [b"%d" % number for number in range(20)]

    run(server, test)


def test_a_worker_that_sleeps_is_woken(server: ScriptedServer, work: Work) -> None:
    async def test(worker: AsyncWorker) -> None:
        waiting = asyncio.ensure_future(worker.get_job(WAIT))
        await heard(server, PreSleep())
        work.put(b"late")
        assert (await waiting).arguments == b"late"

    run(server, test)


def test_several_tasks_wait(server: ScriptedServer, work: Work) -> None:
    async def test(worker: AsyncWorker) -> None:
        async def take() -> list[bytes]:
            return [(await worker.get_job(WAIT)).arguments for _ in range(25)]

        tasks = [asyncio.ensure_future(take()) for _ in range(4)]
        for number in range(100):
            work.put(b"%d" % number)
        taken = [arguments for task in tasks for arguments in await task]
        assert sorted(map(int, taken)) == list(range(100))

    run(server, test)


def test_no_job_in_time(server: ScriptedServer, work: Work) -> None:
    async def test(worker: AsyncWorker) -> None:
        with pytest.raises(TimeoutError, match=r"no job came in 0\.05 s"):
            await worker.get_job(timeout=0.05)
        work.put(b"x")
        assert (await worker.get_job(WAIT)).arguments == b"x"

    run(server, test)


def test_who_gives_up_leaves_nothing_behind(server: ScriptedServer, work: Work) -> None:
    async def test(worker: AsyncWorker) -> None:
        for _ in range(10):
            with pytest.raises(TimeoutError):
                await worker.get_job(timeout=0.001)
        cancelled = asyncio.ensure_future(worker.get_job())
        await asyncio.sleep(0)
        cancelled.cancel()
        with pytest.raises(asyncio.CancelledError):
            await cancelled
        assert not worker._waiters
        assert worker._assignments.waiting == 0

    run(server, test)


def test_a_job_that_came_for_a_cancelled_task_goes_to_the_next(
    server: ScriptedServer, work: Work
) -> None:
    async def test(worker: AsyncWorker) -> None:
        first = asyncio.ensure_future(worker.get_job())
        second = asyncio.ensure_future(worker.get_job(WAIT))
        await heard(server, PreSleep())
        work.put(b"x")
        while not worker._assignments.jobs:
            await asyncio.sleep(0)
        first.cancel()
        assert (await second).arguments == b"x"

    run(server, test)


def test_closing_wakes_who_waits(server: ScriptedServer) -> None:
    async def test(worker: AsyncWorker) -> None:
        tasks = [asyncio.ensure_future(worker.get_job()) for _ in range(3)]
        await heard(server, PreSleep())
        await worker.close()
        for task in tasks:
            with pytest.raises(InterruptedError):
                await task
        with pytest.raises(InterruptedError):
            await worker.get_job()
        assert [job async for job in worker] == []

    run(server, test)


def test_functions_come_and_go(server: ScriptedServer) -> None:
    async def test(worker: AsyncWorker) -> None:
        worker.register(b"timed", 1.5)
        worker.unregister("timed")
        worker.set_functions([FunctionRecord("a")])
        worker.set_functions([])
        with pytest.raises(KeyError):
            worker.unregister("unknown")
        with pytest.raises(InvalidDataError):
            worker.register("a\0b")
        assert worker.functions == {}
        await heard(server, ResetAbilities())

    run(server, test)
    assert server.messages[2:] == [
        CanDoTimeout(FunctionName(b"timed"), b"1500"),
        CantDo(FunctionName(b"timed")),
        CantDo(WORK),
        CanDo(FunctionName(b"a")),
        ResetAbilities(),
    ]


def test_a_job_of_a_lost_connection(server: ScriptedServer, work: Work) -> None:
    async def test(worker: AsyncWorker) -> None:
        work.put(b"x")
        job = await worker.get_job(WAIT)
        server.drop()
        await heard(server, CanDo(WORK), times=2)
        with pytest.raises(ConnectionError, match="the server has taken the job back"):
            await job.complete()

    run(server, test)


def test_who_waits_goes_on_waiting_after_a_loss(server: ScriptedServer, work: Work) -> None:
    async def test(worker: AsyncWorker) -> None:
        waiting = asyncio.ensure_future(worker.get_job(WAIT))
        await heard(server, PreSleep())
        server.drop()
        await heard(server, PreSleep(), times=2)
        work.put(b"x")
        assert (await waiting).arguments == b"x"

    run(server, test)


def test_reducers(server: ScriptedServer, work: Work) -> None:
    work.reducer = b"sum"

    async def test() -> None:
        async with AsyncWorker("me", grab_all=True) as worker, asyncio.timeout(20):
            worker.register("work")
            worker.add_server("127.0.0.1", server.port)
            await worker.wait_for_server(WAIT)
            work.put(b"x")
            assert (await worker.get_job(WAIT)).reducer == b"sum"
            await heard(server, GrabJobAll())

    asyncio.run(test())


def test_an_error_ends_nothing(
    server: ScriptedServer, work: Work, caplog: pytest.LogCaptureFixture
) -> None:
    async def test(worker: AsyncWorker) -> None:
        await heard(server, CanDo(WORK))
        server.peers[0].send(Error(b"JOB_NOT_FOUND", b"Job given in work result not found"))
        work.put(b"x")
        assert (await worker.get_job(WAIT)).arguments == b"x"

    run(server, test)
    assert "JOB_NOT_FOUND: Job given in work result not found" in caplog.text


def test_a_job_that_came_over_no_connection() -> None:
    job = AsyncWorkerJob(H1, "work", b"")
    with pytest.raises(ConnectionError, match="came over no connection"):
        asyncio.run(job.complete())


def test_a_copy_of_a_job_is_a_value(server: ScriptedServer, work: Work) -> None:
    async def test(worker: AsyncWorker) -> None:
        work.put(b"test")
        job = await worker.get_job(WAIT)
        for twin in (copy.copy(job), copy.deepcopy(job), pickle.loads(pickle.dumps(job))):
            assert (twin.handle, twin.arguments, twin.connection) == (H1, b"test", None)
            with pytest.raises(ConnectionError, match="came over no connection"):
                await twin.complete()
        await job.complete()

    run(server, test)
    assert server.messages.count(WorkComplete(H1, b"")) == 1


def test_its_name() -> None:
    assert AsyncWorker().client_id == socket.gethostname().encode()
    assert AsyncWorker("me").log.name == "gear.AsyncWorker.me"


def test_one_that_is_dropped_leaves_its_servers(server: ScriptedServer, work: Work) -> None:
    """Neither its sessions nor the job that it did keep it alive."""

    async def drop() -> None:
        worker = AsyncWorker("me")
        worker.register("work")
        worker.add_server("127.0.0.1", server.port)
        await worker.wait_for_server(WAIT)
        work.put(b"x")
        job = await worker.get_job(WAIT)
        await job.complete(b"done")
        (peer,) = server.peers
        with pytest.warns(ResourceWarning, match="AsyncWorker .* was dropped without close"):
            del worker
            gc.collect()
        while peer.sock.fileno() >= 0:
            await asyncio.sleep(0.01)  # its thread closes it when it has seen the end

    asyncio.run(asyncio.wait_for(drop(), 20))


def test_another_loop_is_refused(server: ScriptedServer, work: Work) -> None:
    async def test(worker: AsyncWorker) -> None:
        async def register() -> None:
            worker.register("other")

        def elsewhere() -> None:
            for call in (worker.get_job, worker.drain, worker.close, register):
                with pytest.raises(GearmanError, match="belongs to another event loop"):
                    asyncio.run(call())

        await asyncio.to_thread(elsewhere)
        assert list(worker.functions) == [WORK]
        work.put(b"x")
        job = await worker.get_job(WAIT)
        await job.complete()

    run(server, test)
