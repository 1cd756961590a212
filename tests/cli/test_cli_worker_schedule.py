"""Schedulers, beside geard and gearmand: each due time is submitted once."""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest

import gear
from gear_wire.functions import App
from gear_worker.schedule.plan import AHEAD
from gear_worker.schedule.scheduler import Scheduler
from support.daemon import Daemon, start_geard
from support.fix_peers import Gearmand

pytestmark = pytest.mark.usefixtures("measured_programs")

TIMEOUT = 60.0
Server = Daemon | Gearmand
Start = Callable[[], Server]
FUNCTION = "tick"


@pytest.fixture(
    params=["geard", pytest.param("gearmand", marks=pytest.mark.peer)],
)
def start_server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Start]:
    """Starts servers of a kind."""
    with contextlib.ExitStack() as closing:

        def start() -> Server:
            server = Gearmand(tmp_path) if request.param == "gearmand" else start_geard(tmp_path)
            closing.callback(server.stop)
            return server

        yield start


def ticking() -> App:
    app = App()

    @app.every(1)
    @app.function(FUNCTION)
    def tick() -> None: ...

    return app


@contextlib.asynccontextmanager
async def schedulers(number: int, *servers: Server) -> AsyncIterator[None]:
    """Run some schedulers of one app."""
    async with contextlib.AsyncExitStack() as stack:
        tasks = []
        for each in range(number):
            scheduler = await stack.enter_async_context(Scheduler(ticking(), f"scheduler{each}"))
            for server in servers:
                scheduler.add_server(server.host, server.port)
            await scheduler.wait_for_server(TIMEOUT)
            tasks.append(asyncio.create_task(scheduler.run()))
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


class Work:
    """A worker, and the due times of the jobs that it has done, with how late each was."""

    def __init__(self) -> None:
        self.done: list[tuple[int, float]] = []
        self._changed = asyncio.Event()

    @contextlib.asynccontextmanager
    async def going_on(self, *servers: Server) -> AsyncIterator[None]:
        async with gear.AsyncWorker("worker") as worker:
            for server in servers:
                worker.add_server(server.host, server.port)
            worker.register(FUNCTION)
            task = asyncio.create_task(self._work(worker))
            try:
                yield
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    async def _work(self, worker: gear.AsyncWorker) -> None:
        async for job in worker:
            async with job:
                assert job.arguments == b"{}"
                due = int((job.unique or b"").rpartition(b":")[2])
                self.done.append((due, time.time() - due))
                self._changed.set()
                await job.complete(b"null")

    async def wait_for(self, number: int) -> None:
        """Wait until so many jobs have been done since now."""
        wanted = len(self.done) + number
        async with asyncio.timeout(TIMEOUT):
            while len(self.done) < wanted:
                self._changed.clear()
                await self._changed.wait()

    @property
    def dues(self) -> list[int]:
        return [due for due, _ in self.done]


def run(main: Awaitable[None]) -> None:
    async def whole() -> None:
        await main

    asyncio.run(whole())


def test_each_due_time_is_submitted_once_whoever_comes_and_goes(start_server: Start) -> None:
    async def main() -> None:
        server, work = start_server(), Work()
        async with work.going_on(server):
            async with schedulers(2, server):
                await work.wait_for(2)
                async with schedulers(1, server):  # a third one joins, and leaves
                    await work.wait_for(3)
            async with schedulers(1, server):  # all are started again
                await work.wait_for(3)
        assert len(set(work.dues)) == len(work.dues)
        assert work.dues == list(range(work.dues[0], work.dues[0] + len(work.dues)))
        assert min(late for _, late in work.done) >= 0

    run(main())


def test_what_no_worker_takes_does_not_pile_up(
    start_server: Start, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)

    async def main() -> None:
        server, work = start_server(), Work()
        async with schedulers(1, server):
            async with asyncio.timeout(TIMEOUT):
                while "is left out until" not in caplog.text:
                    await asyncio.sleep(0.05)  # a log line has no event to wait for
            begun = time.time()
            await asyncio.sleep(AHEAD / 4)  # nothing comes meanwhile: that is what is tested
            async with work.going_on(server):
                await work.wait_for(2)
                waited = [due for due in work.dues if due < begun + 1]
                assert len(waited) <= AHEAD
                # And then it goes on.
                async with asyncio.timeout(TIMEOUT):
                    while max(work.dues) < time.time() - 1:
                        await work.wait_for(1)
        assert len(set(work.dues)) == len(work.dues)

    run(main())


def test_another_server_takes_over(start_server: Start) -> None:
    async def main() -> None:
        one, two = sorted((start_server(), start_server()), key=lambda server: server.port)
        work = Work()
        async with work.going_on(one, two), schedulers(2, one, two):
            await work.wait_for(2)
            one.stop()
            gone = time.time()
            async with asyncio.timeout(TIMEOUT):
                while max(work.dues) < gone + 2:
                    await work.wait_for(1)
        assert len(set(work.dues)) == len(work.dues)

    run(main())
