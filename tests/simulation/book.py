"""What was promised in a world, and whether it is kept."""

import collections

import msgspec

from simulation.server import ServerLine


class Run(msgspec.Struct, frozen=True):
    """A job at a worker.

    Attributes:
        line: The connection over which it was assigned.
        limited: Whether the server takes it back when it takes too long.
    """

    line: ServerLine
    limited: bool


class Book:
    """All jobs of a world by handle, which no two of them share.

    Attributes:
        ended: The jobs that some worker has ended.
        failed: The jobs that some worker has failed.
        cancelled: The jobs that somebody wanted to cancel, whether or not there was an answer.
        parts: How many parts of its data workers have sent of each job.
    """

    def __init__(self) -> None:
        self.ended: set[bytes] = set()
        self.failed: set[bytes] = set()
        self.cancelled: set[bytes] = set()
        self.parts: collections.Counter[bytes] = collections.Counter()
        self._promises: dict[bytes, ServerLine] = {}
        self._runs: dict[bytes, list[Run]] = collections.defaultdict(list)

    def promise(self, handle: bytes, line: ServerLine) -> None:
        """Note that a server has taken a background job."""
        self._promises[handle] = line

    def begin(self, handle: bytes, line: ServerLine, limited: bool) -> None:
        """Note that a worker got a job: no other may have it, or have had it.

        Only a connection that the server has lost, a limit of time, or another server that has
        taken it over lets a job be given twice; and what was taken back may arrive after what came
        later.
        """
        runs = self._runs[handle]
        for run in runs:
            taken_over = line.server.world.database.adopted[handle] > 0
            taken_back = run.limited or limited or not run.line.known or taken_over
            assert taken_back, f"{handle!r} was given out twice"
        runs.append(Run(line, limited))

    def check(self) -> None:
        """See that no background job is lost whose server lives, or keeps its jobs.

        Raises:
            AssertionError: One is.
        """
        for handle, line in self._promises.items():
            promised = line.server.world.weather.durable or line.of_this_life
            if promised and not line.server.limits_retries:
                kept = handle in self.ended or handle in self.cancelled
                assert kept, f"the background job {handle!r} was never done"
