"""An engine with a store that fails at random, and is killed at any step, keeps its promise."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gear_server.engine.ledger import END_DELAY, RETRY_DELAY
from gear_wire import packets as wire
from gear_wire.types import Handle, UniqueKey
from support.engine_audit import audit
from support.engine_desk import Visitor
from support.keeping_desk import F, Keeping

pytestmark = pytest.mark.no_cover
CLIENTS = 3
clients = st.integers(0, CLIENTS - 1)


class Client:
    """A client, and what it has submitted that was not answered."""

    def __init__(self, visitor: Visitor) -> None:
        self.visitor = visitor
        self.waiting: list[tuple[bytes, bool]] = []


class Promises(RuleBasedStateMachine):
    """What clients were told, beside what the store has."""

    def __init__(self) -> None:
        super().__init__()
        self.desk = Keeping()
        self.submitted = 0
        self.told: set[bytes] = set()
        self.refused: set[bytes] = set()
        self.over: set[bytes] = set()  # jobs that have ended, or were cancelled
        self.running: list[Handle] = []
        self._meet()

    def _meet(self) -> None:
        self.clients = [Client(self.desk.visitor()) for _ in range(CLIENTS)]
        self.worker = self.desk.worker()

    def _listen(self) -> None:
        """Take in what clients hear: one answer to each submission, in their order."""
        for client in self.clients:
            for packet in client.visitor.heard():
                if isinstance(packet, wire.WorkComplete | wire.WorkFail):
                    continue
                payload, background = client.waiting.pop(0)
                if isinstance(packet, wire.Error):
                    assert (packet.code, background) == (b"QUEUE_ERROR", True)
                    self.refused.add(payload)
                else:
                    assert isinstance(packet, wire.JobCreated)
                    if background:
                        self.told.add(packet.handle)

    @rule(who=clients, background=st.booleans(), unique=st.sampled_from([b"", b"", b"u", b"v"]))
    def submit(self, who: int, background: bool, unique: bytes) -> None:
        self.submitted += 1
        payload = b"%d" % self.submitted
        kind = wire.SubmitJobBg if background else wire.SubmitJob
        self.clients[who].waiting.append((payload, background))
        self.clients[who].visitor.send(kind(F, UniqueKey(unique), payload))

    @rule(who=clients)
    def leave(self, who: int) -> None:
        self._listen()
        self.clients[who].visitor.leave()
        self.clients[who] = Client(self.desk.visitor())

    @rule()
    def grab(self) -> None:
        self.worker.send(wire.GrabJob())
        for packet in self.worker.heard():
            if isinstance(packet, wire.JobAssign):
                self.running.append(packet.handle)

    @precondition(lambda self: self.running)
    @rule()
    def complete(self) -> None:
        handle = self.running.pop(0)
        self.over.add(handle)
        self.worker.send(wire.WorkComplete(handle, b""))
        assert not self.worker.heard()

    @rule()
    def lose_worker(self) -> None:
        self.worker.leave()
        self.worker = self.desk.worker()
        self.running.clear()

    @precondition(lambda self: self.told)
    @rule(place=st.integers(0, 100))
    def cancel(self, place: int) -> None:
        handle = sorted(self.told)[place % len(self.told)]
        if self.desk.visitor().ask(b"cancel job %b\n" % handle) == b"OK\r\n":
            self.over.add(handle)

    @rule(seconds=st.sampled_from([END_DELAY, RETRY_DELAY]))
    def wait(self, seconds: float) -> None:
        self.begin()
        self.desk.now += seconds
        self.desk.wall += seconds
        self.desk.engine.tick(self.desk.now)
        self.desk.end_turn()

    @rule()
    def begin(self) -> None:
        if self.desk.keeper.batch is None:
            self.desk.keeper.take(self.desk.now)

    @precondition(lambda self: self.desk.keeper.batch is not None)
    @rule(fails=st.booleans(), half=st.booleans())
    def finish(self, fails: bool, half: bool) -> None:
        self.desk.store.half = half
        if fails:
            self.desk.fail()
        else:
            self.desk.finish()

    @rule(down=st.booleans())
    def crash(self, down: bool) -> None:
        """Kill the server, before or after the batch that it writes is down."""
        self._listen()
        if down:
            self.desk.keeper.leave()
        kept = {job.handle for job in self.desk.store.load()}
        assert self.told - self.over <= kept
        self.desk = self.desk.restarted()
        assert self.desk.engine.jobs.keys() == kept
        self.running.clear()
        self.refused.clear()  # what was to be deleted may be back
        self._meet()

    @invariant()
    def holds(self) -> None:
        self._listen()
        audit(self.desk.engine)
        alive = {handle for handle, job in self.desk.engine.jobs.items() if job.background}
        assert self.told - self.over <= alive

    def teardown(self) -> None:
        """Once all is written, the store has what the engine has, and nothing that was refused."""
        for _ in range(5):
            if self.desk.keeper.batch is not None:
                self.desk.finish()
            self.wait(RETRY_DELAY)
        self._listen()
        assert not any(client.waiting for client in self.clients)
        jobs = self.desk.engine.jobs
        kept = {job.handle for job in self.desk.store.load()}
        assert kept == {handle for handle, job in jobs.items() if job.background}
        # A job that was refused may have been submitted again, under its unique.
        assert (
            not {job.arguments for job in self.desk.store.load() if not job.unique} & self.refused
        )
        assert not any(client.visitor.peer.held for client in self.clients)


TestPromises = Promises.TestCase
TestPromises.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
