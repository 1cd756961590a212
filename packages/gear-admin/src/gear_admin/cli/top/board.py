"""What is known of all servers at the moment; pure, so that clocks and sockets are elsewhere."""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Final, Self

import msgspec

from gear_wire.text import ConnectionStatus, FunctionActivity, FunctionCounters, FunctionStatus
from gear_wire.types import FunctionName

WINDOW: Final = 5.0
"""Seconds over which jobs a second are counted."""
PATIENCE: Final = 2.0
"""Seconds without an answer after which a server is shown as silent."""


class FunctionState(msgspec.Struct, frozen=True):
    """A function of a server.

    Attributes:
        name: Its name.
        total: Its jobs.
        running: Those of them that workers have.
        workers: The workers that can do them.
        ended: How many jobs have ended; None if the server does not tell.
        waiting: Seconds that the first of its queued jobs has waited; None if there is none, or the
            server does not tell.
        failed: How many jobs have failed; None if the server does not tell.
    """

    name: FunctionName
    total: int
    running: int
    workers: int
    ended: int | None = None
    waiting: float | None = None
    failed: int | None = None

    @classmethod
    def of(cls, row: FunctionStatus | FunctionActivity | FunctionCounters) -> Self:
        """Return what a line of ``status``, ``show functions`` or ``show counters`` tells."""
        if isinstance(row, FunctionCounters):
            total = row.queued + row.scheduled + row.aside + row.running
            oldest = row.oldest_ms / 1000 if row.queued else None
            failed = row.failed + row.exhausted
            return cls(row.function, total, row.running, row.workers, row.ended, oldest, failed)
        numbers = (row.function, row.total, row.running, row.workers)
        if isinstance(row, FunctionStatus):
            return cls(*numbers)
        waiting = row.waiting / 1000 if row.total > row.running else None
        return cls(*numbers, row.ended, waiting)

    def ended_since(self, before: Self) -> int:
        """Return how many jobs have ended since an earlier look, or were seen to.

        If the server does not count them, it is what `total` has fallen by: a job that another one
        replaces between two looks is not seen.
        """
        if self.ended is None or before.ended is None:
            return max(0, before.total - self.total)
        return max(0, self.ended - before.ended)

    def failed_since(self, before: Self) -> int:
        """Return how many jobs have failed since an earlier look, as far as the server tells."""
        if self.failed is None or before.failed is None:
            return 0
        return max(0, self.failed - before.failed)


class Departures:
    """Counts the jobs of each function that have ended, or failed, within the `WINDOW`.

    Args:
        since: Returns how many of a function have since an earlier look.
    """

    def __init__(self, since: Callable[[FunctionState, FunctionState], int]) -> None:
        self._since = since
        self._before: dict[FunctionName, FunctionState] = {}
        self._ended: dict[FunctionName, int] = {}
        self._looks: deque[tuple[float, dict[FunctionName, int]]] = deque()
        self._began: float | None = None

    def look(self, functions: Iterable[FunctionState], now: float) -> None:
        """Compare what a server has with what it had."""
        after = {each.name: each for each in functions}
        ended = {
            name: count
            for name, before in self._before.items()
            # A server forgets a function that has nothing left.
            if (count := self._since(after.get(name, FunctionState(name, 0, 0, 0)), before))
        }
        self._before = after
        self._began = now if self._began is None else self._began
        self._looks.append((now, ended))
        for name, count in ended.items():
            self._ended[name] = self._ended.get(name, 0) + count
        while self._looks[0][0] <= now - WINDOW:
            for name, count in self._looks.popleft()[1].items():
                self._ended[name] -= count
                if not self._ended[name]:
                    del self._ended[name]

    def per_second(self, function: FunctionName) -> float:
        """Return how many jobs of a function have in a second."""
        if self._began is None:
            return 0.0
        seconds = min(self._looks[-1][0] - self._began, WINDOW)
        return self._ended.get(function, 0) / seconds if seconds else 0.0


class Totals(msgspec.Struct):
    """Sums over functions.

    Attributes:
        queued: Jobs that wait.
        running: Jobs that workers have.
        workers: Workers that can do them.
        per_second: Jobs that have ended in a second.
        waiting: Seconds that the first of the queued jobs has waited, if a server tells.
        failures: Jobs that have failed in a second; None if no server tells.
    """

    queued: int = 0
    running: int = 0
    workers: int = 0
    per_second: float = 0.0
    waiting: float | None = None
    failures: float | None = None

    def add(self, row: FunctionState, per_second: float, failures: float) -> None:
        """Add a function of a server."""
        self.queued += row.total - row.running
        self.running += row.running
        self.workers += row.workers
        self.per_second += per_second
        if row.waiting is not None:
            self.waiting = max(row.waiting, self.waiting or 0.0)
        if row.failed is not None:
            self.failures = failures + (self.failures or 0.0)


class ServerState:
    """What is known of one server.

    Args:
        name: How it is shown.

    Attributes:
        name: As given.
        reason: Why it is not there; None while it is connected.
        version: Its version.
        functions: Its functions at the last look; none while it is gone.
        workers: Its connections that have functions, as far as they were asked for.
        seconds: How long it took to answer at the last look.
        asked: When it was asked what it has not answered yet; None if it has.
    """

    def __init__(self, name: str) -> None:
        self.name: str = name
        self.reason: str | None = "not connected yet"
        self.version: str = ""
        self.functions: Sequence[FunctionState] = ()
        self.workers: Sequence[ConnectionStatus] = ()
        self.seconds: float = 0.0
        self.asked: float | None = None
        self._begin()

    def _begin(self) -> None:
        self._departures = Departures(FunctionState.ended_since)
        self._failures = Departures(FunctionState.failed_since)

    def connected(self, version: str) -> None:
        """Note that it is there."""
        self.reason = None
        self.version = version

    def answered(self, rows: Sequence[FunctionState], now: float) -> None:
        """Take in its functions."""
        if self.asked is not None:
            self.seconds = now - self.asked
        self.asked = None
        self.functions = rows
        self._departures.look(rows, now)
        self._failures.look(rows, now)

    def lost(self, reason: str) -> None:
        """Note that it is gone: what it had is not known any more."""
        self.reason = f"gone: {reason}"
        self.asked = None
        self.functions = self.workers = ()
        self._begin()

    def per_second(self, function: FunctionName) -> float:
        """Return how many jobs of a function have ended in a second."""
        return self._departures.per_second(function)

    def failures(self, function: FunctionName) -> float:
        """Return how many jobs of a function have failed in a second."""
        return self._failures.per_second(function)

    def totals(self) -> Totals:
        """Return the sums over its functions."""
        sums = Totals()
        for row in self.functions:
            sums.add(row, self.per_second(row.name), self.failures(row.name))
        return sums

    def trouble(self, now: float) -> str:
        """Return what is wrong with it; empty if nothing is."""
        if self.reason is not None:
            return self.reason
        if self.asked is not None and now - self.asked > PATIENCE:
            return f"no answer for {now - self.asked:.0f} s"
        return ""


class Board:
    """What is known of all servers.

    Args:
        names: How the servers are shown.

    Attributes:
        servers: The servers, in the order of the command line.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self.servers: list[ServerState] = [ServerState(name) for name in names]

    def functions(self) -> dict[FunctionName, Totals]:
        """Return the functions of all servers together."""
        totals: dict[FunctionName, Totals] = {}
        for server in self.servers:
            for row in server.functions:
                known = totals.setdefault(row.name, Totals())
                known.add(row, server.per_second(row.name), server.failures(row.name))
        return totals
