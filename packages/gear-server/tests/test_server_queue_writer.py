import threading
from collections.abc import Iterator

import pytest

from gear_server.queue.store import Batch, StoredJob, StoredLimits, StoreError, StoreMoved
from gear_server.queue.writer import Writer


class HeldStore:
    """A store whose writes wait until they are let go, with a result of the test's choosing."""

    name = "held"
    reserved = 0

    def __init__(self) -> None:
        self.begun = threading.Semaphore(0)
        self.let_go = threading.Semaphore(0)
        self.error: BaseException | None = None
        self.written: list[Batch] = []

    def write(self, batch: Batch) -> None:
        self.begun.release()
        assert self.let_go.acquire(timeout=10)
        if self.error is not None:
            raise self.error
        self.written.append(batch)

    def count(self) -> int:
        return 0

    def load(self) -> Iterator[StoredJob]:
        return iter(())

    def load_limits(self) -> dict[bytes, StoredLimits]:
        return {}

    def close(self) -> None:
        pass

    def abandon(self) -> None:
        pass


class Desk:
    def __init__(self) -> None:
        self.store = HeldStore()
        self.told: list[StoreError | None] = []
        self.deaths: list[BaseException] = []
        self.happened = threading.Semaphore(0)
        self.writer = Writer(self.store, self._done, self._died)

    def _done(self, error: StoreError | None, seconds: float) -> None:
        assert seconds >= 0
        self.told.append(error)
        self.happened.release()

    def _died(self, error: BaseException) -> None:
        self.deaths.append(error)
        self.happened.release()


def test_it_tells_of_each_batch_once_it_is_down() -> None:
    desk = Desk()
    batch = Batch(ended=[1])
    desk.writer.write(batch)
    assert desk.store.begun.acquire(timeout=10)
    assert desk.told == []
    desk.store.let_go.release()
    assert desk.happened.acquire(timeout=10)
    assert desk.told == [None]
    assert desk.store.written == [batch]
    assert desk.writer.close()


def test_a_refusal_is_told_and_it_goes_on() -> None:
    desk = Desk()
    desk.store.error = StoreError("full")
    desk.writer.write(Batch(ended=[1]))
    desk.store.let_go.release()
    assert desk.happened.acquire(timeout=10)
    assert desk.told[0] is desk.store.error
    desk.store.error = None
    desk.writer.write(Batch(ended=[2]))
    desk.store.let_go.release()
    assert desk.happened.acquire(timeout=10)
    assert desk.store.written == [Batch(ended=[2])]
    assert desk.writer.close()
    assert desk.deaths == []


def test_closing_writes_what_there_is() -> None:
    desk = Desk()
    desk.writer.write(Batch(ended=[1]))
    desk.store.let_go.release()
    assert desk.writer.close()
    assert desk.store.written == [Batch(ended=[1])]


def test_its_death_is_told() -> None:
    desk = Desk()
    desk.store.error = MemoryError("none left")
    desk.writer.write(Batch(ended=[1]))
    desk.store.let_go.release()
    assert desk.happened.acquire(timeout=10)
    assert desk.deaths == [desk.store.error]
    assert desk.told == []
    assert desk.writer.close()


class Shared(HeldStore):
    """A store of several servers, whose looks find what the test has put there."""

    interval = 0.01
    patience = 10.0
    sure_until = 0.0

    def __init__(self) -> None:
        super().__init__()
        self.reserved = 7
        self.found: list[list[StoredJob]] = []
        self.errors: list[StoreError] = []
        self.wanted: list[bool] = []

    def look(self, *, take_over: bool) -> Iterator[list[StoredJob]]:
        self.wanted.append(take_over)
        if self.errors:
            raise self.errors.pop()
        while self.found:
            yield self.found.pop(0)

    def interrupt(self) -> None:
        pass


class Sharer:
    """Hears of other servers."""

    taking_over = True

    def __init__(self) -> None:
        self.heard: list[object] = []
        self.contacts = 0
        self.happened = threading.Semaphore(0)

    def on_adopted(self, jobs: list[StoredJob]) -> None:
        self.heard.append(jobs)
        self.happened.release()

    def on_contact(self) -> None:
        self.contacts += 1

    def on_moved(self, error: StoreMoved, reserved: int) -> None:
        self.heard.append((error.down, reserved))
        self.happened.release()

    def done(self, error: StoreError | None, seconds: float) -> None:
        self.heard.append(error)
        self.happened.release()

    def died(self, error: BaseException) -> None:
        raise AssertionError(error)

    def wait(self, times: int = 1) -> None:
        for _ in range(times):
            assert self.happened.acquire(timeout=10)


JOB = StoredJob(b"H:1", b"f", None, b"", 0)


def test_a_shared_store_is_looked_at_again_and_again() -> None:
    store, sharer = Shared(), Sharer()
    writer = Writer(store, sharer.done, sharer.died, sharer)
    store.found.append([JOB])
    sharer.wait()
    # What cannot be reached for a while is asked again.
    store.errors.append(StoreError("gone"))
    store.errors.append(StoreMoved("others have it", down=False))
    sharer.wait()
    store.found.append([JOB, JOB])
    sharer.wait()
    assert writer.close()
    assert sharer.heard == [[JOB], (False, 7), [JOB, JOB]]
    assert all(store.wanted)
    # Those that failed were none.
    assert sharer.contacts == len(store.wanted) - 2


def test_a_batch_is_written_between_the_pages_of_what_is_taken_over() -> None:
    store = Shared()
    store.let_go.release(10)
    batch = Batch(reserved=1)

    class Busy(Sharer):
        def on_adopted(self, jobs: list[StoredJob]) -> None:
            if not self.heard:
                writer.write(batch)
            super().on_adopted(jobs)

    busy = Busy()
    writer = Writer(store, busy.done, busy.died, busy)
    store.found += [[JOB], [JOB]]
    busy.wait(3)
    assert writer.close()
    assert busy.heard == [[JOB], None, [JOB]]
    assert store.written == [batch]


@pytest.mark.parametrize("down", [True, False])
def test_a_batch_of_a_server_that_was_taken_for_dead_is_written_once(down: bool) -> None:
    store, sharer = Shared(), Sharer()
    writer = Writer(store, sharer.done, sharer.died, sharer)
    store.error = StoreMoved("others have it", down=down)
    writer.write(Batch(reserved=1))
    assert store.begun.acquire(timeout=10)
    store.let_go.release()
    sharer.wait()
    store.error = None
    store.let_go.release()
    sharer.wait()
    assert writer.close()
    assert sharer.heard == [(down, 7), None]
    assert len(store.written) == (not down)
