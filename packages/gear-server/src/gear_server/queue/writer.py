"""The thread that writes batches to a store, one at a time."""

import threading
import time
from collections.abc import Callable
from typing import Final

from gear_server.queue.store import Batch, Store, StoreError

CLOSE_TIMEOUT: Final = 60.0
"""Seconds that closing waits for a write: a disk that hangs must not keep the process for ever."""


class Writer:
    """Writes one batch while the next is gathered: what came meanwhile is committed together.

    Args:
        store: The store; used by this thread alone until `close` has returned.
        done: Called on the writer's thread after each batch, with the store's error or None, and
            the seconds that it took.
        died: Called on the writer's thread when anything but a `StoreError` ends it: whoever waits
            for a batch would wait for ever.
    """

    def __init__(
        self,
        store: Store,
        done: Callable[[StoreError | None, float], None],
        died: Callable[[BaseException], None],
    ) -> None:
        self._store = store
        self._done = done
        self._died = died
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

    def _next(self) -> Batch | None:
        with self._condition:
            self._condition.wait_for(lambda: self._batch is not None or self._closing)
            batch, self._batch = self._batch, None
            return batch

    def _run(self) -> None:
        try:
            while (batch := self._next()) is not None:
                began = time.perf_counter()
                error = self._write(batch)
                self._done(error, time.perf_counter() - began)
        except BaseException as error:
            self._died(error)

    def _write(self, batch: Batch) -> StoreError | None:
        try:
            self._store.write(batch)
        except StoreError as error:
            return error
        return None
