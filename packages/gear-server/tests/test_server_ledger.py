"""What is written to a store, and which answers wait for it; without a disk and a thread."""

import pytest

from gear_server.engine.ledger import (
    BLOCK,
    END_DELAY,
    MANY_ENDS,
    MAX_UNWRITTEN,
    RETRY_DELAY,
)
from gear_server.engine.limits import NOT_STORED, TOO_MUCH_UNWRITTEN
from gear_server.queue.store import StoredJob
from gear_server.settings import ServerSettings
from gear_wire import packets as wire
from gear_wire.codec import encode
from gear_wire.enums import Magic, Precedence
from gear_wire.packets import BasePacket
from gear_wire.types import FunctionName, Handle, UniqueKey
from support.engine_desk import EPOCH, Visitor
from support.keeping_desk import Keeping
from support.memory_store import MemoryStore

F = FunctionName(b"f")
REDUCER = FunctionName(b"reducer")


def background(unique: bytes = b"", data: bytes = b"data") -> wire.SubmitJobBg:
    return wire.SubmitJobBg(F, UniqueKey(unique), data)


def foreground(unique: bytes = b"", data: bytes = b"data") -> wire.SubmitJob:
    return wire.SubmitJob(F, UniqueKey(unique), data)


ECHO = wire.EchoReq(b"x")
ECHOED = wire.EchoRes(b"x")
REFUSED = wire.Error(NOT_STORED.refusal.code, NOT_STORED.refusal.text)


def created(packets: list[BasePacket]) -> list[Handle]:
    assert all(isinstance(packet, wire.JobCreated) for packet in packets), packets
    return [packet.handle for packet in packets if isinstance(packet, wire.JobCreated)]


def grab(worker: Visitor) -> Handle:
    worker.send(wire.GrabJob())
    (packet,) = worker.heard()
    assert isinstance(packet, wire.JobAssign)
    return packet.handle


def complete(worker: Visitor) -> None:
    worker.send(wire.WorkComplete(grab(worker), b"result"))


@pytest.fixture
def desk() -> Keeping:
    return Keeping()


# Answers


def test_a_background_submission_is_answered_once_it_is_down(desk: Keeping) -> None:
    client = desk.visitor(background(b"u", b"text"))
    assert client.heard() == []
    batch = desk.begin()
    assert client.heard() == []
    desk.finish()
    (handle,) = created(client.heard())
    assert batch.added == [StoredJob(handle, b"f", b"u", b"text", Precedence.NORMAL)]
    assert desk.idle()


def test_others_are_answered_at_once(desk: Keeping) -> None:
    desk.visitor(background())
    other = desk.visitor(ECHO, foreground())
    assert [type(packet) for packet in other.heard()] == [wire.EchoRes, wire.JobCreated]


def test_what_follows_the_answer_waits_in_order(desk: Keeping) -> None:
    client = desk.visitor(ECHO, background(), ECHO, foreground(), wire.EchoReq(b"y"))
    assert client.heard() == [ECHOED]
    desk.write()
    heard = client.heard()
    assert heard[1] == ECHOED
    assert [type(packet) for packet in heard] == [
        wire.JobCreated, wire.EchoRes, wire.JobCreated, wire.EchoRes,
    ]  # fmt: skip
    client.send(ECHO)
    assert client.heard() == [ECHOED]


def test_each_batch_releases_its_own_answers(desk: Keeping) -> None:
    client = desk.visitor(background())
    assert len(desk.begin().added) == 1
    client.send(ECHO, background(), ECHO)
    desk.finish()
    heard = client.heard()
    assert [type(packet) for packet in heard] == [wire.JobCreated, wire.EchoRes]
    assert len(desk.write().added) == 1
    assert [type(packet) for packet in client.heard()] == [wire.JobCreated, wire.EchoRes]
    assert not client.peer.held


def test_a_large_part_that_waited_is_sent_as_it_is(desk: Keeping) -> None:
    client = desk.visitor(background(), wire.EchoReq(bytes(100_000)))
    client.peer.bulky = False
    desk.write()
    assert client.peer.bulky


def test_the_outbox_is_sent_when_its_answer_is_down(desk: Keeping) -> None:
    client = desk.visitor(background())
    desk.begin()
    desk.keeper.finish(desk.now)
    assert desk.engine.end_turn(desk.now) == [client.peer]


def test_a_peer_that_left_is_not_kept(desk: Keeping) -> None:
    client, other = desk.visitor(background()), desk.visitor(background())
    desk.begin()
    client.send(background())
    client.leave()
    assert not client.peer.held
    desk.finish()
    assert len(created(other.heard())) == 1
    assert len(desk.write().added) == 1
    assert client.said() == b""
    assert len(desk.store.jobs) == 3


def test_what_waits_for_the_store_is_counted() -> None:
    desk = Keeping(settings=ServerSettings(max_send_queue=4000))
    client = desk.visitor()
    room = client.peer.room
    large = wire.EchoReq(bytes(988))
    client.send(background(), large, large)
    assert client.heard() == []
    assert client.peer.held_size == room - client.peer.room > 2000
    # More than half of the limit waits: the next requests wait too.
    client.send(large, background(), ECHO)
    assert client.peer.halted
    assert len(client.peer.backlog) == 3
    assert len(desk.begin().added) == 1
    desk.finish()
    heard = client.heard()
    assert [type(packet) for packet in heard] == [wire.JobCreated, *[wire.EchoRes] * 3]
    assert len(desk.begin().added) == 1
    desk.fail()
    assert client.heard() == [REFUSED, ECHOED]
    assert client.peer.room == room
    assert client.peer.held_size == 0


def test_bytes_that_were_queued_before_count_for_themselves(desk: Keeping) -> None:
    client = desk.visitor()
    room = client.peer.room
    client.say(ECHO, background(), ECHO)
    assert client.heard() == [ECHOED]
    held = room - client.peer.room
    assert client.peer.held_size == held > len(encode(ECHOED, Magic.RES))
    desk.begin()
    client.send(background(), ECHO)
    assert client.heard() == []
    assert client.peer.held_size == room - client.peer.room == 2 * held
    desk.finish()
    assert len(client.heard()) == 2
    assert client.peer.held_size == room - client.peer.room == held
    desk.write()
    assert len(client.heard()) == 2
    assert client.peer.room == room


def test_a_peer_that_is_cut_off_while_it_waits(desk: Keeping) -> None:
    desk = Keeping(settings=ServerSettings(max_send_queue=2000))
    client = desk.visitor(foreground(), background())
    worker = desk.worker()
    handle = grab(worker)
    desk.begin()
    client.send(background())
    for _ in range(5):
        worker.send(wire.WorkData(handle, bytes(1000)))
    assert client.peer.closing
    desk.finish()
    desk.write()
    assert client.said() == b""
    client.leave()
    assert len(desk.store.jobs) == 2


# Jobs that run, end and join meanwhile


def test_a_job_may_run_before_it_is_down(desk: Keeping) -> None:
    desk.visitor(background())
    assert grab(desk.worker())


def test_what_ended_before_its_batch_began_is_not_written(desk: Keeping) -> None:
    client = desk.visitor(background())
    complete(desk.worker())
    assert desk.idle()
    desk.end_turn()
    assert len(created(client.heard())) == 1
    assert desk.store.batches == []
    assert desk.keeper.ledger.jobs == 0


def test_what_ended_while_it_was_written_is_deleted(desk: Keeping) -> None:
    client = desk.visitor(background())
    desk.begin()
    complete(desk.worker())
    desk.finish()
    assert len(created(client.heard())) == 1
    assert len(desk.store.jobs) == 1
    desk.wait(END_DELAY)
    desk.write()
    assert desk.store.jobs == {}


def test_ends_alone_wait_for_others(desk: Keeping) -> None:
    desk.visitor(background(), background())
    desk.write()
    worker = desk.worker()
    complete(worker)
    assert desk.idle()
    assert desk.engine.deadline == desk.now + END_DELAY
    desk.wait(END_DELAY / 2)
    complete(worker)
    assert desk.idle()
    desk.wait(END_DELAY / 2)
    assert len(desk.write().ended) == 2


def test_ends_ride_along(desk: Keeping) -> None:
    desk.visitor(background())
    desk.write()
    complete(desk.worker())
    assert desk.idle()
    desk.visitor(background())
    batch = desk.write()
    assert (len(batch.ended), len(batch.added)) == (1, 1)


def test_many_ends_do_not_wait(desk: Keeping) -> None:
    desk.visitor(*[background() for _ in range(MANY_ENDS)])
    desk.write()
    worker = desk.worker()
    for _ in range(MANY_ENDS - 1):
        complete(worker)
    assert desk.idle()
    complete(worker)
    assert len(desk.write().ended) == MANY_ENDS


def test_a_background_submission_that_joins_a_foreground_job_is_kept(desk: Keeping) -> None:
    first = desk.visitor(foreground(b"u"))
    (handle,) = created(first.heard())
    second = desk.visitor(background(b"u"))
    assert second.heard() == []
    desk.write()
    assert created(second.heard()) == [handle]
    first.leave()
    assert [job.handle for job in desk.restarted().store.jobs.values()] == [handle]


def test_a_foreground_submission_does_not_wait_for_the_job_that_it_joins(desk: Keeping) -> None:
    desk.visitor(background(b"u"))
    assert len(created(desk.visitor(foreground(b"u")).heard())) == 1


def test_joining_a_job_that_is_down_is_answered_at_once(desk: Keeping) -> None:
    desk.visitor(background(b"u"))
    desk.write()
    assert len(created(desk.visitor(background(b"u")).heard())) == 1
    assert desk.idle()


def test_joining_a_job_that_is_being_written_waits_for_that(desk: Keeping) -> None:
    first = desk.visitor(background(b"u"))
    desk.begin()
    second = desk.visitor(background(b"u"))
    first.send(background(b"u"))
    assert second.heard() == []
    desk.finish()
    assert len(created(first.heard())) == 2
    assert len(created(second.heard())) == 1
    assert desk.idle()


# What else is kept


def test_retries_are_kept(desk: Keeping) -> None:
    desk.visitor(background())
    worker = desk.worker()
    grab(worker)
    worker.leave()
    assert [job.retries for job in desk.write().added] == [1]
    worker = desk.worker()
    grab(worker)
    worker.leave()
    desk.wait(END_DELAY)
    desk.write()
    again = desk.restarted()
    assert [job.retries for job in again.engine.jobs.values()] == [2]


def test_a_job_without_attempts_left_is_deleted() -> None:
    desk = Keeping(settings=ServerSettings(job_retries=1))
    desk.visitor(background())
    desk.write()
    worker = desk.worker()
    grab(worker)
    worker.leave()
    desk.wait(END_DELAY)
    desk.write()
    assert desk.store.jobs == {}


def test_limits_are_kept(desk: Keeping) -> None:
    operator = desk.visitor(wire.CanDo(F))
    operator.ask(b"maxqueue f 1 2 3\n")
    desk.write()
    again = desk.restarted()
    limits = again.engine.queues.functions[b"f"].limits
    assert limits is not None
    assert [limits[precedence] for precedence in Precedence] == [2, 3, 1]
    operator.ask(b"maxqueue f 0\n")
    desk.write()
    assert desk.store.limits == {b"f": (0, 0, 0)}


def test_the_limits_of_a_function_go_with_it(desk: Keeping) -> None:
    operator = desk.visitor()
    for line in (b"create function f\n", b"maxqueue f 5\n"):
        operator.ask(line)
    desk.write()
    assert desk.store.limits == {b"f": (5, 5, 5)}
    operator.ask(b"drop function f\n")
    desk.write()
    assert desk.store.limits == {}


@pytest.mark.parametrize("running", [False, True])
def test_a_cancelled_job_does_not_come_back(desk: Keeping, running: bool) -> None:
    client = desk.visitor(background(b"u"))
    desk.write()
    (handle,) = created(client.heard())
    worker = desk.worker()
    if running:
        grab(worker)
    assert client.ask(b"cancel job %b\n" % handle) == b"OK\r\n"
    desk.wait(END_DELAY)
    desk.write()
    assert desk.store.jobs == {}
    if running:
        worker.send(wire.WorkComplete(handle, b""))
        desk.wait(END_DELAY)
    assert desk.idle()
    assert desk.keeper.ledger.jobs == 0


def test_a_job_with_all_it_has_comes_back(desk: Keeping) -> None:
    payload = bytes(range(256))
    client = desk.visitor(
        wire.SubmitReduceJobBackground(F, UniqueKey(b"r"), REDUCER, b"", payload),
        wire.SubmitJobEpoch(F, UniqueKey(b"-"), b"%d" % (EPOCH + 60), payload),
        wire.SubmitJobHighBg(F, UniqueKey(b""), b""),
        wire.SubmitJobLowBg(F, UniqueKey(b"x" * 64), payload),
    )
    desk.write()
    reduce, later, high, low = created(client.heard())
    again = desk.restarted()
    worker = again.worker()
    worker.send(wire.GrabJobAll(), wire.GrabJobAll(), wire.GrabJobAll(), wire.GrabJobAll())
    assert worker.heard() == [
        wire.JobAssignUnique(high, F, UniqueKey(b""), b""),
        wire.JobAssignAll(reduce, F, UniqueKey(b"r"), REDUCER, payload),
        wire.JobAssignUnique(low, F, UniqueKey(b"x" * 64), payload),
        wire.NoJob(),
    ]
    # The same submission joins the one that came back.
    client = again.visitor(wire.SubmitJobBg(F, UniqueKey(b"-"), payload))
    assert created(client.heard()) == [later]
    again.wait(60)
    worker.send(wire.GrabJobUniq())
    assert worker.heard() == [wire.JobAssignUnique(later, F, UniqueKey(b"-"), payload)]


def test_jobs_come_back_in_their_order(desk: Keeping) -> None:
    client = desk.visitor(*[background() for _ in range(20)])
    desk.write()
    handles = created(client.heard())
    worker = desk.restarted().worker()
    assert [grab(worker) for _ in handles] == handles


def test_a_job_whose_time_has_come_meanwhile_runs(desk: Keeping) -> None:
    when = b"%d" % (EPOCH + 60)
    desk.visitor(wire.SubmitJobEpoch(F, UniqueKey(b""), when, b""))
    desk.write()
    again = Keeping(MemoryStore())
    again.wall += 61
    for job in desk.store.load():
        again.engine.restore(job, again.now)
    assert grab(again.worker())


# Handles


def test_no_handle_is_given_twice(desk: Keeping) -> None:
    handles: set[Handle] = set()
    for _ in range(3):
        client = desk.visitor(foreground(), background(), foreground())
        desk.write()
        handles.update(created(client.heard()))
        desk = desk.restarted()
    assert len(handles) == 9


def test_more_numbers_are_reserved_in_time(desk: Keeping) -> None:
    assert desk.idle()
    desk.engine.queues.newest += BLOCK // 2
    assert desk.idle()
    desk.visitor(foreground())
    assert desk.write().reserved == desk.engine.queues.newest + BLOCK
    assert desk.idle()


def test_a_clean_end_reserves_what_was_given_alone(desk: Keeping) -> None:
    desk.visitor(foreground())
    assert desk.idle()
    desk.keeper.ledger.finish(desk.engine.queues.newest)
    assert desk.keeper.ledger.unwritten
    assert desk.write().reserved == 1
    assert not desk.keeper.ledger.unwritten


# A store that refuses


def test_a_refused_submission_hears_so_in_its_place(desk: Keeping) -> None:
    client = desk.visitor(background(), ECHO, background())
    desk.begin()
    desk.fail()
    assert client.heard() == [REFUSED, ECHOED, REFUSED]
    assert desk.engine.jobs == {}
    assert desk.keeper.ledger.jobs == 0
    assert desk.engine.counters.refused == 2


def test_what_was_refused_is_deleted_later(desk: Keeping) -> None:
    """A batch that failed may be down all the same."""
    client = desk.visitor(background())
    desk.store.half = True
    desk.begin()
    desk.fail()
    assert client.heard() == [REFUSED]
    assert len(desk.store.jobs) == 1
    assert desk.idle()
    desk.wait(RETRY_DELAY)
    desk.write()
    assert desk.store.jobs == {}


def test_while_it_refuses_background_jobs_are_refused_at_once(desk: Keeping) -> None:
    desk.visitor(background())
    desk.begin()
    desk.fail()
    client = desk.visitor(background(), foreground(b"u"), background(b"u"))
    first, second, third = client.heard()
    assert first == third == REFUSED
    assert isinstance(second, wire.JobCreated)
    complete(desk.worker())
    assert [type(packet) for packet in client.heard()] == [wire.WorkComplete]
    assert desk.idle()
    assert desk.engine.deadline == desk.now + RETRY_DELAY


def test_a_job_that_is_down_can_be_joined_while_the_store_refuses(desk: Keeping) -> None:
    desk.visitor(background(b"u"))
    desk.write()
    desk.visitor(background())
    desk.begin()
    desk.fail()
    assert len(created(desk.visitor(background(b"u")).heard())) == 1


def test_it_works_again_without_a_restart(desk: Keeping) -> None:
    desk.visitor(background())
    desk.begin()
    desk.fail()
    desk.wait(RETRY_DELAY)
    desk.write()
    client = desk.visitor(background())
    desk.write()
    assert len(created(client.heard())) == 1


def test_ends_are_kept_while_the_store_refuses(desk: Keeping) -> None:
    desk.visitor(background(), background())
    desk.write()
    desk.visitor(background())
    desk.begin()
    desk.fail()
    worker = desk.worker()
    complete(worker)
    for _ in range(3):
        assert desk.idle()
        desk.wait(RETRY_DELAY)
        desk.begin()
        desk.fail()
    complete(worker)
    desk.wait(RETRY_DELAY)
    desk.write()
    assert desk.store.jobs == {}
    assert desk.idle()


def test_limits_and_retries_are_written_after_a_refusal(desk: Keeping) -> None:
    desk.visitor(background())
    desk.write()
    worker = desk.worker()
    grab(worker)
    worker.leave()
    desk.visitor().ask(b"maxqueue f 7\n")
    desk.begin()
    desk.fail()
    desk.visitor().ask(b"maxqueue f 8\n")
    desk.wait(RETRY_DELAY)
    desk.write()
    assert desk.store.limits == {b"f": (8, 8, 8)}
    assert [job.retries for job in desk.store.jobs.values()] == [1]


def test_a_job_that_runs_when_it_is_refused_ends_as_it_will(desk: Keeping) -> None:
    client = desk.visitor(background(b"u"))
    waiting = desk.visitor(foreground(b"u"))
    assert len(created(waiting.heard())) == 1
    desk.begin()
    worker = desk.worker()
    handle = grab(worker)
    desk.fail()
    assert client.heard() == [REFUSED]
    worker.send(wire.WorkComplete(handle, b"result"))
    assert worker.heard() == []
    assert waiting.heard() == [wire.WorkComplete(handle, b"result")]
    desk.wait(RETRY_DELAY)
    desk.write()
    assert desk.store.jobs == {}


def test_a_job_that_ended_before_it_was_refused_counts_as_done(desk: Keeping) -> None:
    client = desk.visitor(background())
    desk.store.half = True
    desk.begin()
    complete(desk.worker())
    desk.fail()
    assert len(created(client.heard())) == 1
    desk.wait(RETRY_DELAY)
    desk.write()
    assert desk.store.jobs == {}
    assert desk.keeper.ledger.jobs == 0


def test_a_join_that_waits_for_a_later_batch_is_refused_with_its_job(desk: Keeping) -> None:
    desk.visitor(background(b"u"))
    desk.begin()
    client = desk.visitor(background(b"other"), background(b"u"))
    desk.fail()
    assert client.heard() == []
    desk.write()
    first, second = client.heard()
    assert isinstance(first, wire.JobCreated)
    assert second == REFUSED
    assert len(desk.store.jobs) == 1


def test_what_was_gathered_meanwhile_is_tried(desk: Keeping) -> None:
    first = desk.visitor(background())
    desk.begin()
    second = desk.visitor(background())
    desk.fail()
    desk.write()
    assert first.heard() == [REFUSED]
    assert len(created(second.heard())) == 1


def test_a_refused_job_can_be_made_durable_again(desk: Keeping) -> None:
    desk.visitor(background(b"u"))
    waiting = desk.visitor(foreground(b"u"))
    (handle,) = created(waiting.heard())
    desk.store.half = True
    desk.begin()
    desk.fail()
    desk.wait(RETRY_DELAY)
    desk.begin()
    desk.finish()
    assert desk.store.jobs == {}
    client = desk.visitor(background(b"u"))
    desk.write()
    assert created(client.heard()) == [handle]
    assert len(desk.store.jobs) == 1


def test_unwritten_bytes_are_bounded(desk: Keeping) -> None:
    large = background(data=bytes(MAX_UNWRITTEN // 2))
    client = desk.visitor(large, large, background())
    desk.begin()
    client.send(background())
    desk.finish()
    first, second, third, fourth = client.heard()
    assert isinstance(first, wire.JobCreated)
    assert isinstance(second, wire.JobCreated)
    assert third == fourth == wire.Error(b"QUEUE_ERROR", TOO_MUCH_UNWRITTEN.refusal.text)
    client.send(background())
    desk.write()
    assert len(created(client.heard())) == 1


# The end


def test_jobs_that_run_at_the_end_stay(desk: Keeping) -> None:
    desk = Keeping(settings=ServerSettings(job_retries=1, tell_abandoned=True))
    client = desk.visitor(background(b"u"), foreground(b"u"), foreground())
    desk.write()
    client.heard()
    worker = desk.worker()
    grab(worker)
    grab(worker)
    desk.engine.stop()
    desk.end_turn()
    assert [type(packet) for packet in client.heard()] == [wire.WorkFail, wire.WorkFail]
    client.send(background())
    assert client.heard() == [wire.Error(b"QUEUE_ERROR", b"Server is shutting down")]
    desk.engine.ledger = None
    worker.leave()
    client.leave()
    assert desk.idle()
    assert len(desk.store.jobs) == 1
