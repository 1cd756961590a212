"""A long run of traffic against the program geard, in rounds; its memory must not grow."""

import argparse
import asyncio
import contextlib
import logging
import random
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import uvloop

from soak.raw import HOST, LIFE, RawClient, RawWorker, Tally
from support.geard_program import Geard
from support.proxy import Proxy, Trouble
from support.traffic import Book, run_clients, workers

CLIENTS: Final = 4
WORKERS: Final = 4
ROUND: Final = 10_000
"""Jobs of a round on bare sockets."""
ROUND_TIMEOUT: Final = 120.0
"""Seconds after which a round that has not ended hangs."""
EACH: Final = 4
NUMBER: Final = 30
"""Jobs of a round of each thread and each task that comes over the proxy."""
TROUBLE: Final = Trouble(delay=0.002, piece=4000, life=60_000)
WARM_UP: Final = 0.2
"""The part of the rounds that is not compared: caches and pools fill."""
COMPARED: Final = 0.2
"""The part of the rounds, at either end of what is left, that is compared."""
ALLOWED: Final = 3 * 1024
"""KiB by which the memory may grow: the noise of allocators. Three bytes a job would be seen."""


class Sample(NamedTuple):
    """What was seen at the end of a round, with nothing under way."""

    jobs: int
    seconds: float
    memory: int
    descriptors: int
    cuts: int
    lost: int


class Soak:
    """The traffic: connections that stay from first to last, and others that come and go.

    Args:
        geard: The server.
        proxy: A proxy before it that gives trouble.
        seed: Settles what happens.
    """

    def __init__(self, geard: Geard, proxy: Proxy, seed: int) -> None:
        self._geard = geard
        self._proxy = proxy
        self._seed = seed
        self._chance = random.Random(seed)
        self._tally = Tally()
        self._client = RawClient(self._tally, self._chance, b"steady")
        self._worker = RawWorker(self._tally, self._chance, None)

    async def connect(self) -> None:
        """Connect those that stay."""
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda loop, context: self._tally.wrong.append(str(context)))
        for end in (self._client, self._worker):
            await self._connect(end)

    async def _connect(self, end: RawClient | RawWorker) -> None:
        loop = asyncio.get_running_loop()
        await loop.create_connection(lambda: end, HOST, self._geard.port)

    def disconnect(self) -> None:
        """Disconnect those that stayed."""
        self._client.transport.abort()
        self._worker.transport.abort()

    async def play(self, number: int, jobs: int) -> tuple[Tally, Book]:
        """Play one round, and see that each of its jobs is accounted for."""
        self._tally = self._client.tally = self._worker.tally = Tally()
        book = Book()
        share = jobs // CLIENTS
        async with asyncio.timeout(ROUND_TIMEOUT), self._workers():
            names = [b"%d-%d" % (number, index) for index in range(CLIENTS - 1)]
            await asyncio.gather(
                self._client.submit(share),
                *(self._come_and_go(name, share) for name in names),
                asyncio.to_thread(self._trouble, book, number),
            )
            await asyncio.to_thread(self._geard.wait_until_idle)
        self._tally.check()
        book.check()
        return self._tally, book

    def _trouble(self, book: Book, number: int) -> None:
        """Have clients and workers of the libraries at work over the proxy."""
        port = self._proxy.port
        with workers(port, book, EACH):
            run_clients(port, book, EACH, NUMBER, self._seed + number)
            self._geard.wait_until_idle("alpha", "beta")

    @contextlib.asynccontextmanager
    async def _workers(self) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(self._work()) for _ in range(WORKERS - 1)]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    async def _work(self) -> None:
        """Do jobs over one connection after the other."""
        while True:
            worker = RawWorker(self._tally, self._chance, self._chance.randint(*LIFE))
            await self._connect(worker)
            try:
                await worker.gone.wait()
                self._tally.counts["cuts"] += 1
            finally:
                worker.transport.abort()

    async def _come_and_go(self, name: bytes, left: int) -> None:
        """Submit jobs over one connection after the other."""
        while left:
            number = min(left, self._chance.randint(*LIFE))
            client = RawClient(self._tally, self._chance, b"%b-%d" % (name, left))
            left -= number
            await self._connect(client)
            await client.submit(number, cut=left > 0)
            client.transport.abort()
            self._tally.counts["cuts"] += 1


async def play_all(geard: Geard, proxy: Proxy, options: argparse.Namespace) -> list[Sample]:
    """Play rounds until there were enough jobs, or time is up; prints a line for each."""
    soak = Soak(geard, proxy, options.seed)
    await soak.connect()
    start = time.monotonic()
    samples: list[Sample] = []
    jobs = cuts = lost = 0
    print(
        f"{'jobs':>9} {'seconds':>8} {'jobs/s':>7} {'KiB':>8} {'files':>6} {'cuts':>6} {'lost':>6}"
    )
    while jobs < options.jobs and time.monotonic() - start < options.minutes * 60:
        tally, book = await soak.play(len(samples), min(ROUND, options.jobs - jobs))
        endings = book.endings()
        jobs += tally.counts["jobs"] + endings.total() + len(book.taken)
        cuts += tally.counts["cuts"]
        lost += tally.counts["lost"] + endings["lost"]
        seconds = time.monotonic() - start
        sample = Sample(jobs, seconds, geard.memory(), geard.descriptors(), cuts + proxy.cuts, lost)
        samples.append(sample)
        print(
            f"{jobs:9} {seconds:8.1f} {jobs / seconds:7.0f} {sample.memory:8} "
            f"{sample.descriptors:6} {sample.cuts:6} {sample.lost:6}",
            flush=True,
        )
    soak.disconnect()
    return samples


def growth(samples: Sequence[Sample]) -> float:
    """Return by how many KiB the memory differs between the end and after the warm-up."""
    steady = samples[int(len(samples) * WARM_UP) :]
    number = max(1, int(len(samples) * COMPARED))
    first = statistics.median(sample.memory for sample in steady[:number])
    last = statistics.median(sample.memory for sample in steady[-number:])
    return last - first


def verdict(samples: Sequence[Sample], jobs: int) -> str | None:
    """Return what is wrong; None when nothing is."""
    if not samples or samples[-1].jobs < jobs:
        return "there was not enough time"
    grown = growth(samples)
    print(f"memory grew by {grown:.0f} KiB after the warm-up; {ALLOWED} KiB are allowed")
    return "the memory grows" if grown > ALLOWED else None


def main() -> int:
    """Run the soak; returns 0 when nothing was lost and the memory did not grow."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=1_000_000, help="default: %(default)s")
    parser.add_argument(
        "--minutes", type=float, default=30.0, help="the most; default: %(default)s"
    )
    parser.add_argument("--seed", type=int, default=1, help="default: %(default)s")
    options = parser.parse_args()
    logging.getLogger("gear").setLevel(logging.ERROR)
    with (
        tempfile.TemporaryDirectory() as folder,
        Geard(Path(folder), "--verbose", "ERROR") as geard,
    ):
        geard.ask("version")  # for its first connection, libuv opens a file that it keeps
        threads, descriptors = geard.threads(), geard.descriptors()
        with Proxy(geard.port, TROUBLE, options.seed) as proxy:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                samples = runner.run(play_all(geard, proxy, options))
        geard.wait_until_descriptors(descriptors)
        assert geard.threads() <= threads, "geard left threads behind"
        geard.stop()
    wrong = verdict(samples, options.jobs)
    print(f"FAILED: {wrong}" if wrong else "passed: every job is accounted for, and memory is flat")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
