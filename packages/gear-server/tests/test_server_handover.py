"""What becomes of stored jobs when a server takes over those of another, or loses its own."""

from gear_server.engine.chores import SLICE
from gear_server.engine.handover import Handover
from gear_server.queue.store import StoredJob
from gear_wire import packets as wire
from gear_wire.enums import Precedence
from gear_wire.packets import BasePacket
from gear_wire.types import FunctionName, Handle, UniqueKey
from support.engine_audit import audit
from support.engine_desk import Visitor
from support.keeping_desk import Keeping

F = FunctionName(b"f")
LEASE = 10.0
FAR = 1 << 50
"""Where the numbers of another server begin."""


class Sharing(Keeping):
    """A desk whose engine shares its store, and has just heard of it."""

    name = "store"

    def __init__(self) -> None:
        super().__init__()
        self.sure_until = self.now + LEASE
        self.handover = Handover(self.engine, self)

    def adopt(self, *jobs: StoredJob) -> None:
        self.handover.adopt(list(jobs), self.now)

    def let_go(self, *, written: bool) -> int:
        """Have others take over what is stored; returns how many jobs were forgotten."""
        before = len(self.engine.jobs)
        self.handover.let_go(FAR, written, "others have them")
        self.rest()
        return before - len(self.engine.jobs)

    def rest(self) -> None:
        """Take turns until nothing is left to do."""
        while self.engine.chores:
            self.end_turn()

    def hear(self) -> None:
        """Hear of the store again."""
        self.sure_until = self.now + LEASE
        self.handover.go_on(self.now)
        self.rest()


def background(unique: bytes = b"", data: bytes = b"data") -> wire.SubmitJobBg:
    return wire.SubmitJobBg(F, UniqueKey(unique), data)


def theirs(number: int, unique: bytes | None = None) -> StoredJob:
    return StoredJob(b"H:other:%d" % number, b"f", unique, b"data", Precedence.NORMAL)


def created(packets: list[BasePacket]) -> Handle:
    (packet,) = packets
    assert isinstance(packet, wire.JobCreated)
    return packet.handle


def submit(desk: Keeping, unique: bytes = b"") -> Handle:
    client = desk.visitor(background(unique))
    desk.write()
    return created(client.heard())


def grab(worker: Visitor) -> Handle | None:
    worker.send(wire.GrabJob())
    (packet,) = worker.heard()
    return packet.handle if isinstance(packet, wire.JobAssign) else None


def test_jobs_that_are_taken_over_are_given_out_and_their_ends_written() -> None:
    desk = Sharing()
    worker = desk.worker()
    worker.send(wire.GrabJob())
    desk.wait(1.0)
    worker.send(wire.PreSleep())
    worker.heard()
    desk.adopt(theirs(FAR), theirs(FAR + 1))
    desk.end_turn()
    assert worker.heard() == [wire.Noop()]
    assert desk.engine.ledger is not None
    assert desk.engine.ledger.jobs == 2
    assert desk.engine.counters.adopted == 2
    handle = grab(worker)
    assert handle == b"H:other:%d" % FAR
    worker.send(wire.WorkComplete(handle, b""))
    desk.wait(1.0)
    assert desk.write().ended == [FAR]


def test_two_jobs_of_one_unique_may_meet_and_both_run() -> None:
    desk = Sharing()
    own = submit(desk, b"u")
    desk.adopt(theirs(FAR, b"u"), theirs(FAR + 1, b"u"))
    worker = desk.worker()
    assert created(desk.visitor(background(b"u")).heard()) == own
    for expected in (own, b"H:other:%d" % FAR, b"H:other:%d" % (FAR + 1)):
        handle = grab(worker)
        assert handle == expected
        worker.send(wire.WorkComplete(Handle(handle), b""))
    assert not desk.engine.jobs
    # It is free again.
    assert submit(desk, b"u") != own


def test_who_loses_its_jobs_keeps_what_runs_and_what_is_not_written() -> None:
    desk = Sharing()
    worker = desk.worker()
    running = submit(desk)
    assert grab(worker) == running
    lost = submit(desk)
    on_its_way = desk.visitor(background(data=b"on its way"))
    desk.begin()
    waiting = desk.visitor(background(data=b"waiting"))
    assert desk.let_go(written=False) == 1
    assert lost not in desk.engine.jobs
    assert len(desk.engine.jobs) == 3
    desk.finish()
    desk.write()
    first, second = created(on_its_way.heard()), created(waiting.heard())
    assert desk.store.jobs.keys() >= {int(name.rsplit(b":")[-1]) for name in (first, second)}
    assert desk.engine.ledger is not None
    assert desk.engine.ledger.jobs == 3
    # New jobs have numbers of their own, and the end of what ran is written.
    assert submit(desk).endswith(b":%d" % (FAR + 1))
    worker.send(wire.WorkComplete(running, b""))
    desk.wait(1.0)
    assert desk.write().ended == [int(running.rsplit(b":")[-1])]


def test_a_batch_that_is_down_is_confirmed_and_others() -> None:
    desk = Sharing()
    client = desk.visitor(background())
    desk.begin()
    assert desk.let_go(written=True) == 1
    desk.finish()
    assert created(client.heard()) not in desk.engine.jobs


def test_a_job_that_clients_wait_for_is_done_here_too() -> None:
    desk = Sharing()
    client = desk.visitor(wire.SubmitJob(F, UniqueKey(b"u"), b"data"))
    handle = created(client.heard())
    assert submit(desk, b"u") == handle
    assert desk.let_go(written=False) == 0
    assert not desk.engine.jobs[handle].background
    # If it comes back, it is that job and no second one.
    desk.adopt(desk.store.jobs[int(handle.rsplit(b":")[-1])])
    assert list(desk.engine.jobs) == [handle]
    desk.hear()
    worker = desk.worker()
    assert grab(worker) == handle
    worker.send(wire.WorkComplete(handle, b"done"))
    assert client.heard() == [wire.WorkComplete(handle, b"done")]
    desk.now += 1.0
    assert desk.write().ended == [int(handle.rsplit(b":")[-1])]
    assert desk.engine.ledger is not None
    assert desk.engine.ledger.jobs == 0


# While it is not known whose the jobs are


def test_stored_jobs_are_held_back_once_others_may_have_them() -> None:
    desk = Sharing()
    worker = desk.worker()
    jobs = [submit(desk) for _ in range(3)]
    assert grab(worker) == jobs[0]
    desk.now = desk.sure_until
    assert grab(desk.worker()) is None
    # What is not for others goes on: foreground jobs, those that run, and those not written yet.
    client = desk.visitor(wire.SubmitJob(F, UniqueKey(b""), b"data"))
    assert grab(desk.worker()) == created(client.heard())
    desk.visitor(background())
    assert grab(desk.worker()) is not None
    worker.send(wire.WorkComplete(jobs[0], b""))
    assert jobs[0] not in desk.engine.jobs
    audit(desk.engine)
    desk.hear()
    assert [grab(desk.worker()) for _ in range(2)] == jobs[1:]


def test_foreground_jobs_behind_many_stored_ones_go_on_and_all_is_put_back_in_order() -> None:
    desk = Sharing()
    client = desk.visitor(*[background(data=b"%d" % number) for number in range(5 * SLICE)])
    desk.write()
    jobs = [packet.handle for packet in client.heard() if isinstance(packet, wire.JobCreated)]
    for name in (b"g", b"f"):
        client.send(wire.SubmitJob(FunctionName(name), UniqueKey(b""), name))
    client.heard()
    desk.now = desk.sure_until
    worker = desk.worker()
    steps = 0
    while grab(worker) is None:
        steps += 1
        assert steps < 10
        audit(desk.engine)
    desk.rest()
    assert desk.engine.queues.waiting == 1  # of another function
    audit(desk.engine)
    sleeper = desk.worker()
    sleeper.send(wire.PreSleep())
    assert sleeper.heard() == []
    # A job that is set aside can be cancelled.
    desk.engine.cancel(desk.engine.jobs[jobs.pop(7)])
    desk.hear()
    assert sleeper.heard() == [wire.Noop()]
    found = []
    for number in range(len(jobs)):
        # It happens again in the middle of it.
        if number == SLICE:
            desk.now = desk.sure_until
            assert grab(worker) is None
            desk.sure_until = desk.now + LEASE
            desk.handover.go_on(desk.now)
            desk.now = desk.sure_until
            assert grab(worker) is None
            desk.rest()
            desk.hear()
        found.append(grab(worker))
    assert found == jobs


def test_what_others_have_is_never_given_out_while_it_is_forgotten_in_slices() -> None:
    desk = Sharing()
    desk.visitor(*[background(b"%d" % number) for number in range(3 * SLICE)])
    desk.write()
    client = desk.visitor(wire.SubmitJob(F, UniqueKey(b"own"), b"data"))
    own = created(client.heard())
    client.heard()
    desk.handover.let_go(FAR, True, "others have them")
    assert desk.engine.chores
    assert len(desk.engine.jobs) == 2 * SLICE + 1
    # The store is heard of at once; jobs that come meanwhile are this server's.
    desk.sure_until = desk.now + LEASE
    desk.handover.go_on(desk.now)
    assert submit(desk, b"own") == own
    worker = desk.worker()
    assert grab(worker) is None
    desk.rest()
    assert list(desk.engine.jobs) == [own]
    assert desk.engine.jobs[own].background
    desk.hear()
    assert grab(worker) == own


def test_what_comes_back_while_it_is_forgotten_stays() -> None:
    desk = Sharing()
    client = desk.visitor(*[background(b"%d" % number) for number in range(3 * SLICE)])
    desk.write()
    client.heard()
    desk.handover.let_go(FAR, True, "others have them")
    back = list(desk.store.jobs.values())[-1]
    desk.adopt(back)
    desk.rest()
    assert list(desk.engine.jobs) == [back.handle]
    assert desk.engine.ledger is not None
    assert desk.engine.ledger.jobs == 1
    audit(desk.engine)


def test_jobs_cost_the_same_with_a_store_that_is_heard_of() -> None:
    desk = Sharing()
    choose = desk.engine.scheduler.choose
    submit(desk)
    assert grab(desk.worker()) is not None
    assert desk.engine.scheduler.choose == choose
    assert not desk.handover.holding
