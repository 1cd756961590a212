"""What is wrong with an argument is said at once, with what would be right; asyncio."""

import asyncio
import math
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

import gear
from support.refusals import NAN, NUL, PORT, TIMEOUT, Refusal, case

HOST = "127.0.0.1"
JOB = gear.Job("nobody", b"")
NONE: Any = None
HALF: Any = "half"
NAMES: Any = ["do"]


class AsyncEnds:
    """All that is connected to one server on a loop, for a case to call."""

    def __init__(self, server: gear.Server) -> None:
        self.server = server
        self.client = gear.AsyncClient()
        self.worker = gear.AsyncWorker("w")
        self.worker.register("do")
        self.admin = gear.AsyncAdminClient(HOST, server.port)

    async def connect(self) -> None:
        for end in (self.client, self.worker):
            end.add_server(HOST, self.server.port)
            await end.wait_for_server(20)
        await self.admin.connect()

    async def assigned(self) -> gear.AsyncWorkerJob:
        await self.client.submit("do")
        return await self.worker.get_job(20)

    async def close(self) -> None:
        await self.worker.close()
        await self.client.close()
        await self.admin.close()


AsyncCall = Callable[[AsyncEnds], Awaitable[object]]


def now(call: Callable[[AsyncEnds], object]) -> AsyncCall:
    """Return a call of what is no coroutine as one."""

    async def run(ends: AsyncEnds) -> object:
        return call(ends)

    return run


async def send_none(ends: AsyncEnds) -> None:
    await (await ends.assigned()).data(NONE)


async def send_half(ends: AsyncEnds) -> None:
    await (await ends.assigned()).status(HALF, 2)


async def await_background(ends: AsyncEnds) -> None:
    await (await ends.client.submit("nobody", background=True))


async def iterate_background(ends: AsyncEnds) -> None:
    async for _ in await ends.client.submit("nobody", background=True):
        pass


async def block(ends: AsyncEnds) -> None:
    (await ends.client.submit("nobody")).result()


AWAITED = [
    case(
        "a host twice",
        now(lambda e: e.client.add_server(HOST, e.server.port)),
        (gear.ConfigurationError, "was added before"),
    ),
    case("a port", now(lambda e: e.client.add_server(HOST, 0)), PORT),
    case("wait_for_server", lambda e: e.client.wait_for_server("x"), TIMEOUT),
    case("submit a gear.Job", lambda e: e.client.submit(JOB), (TypeError, "not Job")),
    case("submit NUL", lambda e: e.client.submit("a\0b"), NUL),
    case(
        "precedence",
        lambda e: e.client.submit("do", precedence="high"),
        (gear.ConfigurationError, "PRECEDENCE_HIGH"),
    ),
    case("submit timeout", lambda e: e.client.submit("do", timeout="x"), TIMEOUT),
    case("submit timeout nan", lambda e: e.client.submit("do", timeout=math.nan), NAN),
    case("when", lambda e: e.client.submit("do", when=1), (gear.InvalidDataError, "background=")),
    case("status of NUL", lambda e: e.client.status("a\0b"), NUL),
    case("status timeout", lambda e: e.client.status("H:1", "x"), TIMEOUT),
    case("status before", lambda e: e.client.status(JOB), (gear.InvalidDataError, "submit it")),
    case("cancel NUL", lambda e: e.client.cancel("a\0b"), NUL),
    case("cancel timeout", lambda e: e.client.cancel("H:1", "x"), TIMEOUT),
    case("cancel before", lambda e: e.client.cancel(JOB), (gear.InvalidDataError, "submit it")),
    case("echo", lambda e: e.client.echo(5), (TypeError, "must be bytes or str, not int")),
    case("echo timeout", lambda e: e.client.echo(b"", "x"), TIMEOUT),
    case("option NUL", lambda e: e.client.set_option("a\0b"), NUL),
    case("option timeout", lambda e: e.client.set_option("exceptions", "x"), TIMEOUT),
    case("await a background job", await_background, (gear.InvalidDataError, "background")),
    case("iterate a background job", iterate_background, (gear.InvalidDataError, "background")),
    case("block the loop", block, (gear.GearmanError, "await")),
    case("register NUL", now(lambda e: e.worker.register("a\0b")), NUL),
    case("unregister", now(lambda e: e.worker.unregister("other")), (KeyError, "other")),
    case(
        "functions",
        now(lambda e: e.worker.set_functions(NAMES)),
        (TypeError, "takes FunctionRecords, not 'do'"),
    ),
    case("get_job", lambda e: e.worker.get_job("x"), TIMEOUT),
    case("data", send_none, (TypeError, "not NoneType")),
    case("work status", send_half, (gear.InvalidDataError, "numerator .*number")),
    case("two words", lambda e: e.admin.cancel_job("a b"), (gear.InvalidDataError, "one word")),
    case(
        "maxqueue",
        lambda e: e.admin.max_queue("do", 1, 2),
        (gear.InvalidDataError, "high, normal and low"),
    ),
    case(
        "maxqueue of words",
        lambda e: e.admin.max_queue("do", "many"),
        (TypeError, "a limit is a number"),
    ),
]


@pytest.mark.parametrize(("call", "refusal"), AWAITED)
def test_what_is_awaited(call: AsyncCall, refusal: Refusal, server: gear.Server) -> None:
    error, text = refusal

    async def test() -> None:
        ends = AsyncEnds(server)
        try:
            await ends.connect()
            async with asyncio.timeout(20):
                with pytest.raises(error, match=text):
                    await call(ends)
                job = await ends.client.submit("do")
                while (assigned := await ends.worker.get_job()).handle != job.handle:
                    await assigned.fail()
                await assigned.complete(b"done")
                assert await job == b"done"
                assert await ends.admin.status()
        finally:
            await ends.close()

    asyncio.run(test())


CLOSED: Refusal = (gear.InterruptedError, "was closed")
NO_SERVER: Refusal = (gear.NoConnectedServersError, "was closed")
CLOSED_CASES = [
    case("add_server", now(lambda e: e.client.add_server(HOST, 1)), CLOSED),
    case("wait_for_server", lambda e: e.client.wait_for_server(), CLOSED),
    case("set_option", lambda e: e.client.set_option("exceptions"), CLOSED),
    case("submit", lambda e: e.client.submit("do"), NO_SERVER),
    case("status", lambda e: e.client.status("H:1"), NO_SERVER),
    case("cancel", lambda e: e.client.cancel("H:1"), NO_SERVER),
    case("echo", lambda e: e.client.echo(), NO_SERVER),
    case("get_job", lambda e: e.worker.get_job(), CLOSED),
    case("admin", lambda e: e.admin.version(), (gear.ConnectionError, "not connected")),
]


@pytest.mark.parametrize(("call", "refusal"), CLOSED_CASES)
def test_after_close(call: AsyncCall, refusal: Refusal, server: gear.Server) -> None:
    error, text = refusal

    async def test() -> None:
        ends = AsyncEnds(server)
        await ends.connect()
        await ends.close()
        with pytest.raises(error, match=text):
            await call(ends)

    asyncio.run(test())


def test_a_server_refused_outside_a_loop_may_be_added_in_one(server: gear.Server) -> None:
    client = gear.AsyncClient()
    with pytest.raises(gear.GearmanError):
        client.add_server(HOST, server.port)

    async def test() -> None:
        async with client:
            client.add_server(HOST, server.port)
            await client.wait_for_server(20)

    asyncio.run(test())


@pytest.mark.parametrize("timeout", [math.inf, 1e300, 10**9])
def test_timeouts_without_end_on_a_loop(timeout: float, server: gear.Server) -> None:
    async def test() -> None:
        ends = AsyncEnds(server)
        await ends.connect()
        await ends.client.wait_for_server(timeout)
        job = await ends.client.submit("do", timeout=timeout)
        await (await ends.worker.get_job(timeout)).complete()
        assert await job == b""
        assert not (await ends.client.status("H:1", timeout)).known
        assert await ends.client.set_option("exceptions", timeout)
        await ends.close()

    asyncio.run(test())
