"""How the memory of a server is shared between jobs, what comes and what is sent."""

from collections.abc import Hashable
from typing import Generic, Protocol, TypeVar

from gear_server.network.holdings import Holdings

Reader = TypeVar("Reader", bound=Hashable)
Sender = TypeVar("Sender", bound=Hashable)


class Jobs(Protocol):
    """What counts the bytes that jobs take."""

    used: int


class Memory(Generic[Reader, Sender]):
    """Tells which connection must go when all of them hold too much.

    Jobs may take all of the memory. What has come and is not taken yet, and what is not sent yet,
    may take what is left, and a quarter each in any case: full queues stop neither results nor
    submissions of other sizes, and the one that holds the most goes first.

    Args:
        most: Bytes that jobs and connections may take.
        jobs: What counts the bytes that jobs take.

    Attributes:
        unsent: What is not sent yet, by who does not read it.
        untaken: What has come of packets, by who sends them.
    """

    def __init__(self, most: int, jobs: Jobs) -> None:
        self.unsent: Holdings[Reader] = Holdings()
        self.untaken: Holdings[Sender] = Holdings()
        self._most = most
        self._jobs = jobs

    def slowest_reader(self) -> Reader | None:
        """Return whose unsent bytes must go; None while all is well."""
        if self.unsent.total <= self._share(self.untaken.total):
            return None
        return self.unsent.largest()

    def largest_sender(self) -> Sender | None:
        """Return whose packets must go; None while all is well."""
        if self.untaken.total <= self._share(self.unsent.total):
            return None
        return self.untaken.largest()

    def _share(self, others: int) -> int:
        return max(self._most // 4, self._most - self._jobs.used - others)
