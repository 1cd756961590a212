"""A desk whose engine has a store, which takes batches and fails when a test says so."""

from gear_server.engine.ledger import BLOCK
from gear_server.queue.store import Batch, StoreError
from gear_server.settings import ServerSettings
from gear_wire.packets import CanDo
from gear_wire.types import FunctionName
from support.engine_desk import GEARMAND, Desk, Visitor
from support.memory_store import MemoryStore, PureKeeper

F = FunctionName(b"f")
FULL = StoreError("disk full")


class Keeping(Desk):
    """A desk whose engine has a store."""

    def __init__(
        self, store: MemoryStore | None = None, settings: ServerSettings = GEARMAND
    ) -> None:
        super().__init__(settings)
        self.store = MemoryStore() if store is None else store
        self.keeper = PureKeeper(self.engine, self.store)
        self.store.reserved += BLOCK
        for job in self.store.load():
            self.engine.restore(job, self.now)
        self.end_turn()

    def begin(self) -> Batch:
        """Begin to write."""
        batch = self.keeper.batch or self.keeper.take(self.now)
        assert batch is not None
        return batch

    def wait(self, seconds: float) -> float | None:
        """Let time pass, after a turn in which the ledger is looked at, as after each."""
        assert self.idle()
        return super().wait(seconds)

    def finish(self) -> None:
        self.keeper.finish(self.now)
        self.end_turn()

    def write(self) -> Batch:
        """Write what there is."""
        batch = self.begin()
        self.finish()
        return batch

    def fail(self) -> None:
        """Have the batch that was begun fail."""
        self.store.error = FULL
        self.finish()
        self.store.error = None

    def idle(self) -> bool:
        """Whether there is nothing to be written now."""
        return self.keeper.take(self.now) is None

    def worker(self) -> Visitor:
        return self.visitor(CanDo(F))

    def restarted(self) -> "Keeping":
        """Return what a crash leaves."""
        return Keeping(self.store)
