"""A store that keeps its jobs in memory, and fails when a test says so."""

from collections.abc import Callable, Iterator
from typing import Protocol

from gear_server.engine.engine import Engine
from gear_server.queue.store import Batch, StoredJob, StoredLimits, StoreError


class MemoryStore:
    """A store in memory, which survives the servers of a test.

    Attributes:
        jobs: What it keeps, by number.
        batches: What it has taken.
        error: What writing raises; None if it succeeds.
        before: Called before anything is written, on the writer's thread.
        half: Whether a batch that fails is taken all the same.
    """

    name = "memory store"

    def __init__(self) -> None:
        self.jobs: dict[int, StoredJob] = {}
        self.limits: dict[bytes, StoredLimits] = {}
        self.reserved: int = 0
        self.batches: list[Batch] = []
        self.error: BaseException | None = None
        self.before: Callable[[], None] | None = None
        self.half: bool = False

    def count(self) -> int:
        return len(self.jobs)

    def load(self) -> Iterator[StoredJob]:
        return (job for _, job in sorted(self.jobs.items()))

    def load_limits(self) -> dict[bytes, StoredLimits]:
        return dict(self.limits)

    def write(self, batch: Batch) -> None:
        if self.before is not None:
            self.before()
        if self.error is None or self.half:
            self.keep(batch)
        if self.error is not None:
            raise self.error
        self.batches.append(batch)

    def keep(self, batch: Batch) -> None:
        """Keep what a batch says, whatever becomes of who wrote it."""
        for number in batch.ended:
            self.jobs.pop(number, None)
        self.jobs |= {job.number: job for job in batch.added}
        for number, retries in batch.retried.items():
            if number in self.jobs:
                job = self.jobs[number]
                self.jobs[number] = StoredJob(
                    job.handle, job.function, job.unique, job.arguments, job.precedence, job.due,
                    job.reducer, retries,
                )  # fmt: skip
        for name, limits in batch.limits.items():
            if limits is None:
                self.limits.pop(name, None)
            else:
                self.limits[name] = limits
        if batch.reserved is not None:
            self.reserved = batch.reserved

    def close(self) -> None: ...

    def abandon(self) -> None: ...


class Disk(Protocol):
    """A store of a test, as far as a `PureKeeper` knows it."""

    error: BaseException | None
    half: bool
    limits: dict[bytes, StoredLimits]

    @property
    def reserved(self) -> int:
        """The highest number that any job may have been given."""

    def write(self, batch: Batch) -> None:
        """Write a batch, or fail."""

    def keep(self, batch: Batch) -> None:
        """Keep what a batch says, whatever becomes of who wrote it."""


class PureKeeper:
    """Writes what an engine's ledger gathers, when a test says so.

    Args:
        engine: The engine, whose ledger is opened.
        store: The store.
    """

    def __init__(self, engine: Engine, store: Disk) -> None:
        self.store = store
        self._engine = engine
        self.ledger = engine.open_ledger(store.reserved)
        for name, limits in store.limits.items():
            engine.queues.of_store(name).limit(limits)
        self.batch: Batch | None = None

    def take(self, now: float) -> Batch | None:
        """Begin a batch, if there is one to be written now."""
        assert self.batch is None
        self.batch = self.ledger.take(now, self._engine.queues.newest)
        return self.batch

    def finish(self, now: float) -> None:
        """Write the batch that was begun."""
        assert self.batch is not None
        batch, self.batch = self.batch, None
        try:
            self.store.write(batch)
        except StoreError as error:
            self._engine.store_refused(str(error), now)
        else:
            self.ledger.written()

    def leave(self) -> None:
        """Crash after the batch that was begun is down."""
        if self.batch is not None:
            self.store.keep(self.batch)

    def close(self, now: float) -> None:
        """Write the rest; what happens to jobs afterwards is not recorded."""
        self.ledger.finish(self._engine.queues.newest)
        while self.batch is not None or self.take(now) is not None:
            self.finish(now)
        self._engine.ledger = None
