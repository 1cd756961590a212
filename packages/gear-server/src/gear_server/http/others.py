"""The functions that are not shown by name, as if they were one."""

import operator
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from gear_server.engine.state import Function
from gear_server.engine.tally import Tally
from gear_server.http.labels import OTHER

_RANGES: Final = "waited", "ran"
# Not those of `__slots__`, which a compiled class has not.
COUNTS: Final = (
    "ended", "joined", "failed", "exhausted", "requeued", "timed_out", "cancelled", "cancelling",
    "abandoned", "refused", "restored", "moved", "waiting_time", "running_time",
)  # fmt: skip
"""All of a tally but its ranges."""
_SUMS: Final = "total", "running", "aside", "workers"


class Others:
    """Adds up functions, column by column: so a thousand take less than a millisecond.

    Which of their workers sleep is left out, since each of them may have registered all.

    Attributes:
        function: What they are together; it belongs to no server.
    """

    def __init__(self) -> None:
        self.function: Function = Function(OTHER.encode())

    def add(self, functions: Sequence[Function]) -> None:
        """Add some functions."""
        _add(self.function, _SUMS, functions)
        busy = [function for function in functions if function.total]
        for function in busy:
            self._add_queues(function)
        used = [each for each in functions if each.total or each.tally.ended or each.tally.refused]
        self._add_tallies([function.tally for function in used])

    def _add_queues(self, function: Function) -> None:
        for mine, queue in zip(self.function.queues, function.queues, strict=True):
            job = queue.first
            if job is not None:
                mine.count += queue.count
                if mine.first is None or job.queued_at < mine.first.queued_at:
                    mine.first = job

    def _add_tallies(self, tallies: list[Tally]) -> None:
        mine = self.function.tally
        _add(mine, COUNTS, tallies)
        for name in _RANGES:
            ranges: Callable[[Tally], list[int]] = operator.attrgetter(name)
            setattr(mine, name, [*map(sum, zip(ranges(mine), *map(ranges, tallies), strict=True))])


def _add(mine: object, names: Iterable[str], others: Iterable[object]) -> None:
    """Add attributes of others to those of an object."""
    for name in names:
        setattr(mine, name, sum(map(operator.attrgetter(name), others), getattr(mine, name)))
