"""The thread that writes batches to a store, one at a time."""

import threading
import time
from collections.abc import Callable
from typing import Final, Protocol

from gear_server.queue.store import (
    Batch,
    SharedStore,
    Store,
    StoredJob,
    StoreError,
    StoreMoved,
)

CLOSE_TIMEOUT: Final = 60.0
"""Seconds that closing waits for a write: a disk that hangs must not keep the process for ever."""


class Sharing(Protocol):
    """Hears of the other servers on a store; called on the writer's thread."""

    @property
    def taking_over(self) -> bool:
        """Whether jobs of other servers are wanted."""

    def on_adopted(self, jobs: list[StoredJob]) -> None:
        """Called with jobs of another server, which are this one's from now on."""

    def on_contact(self) -> None:
        """Called when the store has been looked at, and so knows that this server lives."""

    def on_moved(self, error: StoreMoved, reserved: int) -> None:
        """Called when others have taken over what this server had kept.

        Args:
            error: What became of the batch on its way.
            reserved: The number that those of new jobs must be above.
        """


class Writer:
    """Writes one batch while the next is gathered: what came meanwhile is committed together.

    A store that several servers use is looked at now and then.

    Args:
        store: The store; used by this thread alone until `close` has returned.
        done: Called on the writer's thread after each batch, with the store's error or None, and
            the seconds that it took.
        died: Called on the writer's thread when anything but a `StoreError` ends it: whoever waits
            for a batch would wait for ever.
        sharing: Hears of the other servers, if there are any.
    """

    def __init__(
        self,
        store: Store,
        done: Callable[[StoreError | None, float], None],
        died: Callable[[BaseException], None],
        sharing: Sharing | None = None,
    ) -> None:
        self._store = store
        self._done = done
        self._died = died
        self._sharing = sharing
        self._shared = store if isinstance(store, SharedStore) else None
        self._next_look = 0.0
        self._condition = threading.Condition()
        self._batch: Batch | None = None
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="geard queue writer", daemon=True)
        self._thread.start()

    def write(self, batch: Batch) -> None:
        """Write a batch; there must be no other until `done` is called."""
        with self._condition:
            self._batch = batch
            self._condition.notify()

    def close(self, timeout: float = CLOSE_TIMEOUT) -> bool:
        """End once the batch is written.

        Args:
            timeout: Seconds to wait for that.

        Returns:
            Whether the thread has ended, and the store is free.
        """
        with self._condition:
            self._closing = True
            self._condition.notify()
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _wait(self) -> bool:
        """Wait for a batch, or until it is time to look; returns whether to go on."""
        pause = None if self._shared is None else self._next_look - time.monotonic()
        with self._condition:
            self._condition.wait_for(lambda: self._batch is not None or self._closing, pause)
            return self._batch is not None or not self._closing

    def _run(self) -> None:
        try:
            while self._wait():
                self._write_next()
                if self._shared is not None and time.monotonic() >= self._next_look:
                    self._look(self._shared)
        except BaseException as error:
            self._died(error)

    def _write_next(self) -> None:
        with self._condition:
            batch, self._batch = self._batch, None
        if batch is not None:
            began = time.perf_counter()
            error = self._write(batch)
            self._done(error, time.perf_counter() - began)

    def _write(self, batch: Batch) -> StoreError | None:
        while True:
            try:
                self._store.write(batch)
            except StoreMoved as error:
                self._on_moved(error)
                if not error.down:
                    continue
            except StoreError as error:
                return error
            return None

    def _on_moved(self, error: StoreMoved) -> None:
        if self._sharing is not None:
            self._sharing.on_moved(error, self._store.reserved)

    def _look(self, store: SharedStore) -> None:
        sharing = self._sharing
        try:
            for jobs in store.look(take_over=sharing is not None and sharing.taking_over):
                if sharing is not None:
                    sharing.on_adopted(jobs)
                self._write_next()
            if sharing is not None:
                sharing.on_contact()
        except StoreMoved as error:
            self._on_moved(error)
        except StoreError:
            pass  # the next batch says so, and the next look tries again
        self._next_look = time.monotonic() + store.interval
