"""Workers that are connected to a scripted server, on either face."""

import asyncio
from collections.abc import Awaitable, Callable

from gear_worker import AsyncWorker, Worker
from support.scripted_server import ScriptedServer

WAIT = 10


def connect(worker: Worker, server: ScriptedServer) -> Worker:
    """Connect a worker that can do `work`, and return it."""
    worker.registerFunction("work")
    worker.addServer("127.0.0.1", server.port)
    worker.waitForServer(WAIT)
    return worker


def run(server: ScriptedServer, test: Callable[[AsyncWorker], Awaitable[None]]) -> None:
    """Run a test on a loop of its own with such a worker, which is closed afterwards."""

    async def main() -> None:
        async with AsyncWorker("me") as worker, asyncio.timeout(20):
            worker.register("work")
            worker.add_server("127.0.0.1", server.port)
            await worker.wait_for_server(WAIT)
            await test(worker)

    asyncio.run(main())
