"""How many jobs of a function may start: its own `concurrency` and `rate`."""

import time
from collections.abc import Callable

from gear_worker.functions import FunctionRecord


class FunctionLane:
    """A function that has a limit of its own, and so connections of its own.

    Args:
        record: What is registered over them.
        concurrency: How many of its jobs may run at a time.
        rate: How many may start a second; None for no limit. They start evenly spaced.
        clock: Returns the time in seconds; it never goes back.

    Attributes:
        functions: The record, by the function's name.
        concurrency: As given.
        held: How many of its jobs were assigned and are not over.
        running: How many of them have a place.
    """

    def __init__(
        self,
        record: FunctionRecord,
        concurrency: int,
        rate: float | None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.functions: dict[bytes, FunctionRecord] = {record.name: record}
        self.concurrency: int = concurrency
        self.held: int = 0
        self.running: int = 0
        self._spacing = 0.0 if rate is None else 1 / rate
        self._clock = clock
        self._next = 0.0

    def room(self) -> int:
        """Return how many more of its jobs could start now."""
        free = self.concurrency - self.held
        return min(free, self.wait() == 0) if self._spacing else free

    def wait(self) -> float:
        """Return the seconds until its rate lets another job start; 0 if one may start now."""
        return max(0.0, self._next - self._clock())

    def assigned(self) -> None:
        """Note that one of its jobs was assigned."""
        self.held += 1
        self._next = max(self._clock(), self._next) + self._spacing

    def over(self) -> None:
        """Note that one of its jobs is over."""
        self.held -= 1
