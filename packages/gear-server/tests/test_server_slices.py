"""No request, and nothing that happens, takes more than a slice of a turn or much memory in one."""

import logging
import sys
from collections.abc import Callable

import pytest

from gear_server.engine.chores import SLICE
from gear_server.engine.commands import SLICE_ROWS, SLICE_SIZE
from gear_server.engine.outboxes import CROWDED, LARGE
from gear_server.engine.state import NOWHERE, Peer
from gear_server.settings import ServerSettings
from gear_wire.codec import decode, encode
from gear_wire.enums import Magic
from gear_wire.framing import Frame, FrameReader
from gear_wire.packets import (
    CanDo,
    EchoReq,
    EchoRes,
    GrabJob,
    JobAssign,
    ResetAbilities,
    SubmitJob,
    SubmitJobBg,
    SubmitJobEpoch,
    WorkComplete,
    WorkData,
)
from gear_wire.types import FunctionName, Handle, UniqueKey
from support.engine_desk import EPOCH, Desk, Visitor

F, G = FunctionName(b"f"), FunctionName(b"g")
NONE = UniqueKey(b"")
MANY = 80 * SLICE
LIMIT = 1 << 20


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def narrow() -> Desk:
    """A desk where a connection may have a mebibyte unsent, and half of that before it waits."""
    return Desk(ServerSettings(max_send_queue=LIMIT))


def feed(desk: Desk, visitor: Visitor, data: bytes) -> None:
    desk.engine.receive(visitor.peer, FrameReader().feed(data), desk.now)


def unsent(peer: Peer) -> int:
    return sum(map(len, peer.outbox))


# What is queued is counted at once


def test_requests_wait_while_much_is_unsent_for_their_connection(narrow: Desk) -> None:
    visitor = narrow.visitor()
    echoes = [EchoReq(b"%d" % number + b"x" * 50_000) for number in range(100)]
    visitor.say(*echoes)
    assert LIMIT // 2 < unsent(visitor.peer) < LIMIT // 2 + 60_000
    assert len(visitor.peer.backlog) > 80
    assert visitor.heard() == [EchoRes(echo.payload) for echo in echoes]


def test_a_connection_that_reads_nothing_is_cut_off_for_small_packets_too(narrow: Desk) -> None:
    client = narrow.visitor(SubmitJob(F, NONE, b"x"))
    worker = narrow.visitor(CanDo(F), GrabJob())
    waiting = 0
    while client.peer.outbox is not NOWHERE:
        worker.send(WorkData(Handle(b"H:1"), b"d" * 100))
        waiting += unsent(client.peer)
        assert waiting < LIMIT + 10_000
        client.peer.outbox.clear()
        narrow.engine.outboxes.sent(client.peer, waiting)
    assert waiting >= LIMIT
    narrow.end_turn()
    assert narrow.engine.counters.consumers_dropped == 1


def test_one_packet_that_is_larger_than_the_limit_stays_when_it_is_sent(narrow: Desk) -> None:
    client = narrow.visitor(EchoReq(b"x" * 2 * LIMIT))
    waiting = unsent(client.peer)
    client.peer.outbox.clear()
    narrow.engine.outboxes.sent(client.peer, waiting)
    assert client.peer.outbox is not NOWHERE


def test_many_long_answers_are_not_made_before_they_can_be_sent(desk: Desk) -> None:
    worker = desk.visitor(*(CanDo(FunctionName(b"%d" % n + b"n" * 500)) for n in range(256)))
    worker.said()
    feed(desk, worker, b"status\n" * 2000)
    assert unsent(worker.peer) < CROWDED + 2 * SLICE_SIZE
    assert len(worker.peer.backlog) > 1900


def test_requests_that_come_later_wait_behind_those_that_wait(narrow: Desk) -> None:
    visitor = narrow.visitor()
    visitor.say(*[EchoReq(b"a" * LARGE)] * 10)
    visitor.say(EchoReq(b"last"))
    assert visitor.heard() == [EchoRes(b"a" * LARGE)] * 10 + [EchoRes(b"last")]


def test_results_are_taken_from_a_worker_that_does_not_read(narrow: Desk) -> None:
    client, worker = narrow.visitor(SubmitJob(F, NONE, b"")), narrow.visitor(CanDo(F), GrabJob())
    client.said()
    assert worker.heard() == [JobAssign(Handle(b"H:1"), F, b"")]
    worker.say(EchoReq(b"x" * LIMIT))
    assert worker.peer.halted
    worker.say(WorkComplete(Handle(b"H:1"), b"done"))
    assert client.heard() == [WorkComplete(Handle(b"H:1"), b"done")]


def test_submissions_are_taken_up_to_the_limit_from_a_client_that_does_not_read(
    narrow: Desk,
) -> None:
    client, worker = narrow.visitor(SubmitJob(F, NONE, b"")), narrow.visitor(CanDo(F), GrabJob())
    worker.say(WorkData(Handle(b"H:1"), b"x" * (LIMIT - 100)))
    client.say(SubmitJob(F, NONE, b"2"), SubmitJob(F, NONE, b"3"))
    assert client.peer.halted
    assert len(narrow.engine.jobs) == 3
    worker.say(WorkData(Handle(b"H:1"), b"x" * 1000))
    client.say(SubmitJob(F, NONE, b"4"))
    assert len(narrow.engine.jobs) == 3
    client.said()
    assert len(narrow.engine.jobs) == 4


def test_who_reads_nothing_is_cut_off_within_the_turn(
    narrow: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    client, worker = narrow.visitor(SubmitJob(F, NONE, b"")), narrow.visitor(CanDo(F), GrabJob())
    worker.said()
    data = WorkData(Handle(b"H:1"), b"x" * 60_000)
    with caplog.at_level(logging.WARNING, "gear.Server"):
        worker.say(*[data] * 100)
        dirty = narrow.engine.end_turn(narrow.now)
    assert client.peer.outbox is NOWHERE
    assert client.peer.closing
    assert caplog.text.count("Dropping slow consumer") == 1
    assert "bytes unsent" in caplog.text
    assert client.peer in dirty
    assert narrow.engine.counters.consumers_dropped == 1
    assert worker.heard() == []


@pytest.mark.parametrize("size", [60_000, LARGE])
def test_copies_of_a_packet_for_one_client_are_counted_and_not_made(desk: Desk, size: int) -> None:
    submit = SubmitJob(F, UniqueKey(b"same"), b"")
    client, worker = desk.visitor(*[submit] * MANY * 4), desk.visitor(CanDo(F), GrabJob())
    client.said()
    worker.say(WorkData(Handle(b"H:1"), b"x" * size))
    assert client.peer.outbox is NOWHERE, "ten thousand times as much are over half a gigabyte"


def test_a_few_copies_share_their_bytes(desk: Desk) -> None:
    submit = SubmitJob(F, UniqueKey(b"same"), b"")
    client, worker = desk.visitor(*[submit] * 50), desk.visitor(CanDo(F), GrabJob())
    client.said()
    worker.say(WorkData(Handle(b"H:1"), b"x" * 60_000))
    assert len({id(part) for part in client.peer.outbox}) <= 2
    assert client.heard() == [WorkData(Handle(b"H:1"), b"x" * 60_000)] * 50


def test_one_packet_may_be_larger_than_the_limit(narrow: Desk) -> None:
    visitor = narrow.visitor()
    payload = b"x" * 3 * LIMIT
    visitor.say(EchoReq(payload))
    assert visitor.heard() == [EchoRes(payload)]


# Slices


@pytest.mark.parametrize("command", [b"show jobs\n", b"show unique jobs\n"])
def test_a_long_table_comes_in_slices_and_as_of_one_moment(desk: Desk, command: bytes) -> None:
    client = desk.visitor(*[SubmitJobBg(F, NONE, b"")] * MANY)
    client.said()
    feed(desk, client, command + b"version\n")
    first = client.taken()
    assert first.count(b"\n") == SLICE_ROWS
    worker = desk.visitor(CanDo(F), GrabJob())
    worker.say(WorkComplete(Handle(b"H:1"), b""))
    desk.visitor(SubmitJobBg(F, NONE, b""))
    rest = client.said()
    assert (first + rest).count(b"\n") == MANY + 2
    assert b"\n.\nOK " in first + rest


def test_nothing_is_sent_in_the_middle_of_a_table(desk: Desk) -> None:
    client = desk.visitor(SubmitJob(F, NONE, b""), *[SubmitJobBg(G, NONE, b"")] * MANY)
    worker = desk.visitor(CanDo(F), GrabJob())
    client.said()
    feed(desk, client, b"show jobs\n")
    first = client.taken()
    worker.say(WorkData(Handle(b"H:1"), b"x" * 9_000_000), WorkComplete(Handle(b"H:1"), b"done"))
    client.say(EchoReq(b"later"))
    table, end, rest = (first + client.said()).partition(b"\n.\n")
    assert end
    assert table.count(b"\n") == MANY
    assert [decode(event) for event in FrameReader().feed(rest) if isinstance(event, Frame)] == [
        WorkData(Handle(b"H:1"), b"x" * 9_000_000),
        WorkComplete(Handle(b"H:1"), b"done"),
        EchoRes(b"later"),
    ]


def test_a_connection_that_is_closed_in_the_middle_of_a_table_is_sent_what_follows(
    desk: Desk,
) -> None:
    client = desk.visitor(SubmitJob(F, NONE, b""), *[SubmitJobBg(G, NONE, b"")] * MANY)
    worker = desk.visitor(CanDo(F), GrabJob())
    client.said()
    feed(desk, client, b"show jobs\n")
    client.taken()
    worker.say(WorkComplete(Handle(b"H:1"), b"done"))
    desk.engine.close(client.peer)
    assert not client.peer.held
    assert client.said() == encode(WorkComplete(Handle(b"H:1"), b"done"), Magic.RES)


def test_the_functions_of_many_workers_come_in_slices_of_limited_size(desk: Desk) -> None:
    names = [FunctionName(b"%03d" % number + b"n" * 497) for number in range(256)]
    for _ in range(8):
        desk.visitor(*map(CanDo, names)).said()
    asking = desk.visitor()
    feed(desk, asking, b"workers\n")
    assert len(asking.taken()) < 5 * SLICE_SIZE
    assert asking.said().endswith(b".\n")


def test_a_client_of_many_jobs_leaves_in_slices(desk: Desk) -> None:
    client, other = desk.visitor(*[SubmitJob(F, NONE, b"")] * MANY), desk.visitor()
    client.said()
    desk.engine.connection_lost(client.peer, desk.now)
    assert len(desk.engine.jobs) == MANY - SLICE
    other.send(EchoReq(b""))
    assert len(other.heard()) == 1
    turns = 0
    while desk.engine.deferred:
        desk.engine.end_turn(desk.now)
        turns += 1
    assert turns <= MANY // SLICE + 1
    assert not desk.engine.jobs
    assert desk.engine.counters.abandoned == MANY


def test_a_worker_of_many_jobs_leaves_in_slices(desk: Desk) -> None:
    desk.visitor(*[SubmitJobBg(F, NONE, b"")] * MANY).said()
    worker = desk.visitor(CanDo(F))
    for _ in range(MANY):
        worker.say(GrabJob())
    desk.end_turn()
    worker.said()
    assert desk.engine.running == MANY
    desk.engine.connection_lost(worker.peer, desk.now)
    assert desk.engine.running == MANY - SLICE
    while desk.engine.deferred:
        desk.engine.end_turn(desk.now)
    assert desk.engine.running == 0
    first = desk.visitor(CanDo(F), GrabJob()).heard()
    assert first == [JobAssign(Handle(b"H:1"), F, b"")], "they are in the order they were in"


@pytest.mark.parametrize("reset", [True, False])
def test_many_functions_are_taken_back_in_slices(desk: Desk, reset: bool) -> None:
    names = [FunctionName(b"%d" % number) for number in range(MANY)]
    worker = desk.visitor(*map(CanDo, names))
    if reset:
        worker.say(ResetAbilities(), CanDo(F), EchoReq(b""))
    else:
        desk.engine.connection_lost(worker.peer, desk.now)
    assert len(worker.peer.abilities) == MANY - SLICE
    while desk.engine.deferred or worker.peer.answer is not None:
        desk.engine.end_turn(desk.now)
        desk.engine.go_on(worker.peer, desk.now)
    assert list(worker.peer.abilities) == ([F] if reset else [])
    assert len(worker.heard()) == reset


def test_jobs_due_at_one_time_come_in_slices(desk: Desk) -> None:
    when = b"%d" % (EPOCH + 1)
    desk.visitor(*[SubmitJobEpoch(F, NONE, when, b"")] * MANY).said()
    desk.wait(1.1)
    assert desk.engine.queues.waiting <= SLICE
    for _ in range(MANY // SLICE):
        desk.wait(0.001)
    assert desk.engine.queues.waiting == MANY


def test_jobs_that_time_out_at_once_come_in_slices(desk: Desk) -> None:
    calls: list[int] = []

    def call(number: int) -> Callable[[float], None]:
        return lambda due: calls.append(number)

    for number in range(MANY):
        desk.engine.timers.at(desk.now + 1, call(number))
    desk.wait(1)
    assert calls == list(range(SLICE))
    for _ in range(MANY // SLICE):
        desk.wait(0)
    assert calls == list(range(MANY))


def test_a_lost_connection_that_is_sent_much_keeps_nothing(narrow: Desk) -> None:
    client, worker = narrow.visitor(SubmitJob(F, NONE, b"")), narrow.visitor(CanDo(F), GrabJob())
    narrow.engine.connection_lost(client.peer, narrow.now)
    narrow.engine.send(client.peer, b"x" * 10 * LIMIT)
    narrow.engine.send_payload(client.peer, 0, b"", b"x" * LARGE)
    assert client.peer.outbox == []
    assert sys.getsizeof(client.peer.outbox) < 200
    worker.leave()
