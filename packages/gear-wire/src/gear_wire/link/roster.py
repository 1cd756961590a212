"""Which servers are up, which is next and when to retry the others; pure, without a clock."""

from typing import Final, Generic, TypeVar

Server = TypeVar("Server")

FIRST_DELAY: Final = 0.05
"""Seconds to the first attempt after a connection was lost."""
LONGEST_DELAY: Final = 2.0
"""Seconds between attempts at the most: users of 0.16 count on two."""
FIRST_SKIP: Final = 5.0
"""Seconds for which a server that did not answer in time is skipped."""
LONGEST_SKIP: Final = 60.0
"""Seconds between attempts to use it, at the most."""
SETTLED: Final = 5.0
"""Seconds after which a connection counts as good: a server that takes connections only to close
them again is tried less and less often, as one that takes none."""


class Roster(Generic[Server]):
    """The servers of one client, in the order in which they were added.

    Attributes:
        active: The servers that are connected; jobs go to them in turn.
        inactive: The others.
    """

    def __init__(self) -> None:
        self.active: list[Server] = []
        self.inactive: list[Server] = []
        self._failures: dict[int, int] = {}
        self._since: dict[int, float] = {}
        self._skipped: dict[int, tuple[float, float]] = {}
        self._index = -1

    def add(self, server: Server) -> None:
        """Add a new server, not connected yet."""
        self.inactive.append(server)

    def up(self, server: Server, now: float) -> None:
        """Record that a server is connected, and since when."""
        if server in self.inactive:
            self.inactive.remove(server)
        if server not in self.active:
            self.active.append(server)
        self._since[id(server)] = now
        self._skipped.pop(id(server), None)

    def down(self, server: Server, now: float) -> bool:
        """Record that a connection is lost; False when it was not up."""
        if server not in self.active:
            return False
        if now - self._since.pop(id(server), now) >= SETTLED:
            self._failures.pop(id(server), None)
        self.active.remove(server)
        self._skipped.pop(id(server), None)
        self.inactive.append(server)
        return True

    def clear(self) -> list[Server]:
        """Forget all servers, and return them."""
        servers = [*self.active, *self.inactive]
        self.active.clear()
        self.inactive.clear()
        self._skipped.clear()
        return servers

    @property
    def skips(self) -> bool:
        """Whether a server is skipped."""
        return bool(self._skipped)

    def skip(self, server: Server, now: float) -> None:
        """Skip a server that did not answer in time, until it answers or some time has passed."""
        if server in self.active:
            self._skipped.setdefault(id(server), (now + FIRST_SKIP, FIRST_SKIP))

    def answered(self, server: Server) -> None:
        """Skip a server no longer: something came from it."""
        self._skipped.pop(id(server), None)

    def next(self, now: float) -> Server | None:
        """Return the server whose turn it is, or None when none is connected.

        A server that is skipped has a turn once its time is over; if it does not answer then, it is
        skipped for twice as long. While all are skipped, none is.
        """
        for _ in self.active:
            self._index = (self._index + 1) % len(self.active)
            server = self.active[self._index]
            skipped = self._skipped.get(id(server))
            if skipped is None:
                return server
            end, seconds = skipped
            if now >= end:
                seconds = min(2 * seconds, LONGEST_SKIP)
                self._skipped[id(server)] = (now + seconds, seconds)
                return server
        if not self.active:
            return None
        self._index = (self._index + 1) % len(self.active)
        return self.active[self._index]

    def promising(self) -> list[Server]:
        """Return the servers that are connected, those that are skipped last."""
        return sorted(self.active, key=lambda server: id(server) in self._skipped)

    def delay(self, server: Server, jitter: float) -> float:
        """Return the seconds to wait before the next attempt, twice as long after each failure.

        Args:
            server: The server to be tried.
            jitter: A number from 0 to 1; it spreads the attempts of many clients.
        """
        failures = self._failures.get(id(server), 0)
        self._failures[id(server)] = failures + 1
        longest = min(LONGEST_DELAY, FIRST_DELAY * 2.0 ** min(failures, 16))
        return longest * (0.5 + jitter / 2)
