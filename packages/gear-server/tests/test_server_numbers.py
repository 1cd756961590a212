"""What is counted of functions, and the text command that tells it."""

import logging

import pytest

from gear_server.engine.numbers import (
    FUNCTION_KEYS,
    PORTION,
    SLEEPERS,
    FunctionNumbers,
    forgotten,
    portions,
    server_counters,
    server_gauges,
)
from gear_server.engine.queues import IDLE_FUNCTIONS
from gear_server.engine.state import Function, Peer
from gear_server.engine.tally import BOUNDS, Tally
from gear_server.settings import ServerSettings
from gear_wire.enums import Magic, PacketType
from gear_wire.packets import (
    CanDo,
    CanDoTimeout,
    GrabJob,
    JobAssign,
    JobCreated,
    PreSleep,
    SubmitJob,
    SubmitJobBg,
    SubmitJobEpoch,
    SubmitJobHigh,
    WorkComplete,
    WorkException,
    WorkFail,
)
from gear_wire.table import frame_key
from gear_wire.types import FunctionName, Handle, UniqueKey
from support.engine_audit import check_counters
from support.engine_desk import EPOCH, GEARMAND, Desk, Visitor

NAME, OTHER = FunctionName(b"f"), FunctionName(b"g")
NONE = UniqueKey(b"")
SUBMIT, SUBMIT_BG = SubmitJob(NAME, NONE, b"x"), SubmitJobBg(NAME, NONE, b"x")
CAN = CanDo(NAME)


@pytest.fixture
def desk(caplog: pytest.LogCaptureFixture) -> Desk:
    caplog.set_level(logging.CRITICAL, "gear.Server")
    return Desk()


def numbers(desk: Desk, name: bytes = NAME) -> FunctionNumbers:
    """Return what is counted of a function, and check that all of it adds up."""
    check_counters(desk.engine)
    return FunctionNumbers.of(desk.engine.queues.functions[name], desk.now)


def counted(desk: Desk, name: bytes = NAME) -> dict[str, int]:
    """Return what is not 0 of the numbers of a function."""
    all_of_them = numbers(desk, name)
    return {key: value for key in FUNCTION_KEYS if (value := getattr(all_of_them, key))}


def handle_of(visitor: Visitor) -> Handle:
    """Return the handle of the job that was submitted or assigned last."""
    heard = [each for each in visitor.heard() if isinstance(each, JobCreated | JobAssign)]
    return heard[-1].handle


def test_a_job_waits_and_runs(desk: Desk) -> None:
    desk.visitor(SUBMIT_BG)
    desk.wait(0.5)
    assert counted(desk) == {"submitted": 1, "queued_normal": 1, "oldest_ms": 500}
    worker = desk.visitor(CAN, GrabJob())
    running = {"submitted": 1, "running": 1, "workers": 1, "started": 1, "waited_ms": 500}
    assert counted(desk) == running
    desk.wait(3)
    worker.send(WorkComplete(handle_of(worker), b""), PreSleep())
    ended = {"submitted": 1, "completed": 1, "workers": 1, "asleep": 1, "started": 1}
    assert counted(desk) == {**ended, "waited_ms": 500, "ran_ms": 3000}
    tally = desk.engine.queues.functions[NAME].tally
    # A time that is a bound belongs to the range above it.
    assert tally.waited.index(1) == BOUNDS.index(0.5) + 1
    assert tally.ran.index(1) == BOUNDS.index(10.0)


def test_a_job_that_came_back_waits_anew_and_its_runs_count_each(desk: Desk) -> None:
    desk.visitor(SUBMIT_BG)
    worker = desk.visitor(CAN, GrabJob())
    desk.wait(4)
    worker.leave()
    desk.wait(2)
    # The oldest job is that which came first, as `show functions` says.
    assert counted(desk) == {
        "submitted": 1, "started": 1, "requeued": 1, "queued_normal": 1, "ran_ms": 4000,
        "oldest_ms": 6000,
    }  # fmt: skip
    desk.visitor(CAN, GrabJob())
    assert (numbers(desk).waited_ms, numbers(desk).started) == (2000, 2)


def test_a_job_that_ran_too_long(desk: Desk) -> None:
    desk.visitor(SUBMIT_BG)
    desk.visitor(CanDoTimeout(NAME, b"1000"), GrabJob())
    desk.wait(1)
    after = numbers(desk)
    assert (after.timed_out, after.requeued, after.ran_ms) == (1, 1, 1000)


def test_a_job_that_may_not_be_tried_again(desk: Desk) -> None:
    desk = Desk(ServerSettings(job_retries=1))
    desk.visitor(SUBMIT_BG)
    desk.visitor(CAN, GrabJob()).leave()
    assert counted(desk) == {"submitted": 1, "started": 1, "exhausted": 1}


def test_failures_and_exceptions_are_failures(desk: Desk) -> None:
    desk.visitor(SUBMIT_BG, SUBMIT_BG)
    worker = desk.visitor(CAN, GrabJob())
    worker.send(WorkFail(handle_of(worker)), GrabJob())
    worker.send(WorkException(handle_of(worker), b"oh"))
    assert (numbers(desk).failed, numbers(desk).completed) == (2, 0)


def test_submissions_that_join_are_no_jobs(desk: Desk) -> None:
    unique = SubmitJob(NAME, UniqueKey(b"u"), b"")
    desk.visitor(unique, unique)
    assert counted(desk) == {"submitted": 1, "joined": 1, "queued_normal": 1}


def test_jobs_for_later_are_scheduled_and_wait_from_their_time_on(desk: Desk) -> None:
    desk.visitor(SubmitJobEpoch(NAME, NONE, b"%d" % (EPOCH + 60), b""))
    desk.wait(30)
    assert counted(desk) == {"submitted": 1, "scheduled": 1}
    desk.wait(31)
    desk.visitor(CAN, GrabJob())
    assert numbers(desk).waited_ms == 1000


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_clock_that_was_set_lets_no_job_wait_an_hour(desk: Desk, hours: int) -> None:
    desk.visitor(SubmitJobEpoch(NAME, NONE, b"%d" % (EPOCH + 60), b""))
    desk.wait(50)
    desk.wall += 3600 * hours
    for _ in range(3700):
        if numbers(desk).queued:
            break
        desk.wait(1)
    desk.visitor(CAN, GrabJob())
    assert 0 <= numbers(desk).waited_ms <= 2000


def test_a_queued_job_that_is_cancelled(desk: Desk) -> None:
    client = desk.visitor(SUBMIT)
    client.ask(b"cancel job %b\n" % handle_of(client))
    assert counted(desk) == {"submitted": 1, "cancelled": 1}


@pytest.mark.parametrize("end", [WorkFail, lambda handle: WorkComplete(handle, b"")])
def test_a_running_job_that_is_cancelled_ends_once(desk: Desk, end: type[WorkFail]) -> None:
    client, worker = desk.visitor(SUBMIT_BG, SUBMIT_BG), desk.visitor(CAN, GrabJob())
    handle = handle_of(worker)
    for _ in range(2):
        client.ask(b"cancel job %b\n" % handle)
        assert (numbers(desk).cancelled, numbers(desk).running) == (1, 1)
        assert numbers(desk).completed == 0
    worker.send(end(handle))
    after = numbers(desk)
    assert (after.submitted, after.cancelled, after.completed, after.failed) == (2, 1, 0, 0)


def test_a_running_job_that_is_cancelled_and_loses_its_worker_ends_once(desk: Desk) -> None:
    client, worker = desk.visitor(SUBMIT), desk.visitor(CAN, GrabJob())
    client.ask(b"cancel job %b\n" % handle_of(worker))
    worker.leave()
    assert (numbers(desk).cancelled, numbers(desk).abandoned) == (1, 0)


def test_jobs_whose_clients_leave(desk: Desk) -> None:
    desk.visitor(SUBMIT).leave()
    assert counted(desk) == {"submitted": 1, "abandoned": 1}


def test_a_refused_submission_counts_where_its_function_is_known(desk: Desk) -> None:
    desk = Desk(ServerSettings(max_queue=1, max_functions=1))
    client = desk.visitor(SUBMIT_BG, SUBMIT_BG, SubmitJobBg(OTHER, NONE, b""))
    assert client.peer in desk.engine.peers
    assert counted(desk) == {"submitted": 1, "refused": 1, "queued_normal": 1}
    assert list(desk.engine.queues.functions) == [NAME]
    assert forgotten(desk.engine) == FunctionNumbers(refused=1)


def test_a_server_that_stops_fails_what_runs(desk: Desk) -> None:
    desk = Desk(ServerSettings(tell_abandoned=True))
    desk.visitor(SUBMIT)
    desk.visitor(CAN, GrabJob())
    desk.engine.stop()
    assert (numbers(desk).failed, desk.engine.tallies.read(0).failed) == (1, 1)


def test_what_a_forgotten_function_had_is_kept(desk: Desk) -> None:
    client = desk.visitor(SUBMIT_BG)
    desk.visitor(CAN, GrabJob()).send(WorkComplete(Handle(b"H:1"), b""))
    for visitor in list(desk.engine.peers):
        if visitor is not client.peer:
            desk.engine.connection_lost(visitor, desk.now)
    client.said()
    assert client.ask(b"drop function f\n") == b"OK\r\n"
    total = forgotten(desk.engine)
    assert (total.submitted, total.completed, total.started) == (1, 1, 1)
    for number in range(IDLE_FUNCTIONS + 10):
        name = FunctionName(b"f%d" % number)
        client.send(SubmitJobBg(name, NONE, b""))
        client.ask(b"cancel job %b\n" % handle_of(client))
    assert forgotten(desk.engine).cancelled == 10
    check_counters(desk.engine)


def test_sums_of_two_functions() -> None:
    one = FunctionNumbers(queued_high=1, completed=2, oldest_ms=5)
    other = FunctionNumbers(queued_high=2, running=1, oldest_ms=3)
    both = one.plus(other)
    assert both == FunctionNumbers(queued_high=3, completed=2, running=1, oldest_ms=5)


def test_a_sum_of_tallies_has_all_that_they_counted() -> None:
    total, one = Tally(), Tally()
    # Not those of `__slots__`, which a compiled class has not.
    names = [name for name in dir(one) if name[0] != "_" and name not in ("add", "completed")]
    assert len(names) > 10
    for number, name in enumerate(names, 1):
        value = getattr(one, name)
        setattr(one, name, [number] * len(value) if isinstance(value, list) else number)
    for _ in range(2):
        total.add(one)
    for name in names:
        value = getattr(one, name)
        doubled = [2 * each for each in value] if isinstance(value, list) else 2 * value
        assert getattr(total, name) == doubled, name


def test_functions_come_in_portions() -> None:
    many = [Function(b"%d" % number) for number in range(2 * PORTION + 1)]
    assert [len(portion) for portion in portions(many)] == [PORTION, PORTION, 1]
    for function in many[:2]:
        function.sleepers.update((Peer(), None) for _ in range(SLEEPERS))
    assert [len(portion) for portion in portions(many[:4])] == [1, 1, 2]
    assert not list(portions([]))


def test_the_server_has_numbers_too(desk: Desk) -> None:
    desk.visitor(SUBMIT_BG, SubmitJobEpoch(NAME, NONE, b"%d" % (EPOCH + 60), b""))
    desk.visitor(CAN, GrabJob())
    gauges, counters = server_gauges(desk.engine), server_counters(desk.engine)
    assert [gauges[name] for name in ("jobs", "running", "scheduled", "queued")] == [2, 1, 1, 0]
    assert (counters["submitted"], counters["completed"], gauges["connections"]) == (2, 0, 2)
    assert not gauges.keys() & counters.keys()


def test_packets_are_counted_by_type(desk: Desk) -> None:
    desk.visitor(SUBMIT_BG, SUBMIT_BG, CAN)
    counted = {key: count for key, count in desk.engine.packets.items() if count}
    assert counted == {
        frame_key(Magic.REQ, PacketType.SUBMIT_JOB_BG): 2,
        frame_key(Magic.REQ, PacketType.CAN_DO): 1,
    }


def test_packets_of_unknown_types_are_not_counted(desk: Desk) -> None:
    visitor = desk.visitor()
    desk.receive(visitor, b"\0REQ\0\0\x03\xe7\0\0\0\0")
    assert visitor.peer.closing
    assert not sum(desk.engine.packets.values())
    assert desk.engine.packets.keys() == desk.engine.rules.keys()  # peers cannot make it grow


# The text command


def test_the_counters_are_told_by_name(desk: Desk) -> None:
    client = desk.visitor(SubmitJobHigh(NAME, NONE, b""), SUBMIT_BG)
    desk.wait(1.5)
    reply = client.ask(b"SHOW Counters\n")
    line, end, nothing = reply.split(b"\n")[-3:]
    assert (end, nothing) == (b".", b"")
    name, *pairs = line.rsplit(b"\n", 1)[-1].split(b"\t")
    told = {key.decode(): int(value) for key, value in (pair.split(b"=") for pair in pairs)}
    assert list(told) == list(FUNCTION_KEYS)
    assert (name[-1:], told["queued_high"], told["oldest_ms"]) == (b"f", 1, 1500)


def test_many_counters_are_told_in_slices(desk: Desk) -> None:
    client = desk.visitor()
    for number in range(3 * PORTION):
        client.send(SubmitJobBg(FunctionName(b"f%d" % number), NONE, b""))
    client.said()
    desk.engine.text(client.peer, b"show counters\n", desk.now)
    assert client.peer.answer is not None
    lines = client.said().split(b"\n")
    assert lines[-2:] == [b".", b""]
    assert len(lines) == 3 * PORTION + 2
    assert len({line.split(b"\t")[0] for line in lines}) == 3 * PORTION + 2


def test_no_counters_without_functions(desk: Desk) -> None:
    assert Desk(GEARMAND).visitor().ask(b"show counters\n") == b".\n"
