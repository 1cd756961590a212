import threading
from collections.abc import Iterator

from gear_server.queue.store import Batch, StoredJob, StoredLimits, StoreError
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
