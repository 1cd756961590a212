"""Long work on the loop in pieces, between which jobs go on."""

import asyncio
import time
from typing import Final

PIECE: Final = 0.0005
"""Seconds of work after which others have their turn."""
STEPS: Final = 16
"""Steps between two looks at the clock."""


class Pieces:
    """Divides the steps of long work into pieces.

    What is looked at may change between two pieces: the work must hold its own list, and no lock.
    """

    __slots__ = ("_end", "_steps")

    def __init__(self) -> None:
        self._steps = 0
        self._end = time.monotonic() + PIECE

    async def rest(self) -> None:
        """Let others go on, if a piece is done; to be called after each step."""
        self._steps += 1
        if self._steps % STEPS == 0 and time.monotonic() > self._end:
            await asyncio.sleep(0)
            self._end = time.monotonic() + PIECE
