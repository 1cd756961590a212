"""What becomes of stored jobs when a server takes over those of another, or loses its own."""

from gear_server.engine.handover import adopt, let_go
from gear_server.queue.store import StoredJob
from gear_wire import packets as wire
from gear_wire.enums import Precedence
from gear_wire.packets import BasePacket
from gear_wire.types import FunctionName, Handle, UniqueKey
from support.engine_desk import Visitor
from support.keeping_desk import Keeping

F = FunctionName(b"f")
FAR = 1 << 50
"""Where the numbers of another server begin."""


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
    desk = Keeping()
    worker = desk.worker()
    worker.send(wire.GrabJob())
    desk.wait(1.0)
    worker.send(wire.PreSleep())
    worker.heard()
    adopt(desk.engine, [theirs(FAR), theirs(FAR + 1)], desk.now)
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
    desk = Keeping()
    own = submit(desk, b"u")
    adopt(desk.engine, [theirs(FAR, b"u"), theirs(FAR + 1, b"u")], desk.now)
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
    desk = Keeping()
    worker = desk.worker()
    running = submit(desk)
    assert grab(worker) == running
    lost = submit(desk)
    on_its_way = desk.visitor(background(data=b"on its way"))
    desk.begin()
    waiting = desk.visitor(background(data=b"waiting"))
    assert let_go(desk.engine, FAR, written=False) == 1
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
    desk = Keeping()
    client = desk.visitor(background())
    desk.begin()
    assert let_go(desk.engine, FAR, written=True) == 1
    desk.finish()
    assert created(client.heard()) not in desk.engine.jobs


def test_a_job_that_clients_wait_for_is_done_here_too() -> None:
    desk = Keeping()
    client = desk.visitor(wire.SubmitJob(F, UniqueKey(b"u"), b"data"))
    handle = created(client.heard())
    assert submit(desk, b"u") == handle
    assert let_go(desk.engine, FAR, written=False) == 1
    # If it comes back, it is that job and no second one.
    adopt(desk.engine, [desk.store.jobs[int(handle.rsplit(b":")[-1])]], desk.now)
    assert list(desk.engine.jobs) == [handle]
    worker = desk.worker()
    assert grab(worker) == handle
    worker.send(wire.WorkComplete(handle, b"done"))
    assert client.heard() == [wire.WorkComplete(handle, b"done")]
    desk.now += 1.0
    assert desk.write().ended == [int(handle.rsplit(b":")[-1])]
    assert desk.engine.ledger is not None
    assert desk.engine.ledger.jobs == 0
