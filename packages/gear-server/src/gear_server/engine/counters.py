"""What a server counts."""

import msgspec


class Counters(msgspec.Struct):
    """How many jobs since the start.

    Attributes:
        submitted: Jobs taken, without those that joined another.
        joined: Submissions that joined a job with the same unique.
        completed: Jobs that ended with a result.
        failed: Jobs that ended without one, by the word of a worker.
        requeued: Times that a job was taken from a worker and queued again.
        exhausted: Jobs that ended because they may not be tried again.
        cancelled: Jobs taken back by an administrator.
        timed_out: Times that a worker had a job for too long.
        abandoned: Jobs dropped because nobody waited for them any more.
    """

    submitted: int = 0
    joined: int = 0
    completed: int = 0
    failed: int = 0
    requeued: int = 0
    exhausted: int = 0
    cancelled: int = 0
    timed_out: int = 0
    abandoned: int = 0
