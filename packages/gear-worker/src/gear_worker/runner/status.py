"""What a runner tells of itself, for health checks and metrics."""

import msgspec


class FunctionCounts(msgspec.Struct):
    """What became of one function's jobs since the start.

    Attributes:
        completed: Jobs that ended well.
        failed: Jobs that ended with an exception.
        retried: Tries after the first.
        lost: Jobs whose end could not be reported, or that were given back.
        seconds: Time that all of them took together.
    """

    completed: int = 0
    failed: int = 0
    retried: int = 0
    lost: int = 0
    seconds: float = 0.0


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
