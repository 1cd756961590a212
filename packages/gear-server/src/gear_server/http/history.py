"""How many jobs ended in the last minutes, per function and in all: for rates and sparklines."""

import asyncio
import collections
import time
from bisect import bisect_left
from typing import Final

from gear_server.engine.state import Function
from gear_server.engine.tally import BOUNDS
from gear_server.http.pieces import Pieces
from gear_server.network.server import AsyncServer

PERIOD: Final = 5.0
"""Seconds between samples."""
SAMPLES: Final = 60
"""Samples that are kept: five minutes."""
MOST: Final = 20_000
"""Functions with a history of their own; the rest of the busiest servers goes without."""
LAG_CHECK: Final = 0.25
"""Seconds between looks at how late the loop is."""


class Track:
    """The samples of one function, or of all: only those in which something ended are kept.

    Args:
        ended: The number of jobs that have ended before.

    Attributes:
        ended: The number of jobs that had ended at the last sample.
        samples: The number of each sample, and how many jobs ended in it.
    """

    __slots__ = ("ended", "samples")

    def __init__(self, ended: int = 0) -> None:
        self.ended: int = ended
        self.samples: collections.deque[tuple[int, int]] = collections.deque()

    def take(self, number: int, ended: int) -> None:
        """Take a sample."""
        if ended != self.ended:
            self.samples.append((number, ended - self.ended))
            self.ended = ended
        while self.samples and self.samples[0][0] <= number - SAMPLES:
            self.samples.popleft()

    def last(self, number: int) -> int:
        """Return how many jobs ended in a sample, which is the last."""
        if self.samples and self.samples[-1][0] == number:
            return self.samples[-1][1]
        return 0

    def listed(self, number: int) -> list[int]:
        """Return how many ended in each sample up to the last one, with zeros for the others."""
        values = [0] * SAMPLES
        for sample, ended in self.samples:
            place = sample - number + SAMPLES - 1
            if 0 <= place < SAMPLES:
                values[place] = ended
        return values


class History:
    """Takes a sample each 5 seconds, a few functions at a time, while the server serves HTTP.

    Args:
        network: The job server, whose loop is running.

    Attributes:
        lag: By how many seconds the loop was late at most in the last period.
        lags: How often it was late by how much, by range of `BOUNDS`.
        lag_time: By how many seconds it was late in all.
    """

    def __init__(self, network: AsyncServer) -> None:
        self.lag: float = 0.0
        self.lags: list[int] = [0] * (len(BOUNDS) + 1)
        self.lag_time: float = 0.0
        self._network = network
        self._tracks: dict[Function, Track] = {}
        self._all = Track()
        self._crowded = False
        self._number = 0
        self._period = PERIOD
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def close(self) -> None:
        """Take no more samples."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        begin = time.monotonic()
        while True:
            lag = await self._wait(begin + PERIOD)
            now = time.monotonic()
            self.lag, self._period, begin = lag, now - begin, now
            await self.sample()

    async def _wait(self, until: float) -> float:
        """Wait until the next sample is due; return by how much the loop was late at most."""
        most = 0.0
        while (now := time.monotonic()) < until:
            await asyncio.sleep(LAG_CHECK)
            lag = max(0.0, time.monotonic() - now - LAG_CHECK)
            self.lags[bisect_left(BOUNDS, lag)] += 1
            self.lag_time += lag
            most = max(most, lag)
        return most

    async def sample(self) -> None:
        """Take a sample of all functions."""
        engine = self._network.engine
        number = self._number + 1
        with self._network.lock:
            functions = list(engine.queues.functions.values())
            gone = engine.queues.forgotten.ended
        tracks: dict[Function, Track] = {}
        total = gone
        pieces = Pieces()
        for function in functions:
            ended = function.tally.ended
            total += ended
            track = self._tracks.get(function)
            if track is None and ended and len(tracks) < MOST:
                # Of one for which there was no room, it is not known when they ended.
                track = Track(ended if self._crowded else 0)
            if track is not None:
                track.take(number, ended)
                tracks[function] = track
            await pieces.rest()
        self._all.take(number, total)
        self._tracks = tracks  # those of functions that are gone are dropped
        self._crowded = len(tracks) == MOST
        self._number = number

    def rate(self, function: Function | None) -> float:
        """Return how many jobs of a function, or of all, ended per second in the last sample."""
        track = self._all if function is None else self._tracks.get(function)
        return 0.0 if track is None else max(0, track.last(self._number)) / self._period

    def listed(self, function: Function | None) -> list[int]:
        """Return how many jobs of a function, or of all, ended in each sample, oldest first."""
        track = self._all if function is None else self._tracks.get(function)
        return [0] * SAMPLES if track is None else track.listed(self._number)
