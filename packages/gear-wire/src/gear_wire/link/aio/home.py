"""The event loop that a client and its connections belong to."""

import asyncio
import os

from gear_wire.errors import GearmanError


class Home:
    """The loop, and the process, of whatever is used on one asyncio loop only.

    Attributes:
        loop: The loop of the first call; None before.
    """

    def __init__(self) -> None:
        self.loop: asyncio.AbstractEventLoop | None = None
        self._process = 0

    def enter(self, visitor: object) -> asyncio.AbstractEventLoop:
        """Return the running loop, if it is the right one; the first that asks decides.

        Args:
            visitor: What is used, for the exception.

        Raises:
            GearmanError: No loop runs, or another one.
        """
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            if self.loop is None:
                raise GearmanError(f"{visitor!r} is for coroutines: no event loop runs") from None
            raise GearmanError(self._elsewhere(visitor)) from None
        if loop is not self.loop:
            if self.loop is not None:
                raise GearmanError(self._elsewhere(visitor))
            self.loop = loop
            self._process = os.getpid()
        return loop

    def _elsewhere(self, visitor: object) -> str:
        if self.foreign:
            return (
                f"{visitor!r} belongs to process {self._process}, from which this one was forked: "
                "make one here"
            )
        if self.ended:
            return f"{visitor!r} belongs to an event loop that has ended: make one for this loop"
        return f"{visitor!r} belongs to another event loop: make one for each loop"

    @property
    def foreign(self) -> bool:
        """Whether the loop is one of the process from which this one was forked."""
        return self.loop is not None and self._process != os.getpid()

    @property
    def ended(self) -> bool:
        """Whether the loop was closed."""
        return self.loop is not None and self.loop.is_closed()
