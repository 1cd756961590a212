"""AsyncClient and AsyncJob over real sockets and a scripted server."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import pytest

from gear_client import PRECEDENCE_HIGH, AsyncClient, AsyncJob, Job, JobState
from gear_wire.errors import (
    ConfigurationError,
    DisconnectError,
    InterruptedError,
    InvalidDataError,
    JobFailedError,
    NoConnectedServersError,
    ServerError,
    TimeoutError,
)
from gear_wire.packets import (
    GetStatus,
    OptionReq,
    SetClientID,
    SubmitJob,
    SubmitJobHigh,
    SubmitJobLowBg,
    SubmitReduceJob,
    WorkData,
    WorkStatus,
    WorkWarning,
)
from gear_wire.types import ClientID, FunctionName, Handle, UniqueKey
from support.scripted_jobs import Jobs
from support.scripted_server import ScriptedServer

WAIT = 10


def run(server: ScriptedServer | None, test: Callable[[AsyncClient], Awaitable[None]]) -> None:
    """Run a test on a loop of its own with a connected client that is closed afterwards."""

    async def main() -> None:
        async with AsyncClient("me") as client, asyncio.timeout(20):
            if server is not None:
                client.add_server("127.0.0.1", server.port)
                await client.wait_for_server(WAIT)
            await test(client)

    asyncio.run(main())


def test_it_greets(server: ScriptedServer) -> None:
    async def test(client: AsyncClient) -> None:
        await asyncio.to_thread(server.wait_for, lambda: len(server.messages) == 2)

    run(server, test)
    assert server.messages == [SetClientID(ClientID(b"me")), OptionReq(b"exceptions")]


def test_a_job_is_awaited(server: ScriptedServer) -> None:
    async def test(client: AsyncClient) -> None:
        job = await client.submit("reverse", "test")
        assert job.handle == b"H:1"
        assert job.connection is client.get_link()
        assert await job == b"tset"
        assert await job == b"tset"
        assert client.get_link().related_jobs == {}

    run(server, test)


def test_a_job_is_iterated(server: ScriptedServer) -> None:
    h1 = Handle(b"H:1")

    async def test(client: AsyncClient) -> None:
        job = await client.submit("report")
        updates = [update async for update in job]
        assert updates == [
            WorkData(h1, b"one"),
            WorkStatus(h1, b"1", b"2"),
            WorkWarning(h1, b"two"),
        ]
        assert await job == b"onetwothree"
        assert [update async for update in job] == []

    run(server, test)


def test_updates_come_while_the_job_runs(server: ScriptedServer, jobs: Jobs) -> None:
    async def test(client: AsyncClient) -> None:
        job = await client.submit("hold")
        peer, handle = jobs.held[0]
        updates = aiter(job)
        for part in (b"a", b"b"):
            peer.send(WorkData(handle, part))
            assert await anext(updates) == WorkData(handle, part)

    run(server, test)


def test_a_question_for_the_state_is_no_update(server: ScriptedServer, jobs: Jobs) -> None:
    async def test(client: AsyncClient) -> None:
        job = await client.submit("hold")
        peer, handle = jobs.held[0]
        await client.status(job)
        peer.send(WorkData(handle, b"x"))
        assert await anext(aiter(job)) == WorkData(handle, b"x")

    run(server, test)


def test_several_await_one_job(server: ScriptedServer) -> None:
    async def test(client: AsyncClient) -> None:
        job = await client.submit("reverse", b"ab")

        async def wait() -> bytes:
            return await job

        assert await asyncio.gather(*(wait() for _ in range(3))) == [b"ba"] * 3

    run(server, test)


def test_a_job_fails(server: ScriptedServer) -> None:
    async def test(client: AsyncClient) -> None:
        with pytest.raises(JobFailedError):
            await (await client.submit("fail"))
        with pytest.raises(JobFailedError) as info:
            await (await client.submit("raise", b"why"))
        assert info.value.exception == b"why"

    run(server, test)


def test_many_at_once(server: ScriptedServer) -> None:
    async def test(client: AsyncClient) -> None:
        async def one(number: int) -> bytes:
            return await (await client.submit("reverse", b"%d" % number))

        results = await asyncio.gather(*(one(number) for number in range(200)))
        assert results == [(b"%d" % number)[::-1] for number in range(200)]

    run(server, test)


def test_background_precedence_and_reducer(server: ScriptedServer) -> None:
    async def test(client: AsyncClient) -> None:
        await client.submit("hold", b"", "u", precedence=PRECEDENCE_HIGH)
        await client.submit("hold", background=True, precedence=1)
        await client.submit("hold", reducer="sum")
        await client.submit(AsyncJob("hold", b"made before"))
        assert list(client.get_link().related_jobs) == [b"H:1", b"H:3", b"H:4"]

    run(server, test)
    hold = FunctionName(b"hold")
    assert server.messages[2] == SubmitJobHigh(hold, UniqueKey(b"u"), b"")
    assert isinstance(server.messages[3], SubmitJobLowBg)
    assert isinstance(server.messages[4], SubmitReduceJob)
    assert server.messages[5] == SubmitJob(hold, UniqueKey(b""), b"made before")


def test_a_refused_job(server: ScriptedServer) -> None:
    async def test(client: AsyncClient) -> None:
        with pytest.raises(ServerError, match="Job queue is full"):
            await client.submit("refuse")
        with pytest.raises(ConfigurationError, match="unknown precedence"):
            await client.submit("reverse", precedence=9)
        with pytest.raises(TypeError, match="a function name must be bytes or str, not Job"):
            await client.submit(Job("reverse", b""))  # type: ignore[arg-type]  # what the test is about

    run(server, test)


def test_a_server_that_does_not_answer(server: ScriptedServer) -> None:
    async def test(client: AsyncClient) -> None:
        with pytest.raises(TimeoutError, match=r"no answer from .* in 0\.05 s"):
            await client.submit("silence", timeout=0.05)
        assert client.links

    run(server, test)


def test_a_submission_that_is_cancelled_crosses_no_results(
    server: ScriptedServer, jobs: Jobs
) -> None:
    async def test(client: AsyncClient) -> None:
        cancelled = asyncio.ensure_future(client.submit("reverse", b"cancelled"))
        await asyncio.sleep(0)
        cancelled.cancel()
        assert await (await client.submit("reverse", b"ab")) == b"ba"
        with contextlib.suppress(asyncio.CancelledError):
            await cancelled

    run(server, test)


def test_no_server() -> None:
    async def test(client: AsyncClient) -> None:
        with pytest.raises(NoConnectedServersError):
            await client.submit("reverse")
        with pytest.raises(NoConnectedServersError):
            await client.status(b"H:1")
        assert await client.set_option("exceptions")

    run(None, test)


def test_a_lost_server_wakes_who_submits(server: ScriptedServer) -> None:
    async def test(client: AsyncClient) -> None:
        with pytest.raises(NoConnectedServersError):
            await client.submit("drop", timeout=60)

    run(server, test)


def test_a_lost_server_fails_its_jobs(server: ScriptedServer) -> None:
    async def test(client: AsyncClient) -> None:
        job = await client.submit("hold")
        updates = asyncio.ensure_future(anext(aiter(job), None))
        server.drop()
        with pytest.raises(JobFailedError, match="lost its server"):
            await job
        assert await updates is None
        await client.wait_for_server(WAIT)
        assert await (await client.submit("reverse", b"ab")) == b"ba"

    run(server, test)


def test_closing_wakes_who_waits(server: ScriptedServer) -> None:
    async def test(client: AsyncClient) -> None:
        job = await client.submit("hold")
        submitting = asyncio.ensure_future(client.submit("silence", timeout=60))
        await asyncio.to_thread(
            server.wait_for,
            lambda: SubmitJob(FunctionName(b"silence"), UniqueKey(b""), b"") in server.messages,
        )
        await client.close()
        with pytest.raises(JobFailedError):
            await job
        with pytest.raises((NoConnectedServersError, InterruptedError)):
            await submitting

    run(server, test)


def test_the_state_of_a_job(server: ScriptedServer) -> None:
    async def test(client: AsyncClient) -> None:
        job = await client.submit("hold")
        state = JobState(known=True, running=False, numerator=1, denominator=2)
        assert await client.status(job) == state
        assert (job.known, job.fraction_complete) == (True, 0.5)
        assert await client.status("H:1") == state
        assert not (await client.status(b"H:2")).known
        assert await client.status_by_unique("u") == JobState(True, True, 3, 4, clients=5)
        with pytest.raises(InvalidDataError, match="submit it first"):
            await client.status(AsyncJob("reverse"))

    run(server, test)


def test_a_lost_server_wakes_who_asks(server: ScriptedServer) -> None:
    async def test(client: AsyncClient) -> None:
        asking = asyncio.ensure_future(client.status(b"H:silence", 60))
        question = GetStatus(Handle(b"H:silence"))
        await asyncio.to_thread(server.wait_for, lambda: question in server.messages)
        server.drop()
        with pytest.raises(DisconnectError):
            await asking

    run(server, test)


def test_a_job_is_cancelled(server: ScriptedServer) -> None:
    async def test(client: AsyncClient) -> None:
        job = await client.submit("hold")
        assert await client.cancel(job)
        with pytest.raises(JobFailedError):
            await job
        assert not await client.cancel(job)
        assert await client.cancel((await client.submit("hold")).handle or b"")
        assert not await client.cancel("H:unknown")
        with pytest.raises(ServerError, match="PERMISSION_DENIED"):
            await client.cancel("H:refuse")
        with pytest.raises(TimeoutError, match=r"no answer from .* in 0\.05 s"):
            await client.cancel("H:silence", timeout=0.05)
        with pytest.raises(InvalidDataError, match="submit it first"):
            await client.cancel(AsyncJob("reverse"))

    run(server, test)


def test_an_echo(server: ScriptedServer) -> None:
    async def test(client: AsyncClient) -> None:
        assert await client.echo("x") == b"x"
        echoes = await asyncio.gather(client.echo(), client.echo(), client.echo(b"same"))
        assert len(set(echoes)) == 3

    run(server, test)


def test_options(server: ScriptedServer) -> None:
    async def test(client: AsyncClient) -> None:
        assert await client.set_option("exceptions")
        assert not await client.set_option("other")
        with pytest.raises(InvalidDataError, match="an option must not hold a NUL"):
            await client.set_option("a\0b")
        server.drop()
        await asyncio.to_thread(
            server.wait_for, lambda: server.messages.count(OptionReq(b"other")) == 2
        )

    run(server, test)
