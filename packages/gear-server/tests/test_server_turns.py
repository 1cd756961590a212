"""What the engine puts off to the end of a turn, or to later turns: answers, NOOPs and writes."""

import logging

import pytest

from gear_server.engine.outboxes import PATIENCE
from gear_server.engine.scheduler import LINGER
from gear_server.engine.state import Peer
from gear_wire.packets import (
    CanDo,
    CantDo,
    EchoReq,
    EchoRes,
    GrabJob,
    JobAssign,
    JobCreated,
    NoJob,
    Noop,
    PreSleep,
    SubmitJob,
    SubmitJobBg,
    SubmitJobHigh,
    WorkComplete,
)
from gear_wire.types import FunctionName, Handle, UniqueKey
from support.engine_desk import Desk, Visitor

F, G = FunctionName(b"f"), FunctionName(b"g")
NONE = UniqueKey(b"")
H1, H2 = Handle(b"H:1"), Handle(b"H:2")
SUBMIT = SubmitJob(F, NONE, b"x")
ASSIGN = JobAssign(H1, F, b"x")


@pytest.fixture
def desk() -> Desk:
    return Desk()


def sleepers(desk: Desk, number: int) -> list[Visitor]:
    return [desk.visitor(CanDo(F), PreSleep()) for _ in range(number)]


def woken(visitors: list[Visitor]) -> int:
    return sum(visitor.heard() == [Noop()] for visitor in visitors)


# Who asks for a job


def test_a_job_of_the_same_turn_goes_to_who_asked_before_it(desk: Desk) -> None:
    worker, client, asleep = desk.visitor(CanDo(F)), desk.visitor(), sleepers(desk, 1)
    worker.say(GrabJob())
    client.say(SUBMIT)
    desk.end_turn()
    assert worker.heard() == [ASSIGN]
    assert woken(asleep) == 0


def test_who_asks_is_answered_before_what_it_sends_next(desk: Desk) -> None:
    worker = desk.visitor(CanDo(F))
    worker.say(GrabJob(), EchoReq(b"x"), GrabJob())
    desk.end_turn()
    assert worker.heard() == [NoJob(), EchoRes(b"x"), NoJob()]


def test_who_asks_waits_for_a_job_while_the_server_is_busy(desk: Desk) -> None:
    worker, client = desk.visitor(CanDo(F)), desk.visitor()
    worker.say(GrabJob())
    assert desk.end_turn(busy=True) == []
    client.say(SUBMIT)
    assert worker.peer in desk.end_turn(busy=True)
    assert worker.heard() == [ASSIGN]


def test_who_asks_is_answered_after_a_moment(desk: Desk) -> None:
    worker = desk.visitor(CanDo(F))
    worker.say(GrabJob())
    assert desk.end_turn(busy=True) == []
    assert desk.engine.end_turn(desk.now) == []
    assert desk.engine.deadline == desk.now + LINGER
    assert desk.end_turn() == [worker.peer]
    assert worker.heard() == [NoJob()]
    assert desk.engine.deadline is None


def test_who_asks_is_answered_after_a_few_turns(desk: Desk) -> None:
    worker = desk.visitor(CanDo(F))
    worker.say(GrabJob())
    desk.now += LINGER
    turns = [desk.end_turn(busy=True) for _ in range(PATIENCE + 1)]
    assert turns == [[]] * PATIENCE + [[worker.peer]]
    assert worker.heard() == [NoJob()]


def test_who_leaves_while_it_asks_takes_no_job(desk: Desk) -> None:
    worker, client = desk.visitor(CanDo(F)), desk.visitor()
    worker.say(GrabJob())
    desk.end_turn(busy=True)
    worker.leave()
    client.send(SUBMIT)
    assert worker.said() == b""
    assert desk.visitor(CanDo(F), GrabJob()).heard() == [ASSIGN]


def test_a_search_that_fails_closes_one_connection(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    choose = desk.engine.scheduler.choose
    bad, good = desk.visitor(CanDo(F)), desk.visitor(CanDo(F))
    client = desk.visitor()

    def choose_or_fail(peer: Peer, peek: bool) -> object:
        if peer is bad.peer:
            raise ValueError("as an override may")
        return choose(peer, peek)

    desk.engine.scheduler.choose = choose_or_fail  # type: ignore[assignment]  # object, for brevity
    client.say(SUBMIT)
    bad.say(GrabJob())
    good.say(GrabJob())
    with caplog.at_level(logging.ERROR, "gear.Server"):
        desk.end_turn()
    assert bad.peer.closing
    assert bad.said() == b""
    assert good.heard() == [ASSIGN]
    assert "Exception while looking for a job" in caplog.text


# Who is woken


def test_no_more_are_woken_than_jobs_want(desk: Desk) -> None:
    workers = sleepers(desk, 5)
    desk.visitor(SUBMIT, SUBMIT)
    assert woken(workers) == 2


def test_nobody_is_woken_for_jobs_that_are_not_given_out(desk: Desk) -> None:
    """Sleepers would wake each other in turn, as long as the server drains."""
    desk.visitor(SUBMIT)
    holder = desk.visitor(CanDo(F), GrabJob())
    workers = sleepers(desk, 3)
    desk.engine.drain(queued=False)
    holder.leave()
    late = desk.visitor(PreSleep(), CanDo(F))
    desk.wait(1)
    desk.wait(1)
    assert desk.engine.queues.waiting == 1
    assert woken([*workers, late]) == 0


def test_who_was_woken_is_expected_and_nobody_else_woken_in_its_place(desk: Desk) -> None:
    first, *others = sleepers(desk, 3)
    client = desk.visitor(SUBMIT)
    assert first.heard() == [Noop()]
    busy = desk.visitor(CanDo(F), GrabJob())
    assert busy.heard() == [ASSIGN]
    client.send(SUBMIT)
    assert woken(others) == 0
    first.send(GrabJob())
    assert first.heard() == [JobAssign(H2, F, b"x")]


def test_another_is_woken_when_who_was_expected_leaves(desk: Desk) -> None:
    first, second = sleepers(desk, 2)
    desk.visitor(SUBMIT)
    assert first.heard() == [Noop()]
    first.leave()
    assert second.heard() == [Noop()]


def test_another_is_woken_when_who_was_expected_takes_another_job(desk: Desk) -> None:
    first = desk.visitor(CanDo(F), CanDo(G), PreSleep())
    (second,) = sleepers(desk, 1)
    client = desk.visitor(SUBMIT)
    assert first.heard() == [Noop()]
    client.send(SubmitJobHigh(G, NONE, b"urgent"))
    first.send(GrabJob())
    assert first.heard() == [JobAssign(H2, G, b"urgent")]
    assert second.heard() == [Noop()]


def test_another_is_woken_when_who_was_expected_cannot_do_it_any_more(desk: Desk) -> None:
    first, second = sleepers(desk, 2)
    desk.visitor(SUBMIT)
    assert first.heard() == [Noop()]
    first.send(CantDo(F))
    assert second.heard() == [Noop()]


def test_who_hangs_is_not_expected_for_ever(desk: Desk) -> None:
    hanging, *others = sleepers(desk, 3)
    client = desk.visitor(SUBMIT)
    assert hanging.heard() == [Noop()]
    desk.wait(1)
    assert woken(others) == 2
    others[0].send(GrabJob())
    for other in others:
        other.send(GrabJob(), PreSleep())
        other.said()
    client.send(SUBMIT)
    assert woken(others) == 1


# What is written when


def test_the_handle_of_a_foreground_job_may_wait(desk: Desk) -> None:
    client = desk.visitor()
    client.say(SUBMIT)
    turns = [desk.end_turn(busy=True) for _ in range(PATIENCE + 1)]
    assert turns == [[]] * PATIENCE + [[client.peer]]
    assert client.heard() == [JobCreated(H1)]


def test_what_waits_goes_with_what_cannot_wait(desk: Desk) -> None:
    client = desk.visitor()
    client.say(SUBMIT)
    assert desk.end_turn(busy=True) == []
    client.say(EchoReq(b"x"))
    assert desk.end_turn(busy=True) == [client.peer]
    assert client.heard() == [JobCreated(H1), EchoRes(b"x")]
    assert [desk.end_turn(busy=True) for _ in range(PATIENCE + 1)] == [[]] * (PATIENCE + 1)


def test_the_handle_of_a_background_job_does_not_wait(desk: Desk) -> None:
    client = desk.visitor()
    client.say(SubmitJobBg(F, NONE, b"x"))
    assert desk.end_turn(busy=True) == [client.peer]


def test_a_result_waits_only_for_who_waits_for_other_jobs_too(desk: Desk) -> None:
    one, two = desk.visitor(SUBMIT), desk.visitor(SUBMIT, SUBMIT)
    worker = desk.visitor(CanDo(F))
    worker.send(GrabJob(), GrabJob(), GrabJob())
    worker.say(WorkComplete(H1, b"y"), WorkComplete(H2, b"y"))
    assert desk.end_turn(busy=True) == [one.peer]
    worker.say(WorkComplete(Handle(b"H:3"), b"y"))
    assert desk.end_turn(busy=True) == [two.peer]
    results = [packet for packet in two.heard() if isinstance(packet, WorkComplete)]
    assert results == [WorkComplete(H2, b"y"), WorkComplete(Handle(b"H:3"), b"y")]
