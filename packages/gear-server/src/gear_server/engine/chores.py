"""Work too long for one turn, which is done in slices; what the work is, is in `engine`."""

import collections
from collections.abc import Iterator
from typing import Final

SLICE: Final = 32
"""Steps of long work that are done in one turn: some 50 microseconds, which a turn takes anyway."""


class Chores:
    """Long work that nobody waits for, such as cleaning up after a client of many jobs.

    Each is an iterator whose items are slices of `SLICE` steps. The first slice is done at once, so
    that little work needs no second turn; then one slice a turn is done, of each chore in turn.

    Attributes:
        waiting: The chores, the next one first.
    """

    def __init__(self) -> None:
        self.waiting: collections.deque[Iterator[None]] = collections.deque()

    def __bool__(self) -> bool:
        return bool(self.waiting)

    def add(self, chore: Iterator[None]) -> None:
        """Begin a chore."""
        self.waiting.append(chore)
        self.waiting.rotate(1)
        self.go_on()

    def go_on(self) -> None:
        """Do the next slice of a chore; no effect if there is none."""
        if self.waiting:
            chore = self.waiting.popleft()
            for _ in chore:
                self.waiting.append(chore)
                break
