"""What a runner tells of itself, for health checks and metrics."""

import bisect
from typing import Final

import msgspec

BOUNDS: Final = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 60.0, 300.0, 1800.0)
"""Up to how many seconds each class of durations goes; there is one more for longer ones."""


class FunctionCounts(msgspec.Struct):
    """What became of one function's jobs since the start.

    Attributes:
        completed: Jobs that ended well.
        failed: Jobs that ended with an exception.
        retried: Tries after the first.
        lost: Jobs whose end could not be reported, or that were given back.
        seconds: Time that all of them took together.
        durations: How many took how long: one number for each of `BOUNDS`, and one for the rest.
    """

    completed: int = 0
    failed: int = 0
    retried: int = 0
    lost: int = 0
    seconds: float = 0.0
    durations: list[int] = msgspec.field(default_factory=lambda: [0] * (len(BOUNDS) + 1))

    def took(self, seconds: float) -> None:
        """Count how long a job took."""
        self.seconds += seconds
        self.durations[bisect.bisect_left(BOUNDS, seconds)] += 1


class RunnerStatus(msgspec.Struct, frozen=True):
    """How a runner is at the moment.

    Attributes:
        servers: Whether each server is connected, by ``HOST:PORT``.
        running: How many jobs run.
        free: How many more could start now.
        processes: How many processes are up; 0 unless the pool has processes.
        stopping: Whether no more jobs are taken.
        functions: What became of each function's jobs, by its name.
    """

    servers: dict[str, bool]
    running: int
    free: int
    processes: int
    stopping: bool
    functions: dict[str, FunctionCounts]
