"""What is known of all servers at the moment; pure, so that clocks and sockets are elsewhere."""

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from gear_wire.text import ConnectionStatus, FunctionStatus
from gear_wire.types import FunctionName

WINDOW: Final = 5.0
"""Seconds over which jobs a second are counted."""
PATIENCE: Final = 2.0
"""Seconds without an answer after which a server is shown as silent."""


class Departures:
    """Counts the jobs of each function that were seen to leave a server.

    Servers tell no such number. So it is what `total` has fallen by from one look to the next: a
    job that another one replaces between two looks is not seen.
    """

    def __init__(self) -> None:
        self._totals: dict[FunctionName, int] = {}
        self._left: dict[FunctionName, int] = {}
        self._looks: deque[tuple[float, dict[FunctionName, int]]] = deque()
        self._began: float | None = None

    def look(self, rows: Iterable[FunctionStatus], now: float) -> None:
        """Compare what a server has with what it had."""
        totals = {row.function: row.total for row in rows}
        left = {
            name: total - totals.get(name, 0)
            for name, total in self._totals.items()
            if total > totals.get(name, 0)
        }
        self._totals = totals
        self._began = now if self._began is None else self._began
        self._looks.append((now, left))
        for name, count in left.items():
            self._left[name] = self._left.get(name, 0) + count
        while self._looks[0][0] <= now - WINDOW:
            for name, count in self._looks.popleft()[1].items():
                self._left[name] -= count
                if not self._left[name]:
                    del self._left[name]

    def per_second(self, function: FunctionName) -> float:
        """Return how many jobs of a function left in a second, at least."""
        if self._began is None:
            return 0.0
        seconds = min(self._looks[-1][0] - self._began, WINDOW)
        return self._left.get(function, 0) / seconds if seconds else 0.0


class Totals(msgspec.Struct):
    """Sums over functions.

    Attributes:
        queued: Jobs that wait.
        running: Jobs that workers have.
        workers: Workers that can do them.
        per_second: Jobs that were seen to leave in a second.
    """

    queued: int = 0
    running: int = 0
    workers: int = 0
    per_second: float = 0.0

    def add(self, row: FunctionStatus, per_second: float) -> None:
        """Add a function of a server."""
        self.queued += row.total - row.running
        self.running += row.running
        self.workers += row.workers
        self.per_second += per_second


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
        self.functions: Sequence[FunctionStatus] = ()
        self.workers: Sequence[ConnectionStatus] = ()
        self.seconds: float = 0.0
        self.asked: float | None = None
        self._departures = Departures()

    def connected(self, version: str) -> None:
        """Note that it is there."""
        self.reason = None
        self.version = version

    def answered(self, rows: Sequence[FunctionStatus], now: float) -> None:
        """Take in its functions."""
        if self.asked is not None:
            self.seconds = now - self.asked
        self.asked = None
        self.functions = rows
        self._departures.look(rows, now)

    def lost(self, reason: str) -> None:
        """Note that it is gone: what it had is not known any more."""
        self.reason = f"gone: {reason}"
        self.asked = None
        self.functions = self.workers = ()
        self._departures = Departures()

    def per_second(self, function: FunctionName) -> float:
        """Return how many jobs of a function left in a second, at least."""
        return self._departures.per_second(function)

    def totals(self) -> Totals:
        """Return the sums over its functions."""
        sums = Totals()
        for row in self.functions:
            sums.add(row, self.per_second(row.function))
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
                known = totals.setdefault(row.function, Totals())
                known.add(row, server.per_second(row.function))
        return totals
