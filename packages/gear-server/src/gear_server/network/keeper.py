"""Passes what the engine's ledger gathers to the thread that writes it."""

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from typing import Final, Protocol

from gear_server.engine.engine import Engine
from gear_server.engine.handover import Handover
from gear_server.engine.ledger import BLOCK
from gear_server.engine.names import refused_function
from gear_server.levels import NOTICE
from gear_server.queue.store import (
    Batch,
    SharedStore,
    Store,
    StoredJob,
    StoreError,
    StoreMoved,
)
from gear_server.queue.writer import CLOSE_TIMEOUT, Writer
from gear_wire.errors import ConfigurationError

MICROSECONDS: Final = 1_000_000
PROGRESS: Final = 200_000
"""Jobs after which the log tells how many are loaded."""


def load(engine: Engine, store: Store, log: logging.Logger) -> None:
    """Take in what a store has kept, and open the engine's ledger for it.

    Raises:
        ConfigurationError: The store is damaged, or does not take anything.
    """
    reserved = store.reserved
    try:
        store.write(Batch(reserved=reserved + BLOCK))
    except StoreError as error:
        raise ConfigurationError(str(error)) from error
    engine.open_ledger(reserved)
    for name, limits in store.load_limits().items():
        engine.queues.of_store(name).limit(limits)
    now = time.monotonic()
    left = 0
    for count, job in enumerate(store.load(), 1):
        if _is_named_well(job, engine.settings.max_name_size):
            engine.restore(job, now)
        else:
            left += 1
        if not count % PROGRESS:
            log.log(NOTICE, "Loaded %d jobs from %s so far", count, store.name)
    if left:
        log.warning("%d jobs are left in %s: no worker can register their names", left, store.name)
    log.log(NOTICE, "Loaded %d jobs from %s", len(engine.jobs), store.name)


def _is_named_well(job: StoredJob, longest: int) -> bool:
    """Return whether workers and tables can have a job that gearmand or a dump has brought."""
    names = (job.function, longest), (job.handle, len(job.handle))
    return all(refused_function(name, most) is None for name, most in names)


class Owner(Protocol):
    """The owner of a `Keeper`, which is called back."""

    def on_batch(self, seconds: float) -> None:
        """Called after each attempt to store something, with how long it took."""

    def on_failure(self, error: BaseException) -> None:
        """Called when the writer has ended by a fault: whoever waits would wait for ever."""


class Keeper:
    """Writes what a ledger gathers, on the running loop: one batch while the next is gathered.

    Args:
        engine: An engine with a ledger.
        store: The store.
        lock: Held around every call into the engine.
        schedule_turn: Has a turn taken soon.
        owner: Is called back.
    """

    def __init__(
        self,
        engine: Engine,
        store: Store,
        lock: threading.RLock,
        schedule_turn: Callable[[], None],
        owner: Owner,
    ) -> None:
        assert engine.ledger is not None
        self._engine = engine
        self._ledger = engine.ledger
        self._store = store
        self._lock = lock
        self._schedule_turn = schedule_turn
        self._owner = owner
        self._loop = asyncio.get_running_loop()
        self._idle = asyncio.Event()
        self._dead = False
        self._log = logging.getLogger("gear.Server")
        self._shared = store if isinstance(store, SharedStore) else None
        self._handover = None if self._shared is None else Handover(engine, self._shared)
        self._patience: asyncio.TimerHandle | None = None
        self._writer = Writer(store, self._on_done, self._on_death, self)

    def write(self) -> None:
        """Begin to write what has been gathered, if it is time; called with the lock held."""
        batch = self._ledger.take(time.monotonic(), self._engine.queues.newest)
        if batch is not None:
            if self._shared is not None:
                self._patience = self._loop.call_later(
                    self._shared.patience, self._shared.interrupt
                )
            self._writer.write(batch)

    # On the writer's thread

    def _on_done(self, error: StoreError | None, seconds: float) -> None:
        self._call(lambda: self._done(error, seconds))

    def _on_death(self, error: BaseException) -> None:
        self._call(lambda: self._die(error))

    @property
    def taking_over(self) -> bool:
        """Whether jobs of other servers are wanted."""
        return not self._engine.closed

    def on_adopted(self, jobs: list[StoredJob]) -> None:
        """Take in jobs of another server."""
        self._call(lambda: self._adopt(jobs))

    def on_contact(self) -> None:
        """Give out what was held back while the store could not be reached."""
        if self._handover is not None and self._handover.holding:
            self._call(self._go_on)

    def on_moved(self, error: StoreMoved, reserved: int) -> None:
        """Forget what others have taken over."""
        self._call(lambda: self._move(error, reserved))

    def _call(self, callback: Callable[[], None]) -> None:
        try:
            self._loop.call_soon_threadsafe(callback)
        except RuntimeError:
            pass  # the loop has ended, without waiting for a disk that hung

    # On the loop

    def _adopt(self, jobs: list[StoredJob]) -> None:
        with self._lock:
            if self._engine.ledger is None or self._handover is None:
                return  # the server ends: whoever comes next has them
            self._handover.adopt(jobs, time.monotonic())
        self._log.info("Took over %d jobs", len(jobs))
        self._schedule_turn()

    def _move(self, error: StoreMoved, reserved: int) -> None:
        with self._lock:
            if self._engine.ledger is None or self._handover is None:
                return
            self._handover.let_go(reserved, error.down, str(error))
        self._schedule_turn()

    def _go_on(self) -> None:
        with self._lock:
            if self._handover is not None:
                self._handover.go_on(time.monotonic())
        self._schedule_turn()

    def _done(self, error: StoreError | None, seconds: float) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None
        with self._lock:
            if error is None:
                self._ledger.written()
                if self._handover is not None:
                    self._handover.go_on(time.monotonic())
            else:
                self._engine.store_refused(str(error), time.monotonic())
            self._engine.counters.store_time += round(seconds * MICROSECONDS)
            self._owner.on_batch(seconds)
        self._idle.set()
        self._schedule_turn()

    def _die(self, error: BaseException) -> None:
        self._dead = True
        self._idle.set()
        self._owner.on_failure(error)

    async def close(self) -> None:
        """Write the rest, and close the store; what jobs do afterwards is not recorded."""
        patience = CLOSE_TIMEOUT
        try:
            async with asyncio.timeout(patience):
                await self._write_all()
        except TimeoutError:
            self._log.error(
                "The queue %s does not answer: not everything is written", self._store.name
            )
            patience = 0.0
        if self._ledger.failure is not None:
            self._log.error("Not everything is written: %s", self._ledger.failure)
        # Connections that are closed from now on requeue jobs that the store keeps as they are.
        self._engine.ledger = None
        if self._writer.close(patience):
            self._store.close()

    async def _write_all(self) -> None:
        with self._lock:
            self._ledger.finish(self._engine.queues.newest)
            self.write()
        while self._ledger.unwritten and not self._dead:
            self._idle.clear()
            await self._idle.wait()
            if self._ledger.failure is not None:
                break
            with self._lock:
                self.write()
