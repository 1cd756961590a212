"""`AsyncJob`: a job that coroutines wait for; the client that submits it is in `async_client`."""

import collections
import weakref
from collections.abc import AsyncIterator, Callable, Generator
from typing import Final, Self

from gear_client.jobs import Guard, Job
from gear_client.outcome import Outcome
from gear_wire.errors import GearmanError
from gear_wire.jobs import to_bytes
from gear_wire.link.aio.home import Home
from gear_wire.link.aio.link import AsyncLink
from gear_wire.link.deadline import Deadline
from gear_wire.packets import BasePacket, WorkData, WorkStatus, WorkWarning
from gear_wire.types import Handle

_MANY: Final = 1024
"""Updates that wait for a loop above which what says little is left out."""


class AsyncJob(Job):
    """A job that is awaited for its result and iterated for its updates.

    ``await job`` returns the data as bytes, or raises JobFailedError. ``async for packet in job``
    gives each WorkData, WorkWarning and WorkStatus in turn, and ends when the job does, however it
    ended. Both may be done at once, by several tasks; those that iterate share the updates.

    Iterating begins with what has come so far, and goes on where an earlier loop was left: all
    parts of the data, but only the last WorkStatus of those that came meanwhile.

    It belongs to one event loop, that of its client; elsewhere, what would wait for it raises a
    GearmanError.
    """

    # Set for each job only when it is submitted, or once something comes.
    _home: Home | None = None
    _updates: "weakref.ref[Updates] | None" = None
    _given: int = 0
    _ended_at: int | None = None
    _progress: tuple[int, WorkStatus] | None = None
    _warned_at: set[int] | None = None

    def __init__(
        self, name: str | bytes, arguments: str | bytes = b"", unique: str | bytes | None = None
    ) -> None:
        super().__init__(name, arguments, unique)

    # Waiting

    def _wait_until(self, done: Callable[[], bool], deadline: Deadline) -> bool:
        if not done():
            raise GearmanError("waiting for an AsyncJob would block its loop: await it instead")
        return True

    async def _until(self, done: Callable[[], bool]) -> None:
        """Wait until something of the job is so."""
        if done():
            return
        if self._guard is not None:
            self._guard("waiting for a job")
        if self._home is None:
            self._home = Home()
        changed = self._home.enter(self).create_future()

        def observe() -> None:
            if done() and not changed.done():
                changed.set_result(None)

        self._observers.append(observe)
        try:
            await changed
        finally:
            self._observers.remove(observe)

    def __await__(self) -> Generator[None, None, bytes]:
        """Wait until the job has ended; returns its data, raises JobFailedError."""
        return self._ended().__await__()

    async def _ended(self) -> bytes:
        await self._until(self._has_ended)
        return self._result()

    def __aiter__(self) -> "Updates":
        """Give the updates of the job until it ends."""
        updates = None if self._updates is None else self._updates()
        if updates is None:
            updates = Updates(self, self._missed_updates())
            self._updates = weakref.ref(updates)
        return updates

    async def astream(self) -> AsyncIterator[bytes]:
        """Give the parts of the data as they come, and take each out of `data`.

        So a large result that the worker sends in parts is never there as a whole. What is not
        taken stays in `data`: streaming may be resumed, and ``await job`` returns the rest.

        Yields:
            The data of one packet, never empty.

        Raises:
            JobFailedError: The job failed; after the parts that came before.
            GearmanError: The job belongs to another event loop.
            InvalidDataError: It is a background job, or a copy: nobody is told of its data.
        """
        while True:
            await self._until(self._has_more)
            if not self._data:
                self._check_failure()
                return
            yield self._pop_part()

    # Its life

    def _begin(self, connection: object, guard: Guard) -> int:
        if not isinstance(connection, AsyncLink):
            raise TypeError(f"{self!r} is for an AsyncClient: submit a gear.Job here")
        self._home = connection.home
        return super()._begin(connection, guard)

    def _reset(self) -> None:
        super()._reset()
        self._given = 0
        self._ended_at = self._progress = None
        self._warned_at = None

    def _end(self, outcome: Outcome, payload: bytes = b"") -> None:
        if not self.complete:
            self._ended_at = self._part_count
        super()._end(outcome, payload)

    def _tell(self, update: BasePacket | None) -> None:
        if isinstance(update, WorkStatus):
            self._progress = (self._part_count, update)
        elif isinstance(update, WorkWarning) and update.payload:
            self._warned_at = self._warned_at or set()
            self._warned_at.add(self._part_count - 1)
        updates = None if self._updates is None else self._updates()
        if updates is not None and update is not None:
            updates.append(update)
        super()._tell(update)

    @property
    def _part_count(self) -> int:
        """How many parts of the data have come."""
        return self._streamed + len(self._data)

    def _missed_updates(self) -> list[BasePacket]:
        """Return the updates that came while nobody iterated, as far as they are still known."""
        handle = Handle(self.handle or b"")
        end = self._part_count if self._ended_at is None else self._ended_at
        missed: list[BasePacket] = []
        for place in range(max(self._given, self._streamed), end):
            kind = WorkWarning if place in (self._warned_at or ()) else WorkData
            part = to_bytes(self._data[place - self._streamed], "the data of a job")
            missed.append(kind(handle, part))
        if self._progress is not None:
            came_after, status = self._progress
            behind = end - len(missed)
            missed.insert(max(0, came_after - behind), status)
        return missed

    def _note_given(self, update: BasePacket) -> None:
        """Note that an update was given to whoever iterates."""
        if isinstance(update, WorkStatus):
            if self._progress is not None and self._progress[1] is update:
                self._progress = None
        elif isinstance(update, WorkData | WorkWarning) and update.payload:
            self._given += 1

    def _copied_attributes(self) -> dict[str, object]:
        warned = None if self._warned_at is None else set(self._warned_at)
        own = {"_home": None, "_updates": None, "_warned_at": warned}
        return {**super()._copied_attributes(), **own}


class Updates:
    """The updates of a job for whoever iterates it; the job keeps them as long as this lives.

    Args:
        job: The job.
        missed: The updates to begin with.
    """

    def __init__(self, job: AsyncJob, missed: list[BasePacket]) -> None:
        self._job = job
        self._waiting = collections.deque(missed)

    def append(self, update: BasePacket) -> None:
        """Take in an update; of a great many that wait, only the last progress and all the data."""
        waiting = self._waiting
        if len(waiting) >= _MANY:
            if isinstance(update, WorkStatus) and isinstance(waiting[-1], WorkStatus):
                waiting[-1] = update
                return
            if isinstance(update, WorkData | WorkWarning) and not update.payload:
                return
        waiting.append(update)

    def __aiter__(self) -> Self:
        """Return itself."""
        return self

    async def __anext__(self) -> BasePacket:
        """Return the next update; waits for it."""
        await self._job._until(self._has_more)
        if not self._waiting:
            raise StopAsyncIteration
        update = self._waiting.popleft()
        self._job._note_given(update)
        return update

    def _has_more(self) -> bool:
        return bool(self._waiting) or self._job.complete
