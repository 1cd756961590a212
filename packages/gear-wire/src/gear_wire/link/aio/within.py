"""Limits what a coroutine waits for by the deadline of the call that it is part of."""

import asyncio
import builtins
from types import TracebackType

from gear_wire.link.deadline import Deadline


class within:
    """An async context manager that ends what it holds when a deadline comes.

    What is there already is had even if the time is up: only waiting is ended.

    Args:
        deadline: When to end it; None for never.
        what: What did not happen then, such as ``no answer from %r``.
        arguments: What is put in for the place holders of `what`.

    Raises:
        TimeoutError: The deadline came first.
    """

    __slots__ = ("_arguments", "_cancelling", "_deadline", "_limit", "_task", "_what")

    def __init__(self, deadline: Deadline | None, what: str, *arguments: object) -> None:
        self._deadline = deadline
        self._what = what
        self._arguments = arguments
        self._limit = asyncio.timeout(None if deadline is None else deadline.left())

    async def __aenter__(self) -> None:
        """Begin to wait."""
        self._task = asyncio.current_task()
        self._cancelling = 0 if self._task is None else self._task.cancelling()
        await self._limit.__aenter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Name what did not happen, if the deadline came first."""
        try:
            await self._limit.__aexit__(kind, error, traceback)
        except builtins.TimeoutError:
            if self._deadline is None:
                raise
            raise self._deadline.error(self._what % self._arguments) from None
        if self._lost_expiry(kind) and self._deadline is not None:
            raise self._deadline.error(self._what % self._arguments) from None

    def _lost_expiry(self, kind: type[BaseException] | None) -> bool:
        """Tell whether the deadline came, in a task that was cancelled before: as it is closing.

        In early versions of Python 3.11, asyncio's timeout takes its own cancellation for that one.
        """
        return (
            kind is asyncio.CancelledError
            and self._limit.expired()
            and self._task is not None
            and self._task.cancelling() <= self._cancelling
        )
