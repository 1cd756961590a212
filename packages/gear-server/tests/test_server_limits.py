"""What peers may leave with a server has limits, and what is over them is refused."""

import logging

import pytest

from gear_server.engine.limits import CLIENT_SIZE, JOB_SIZE, TIMER_SIZE
from gear_server.engine.queues import IDLE_FUNCTIONS
from gear_server.settings import ServerSettings
from gear_wire import packets as wire
from gear_wire.packets import BasePacket
from gear_wire.types import FunctionName, Handle, UniqueKey
from support.engine_desk import Desk, Visitor

F, G = FunctionName(b"f"), FunctionName(b"g")
NO_KEY, KEY = UniqueKey(b""), UniqueKey(b"key")


def submit(
    name: FunctionName = F, unique: UniqueKey = NO_KEY, payload: bytes = b""
) -> wire.SubmitJobBg:
    return wire.SubmitJobBg(name, unique, payload)


def answer(visitor: Visitor, packet: BasePacket) -> BasePacket:
    visitor.send(packet)
    (said,) = visitor.heard()
    return said


def created(visitor: Visitor, packet: BasePacket) -> Handle:
    said = answer(visitor, packet)
    assert isinstance(said, wire.JobCreated)
    return said.handle


def refused(visitor: Visitor, packet: BasePacket, code: bytes, text: bytes) -> None:
    said = answer(visitor, packet)
    assert said == wire.Error(code, text)


def work_off(worker: Visitor) -> None:
    """Have a worker do all jobs that there are for it."""
    while isinstance(job := answer(worker, wire.GrabJobUniq()), wire.JobAssignUnique):
        worker.send(wire.WorkComplete(job.handle, b""))


# Jobs


def test_too_many_jobs_are_refused_and_workers_go_on() -> None:
    desk = Desk(ServerSettings(max_jobs=2))
    client, worker = desk.visitor(), desk.visitor(wire.CanDo(F))
    created(client, submit())
    created(client, submit(unique=KEY))
    refused(client, submit(), b"QUEUE_ERROR", b"Server has too many jobs")
    created(client, submit(unique=KEY))  # joins
    assert desk.engine.counters.over_max_jobs == 1
    work_off(worker)
    created(client, submit())


def test_a_function_has_the_servers_limit_unless_it_is_given_its_own() -> None:
    desk = Desk(ServerSettings(max_queue=1))
    client = desk.visitor()
    for name in (F, G):
        created(client, submit(name))
        refused(client, submit(name), b"QUEUE_ERROR", b"Job queue is full")
    assert client.ask(b"maxqueue f 3\n") == b"OK\r\n"
    assert client.ask(b"maxqueue g 0\n") == b"OK\r\n"
    for _ in range(2):
        created(client, submit(F))
    refused(client, submit(F), b"QUEUE_ERROR", b"Job queue is full")
    for _ in range(9):
        created(client, submit(G))
    assert desk.engine.counters.over_max_queue == 3


def test_jobs_take_limited_memory() -> None:
    desk = Desk(ServerSettings(max_memory=10_000))
    client, worker = desk.visitor(), desk.visitor(wire.CanDo(F))
    created(client, submit(payload=b"x" * 9_000))
    refused(
        client, submit(payload=b"x" * 1_000), b"QUEUE_ERROR", b"Server has no memory for more jobs"
    )
    created(client, submit(payload=b"x" * 100))
    assert desk.engine.counters.over_max_memory == 1
    work_off(worker)
    created(client, submit(payload=b"x" * 9_000))


def test_a_job_that_is_refused_makes_no_function() -> None:
    desk = Desk(ServerSettings(max_memory=1))
    client = desk.visitor()
    refused(client, submit(payload=b"xx"), b"QUEUE_ERROR", b"Server has no memory for more jobs")
    assert client.ask(b"status\n") == b".\n"


def test_clients_that_join_a_job_take_limited_memory() -> None:
    desk = Desk(ServerSettings(max_memory=JOB_SIZE + 2 * CLIENT_SIZE))
    first, second, third = (desk.visitor() for _ in range(3))
    packet = wire.SubmitJob(F, KEY, b"")
    handle = created(first, packet)
    for visitor in (second, first, second):
        assert created(visitor, packet) == handle
    refused(third, packet, b"QUEUE_ERROR", b"Server has no memory for more jobs")
    assert created(third, submit(unique=KEY)) == handle  # nobody waits for that one
    first.leave()
    assert created(third, packet) == handle


def test_what_jobs_take_is_given_back_whatever_becomes_of_them() -> None:
    desk = Desk()
    limits = desk.engine.limits
    client, other, worker = desk.visitor(), desk.visitor(), desk.visitor()
    worker.send(wire.CanDoTimeout(F, b"5000"))
    packet = wire.SubmitJob(F, KEY, b"payload")
    foreground = JOB_SIZE + len(b"payload") + len(KEY) + CLIENT_SIZE
    handle = created(client, packet)
    assert limits.used == foreground
    created(other, packet)
    created(other, packet)
    assert limits.used == foreground + CLIENT_SIZE
    other.leave()
    assert limits.used == foreground
    answer(worker, wire.GrabJobUniq())
    assert limits.used == foreground + TIMER_SIZE
    desk.wait(6.0)
    assert limits.used == foreground
    answer(worker, wire.GrabJobUniq())
    assert client.ask(b"cancel job %b\n" % handle).endswith(b"OK\r\n")
    assert limits.used == foreground + TIMER_SIZE - CLIENT_SIZE
    worker.send(wire.WorkComplete(handle, b""))
    assert limits.used == 0
    late = wire.SubmitJobEpoch(F, NO_KEY, b"%d" % (desk.wall + 9), b"late")
    handles = [created(client, late), created(client, late)]
    assert limits.used == 2 * (JOB_SIZE + 4 + TIMER_SIZE)
    assert client.ask(b"cancel job %b\n" % handles[0]) == b"OK\r\n"
    assert limits.used == JOB_SIZE + 4 + TIMER_SIZE
    desk.wait(10.0)
    assert limits.used == JOB_SIZE + 4
    work_off(worker)
    assert limits.used == 0


def test_of_many_refusals_the_log_has_a_line_now_and_then(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING, "gear.Server")
    desk = Desk(ServerSettings(max_jobs=1))
    client = desk.visitor(submit())
    client.said()
    for _ in range(100):
        answer(client, submit())
    assert len(caplog.messages) == 1
    assert "Submissions over --max-jobs" in caplog.messages[0]
    desk.wait(11.0)
    answer(client, submit())
    assert "99 more" in caplog.messages[1]
    assert desk.engine.counters.over_max_jobs == 101


# Functions


def test_too_many_functions_are_refused() -> None:
    desk = Desk(ServerSettings(max_functions=2))
    client, worker = desk.visitor(), desk.visitor(wire.CanDo(F))
    created(client, submit(G))
    refused(client, submit(FunctionName(b"h")), b"QUEUE_ERROR", b"Server has too many functions")
    h = wire.CanDo(FunctionName(b"h"))
    refused(worker, h, b"TOO_MANY_FUNCTIONS", b"Server has too many functions")
    assert client.ask(b"create function h\n").startswith(b"ERR TOO_MANY_FUNCTIONS ")
    assert client.ask(b"jobtimeout h 5\n").startswith(b"ERR TOO_MANY_FUNCTIONS ")
    assert desk.engine.counters.over_max_functions == 4
    created(client, submit(F))
    worker.send(wire.CanDo(G))
    assert worker.heard() == []


def test_idle_functions_make_room_for_new_ones() -> None:
    desk = Desk(ServerSettings(max_functions=2))
    worker = desk.visitor(wire.CanDo(F), wire.CanDo(G), wire.CantDo(F))
    worker.send(wire.CanDo(FunctionName(b"h")))
    assert worker.heard() == []
    assert sorted(desk.engine.queues.functions) == [b"g", b"h"]


def test_a_worker_has_limited_functions_and_so_have_all() -> None:
    desk = Desk(ServerSettings(max_functions_per_worker=2, max_registrations=3))
    one, other = desk.visitor(wire.CanDo(F), wire.CanDo(G)), desk.visitor(wire.CanDo(F))
    h = wire.CanDo(FunctionName(b"h"))
    refused(one, h, b"TOO_MANY_FUNCTIONS", b"Worker has too many functions")
    refused(other, h, b"TOO_MANY_FUNCTIONS", b"All workers together have too many functions")
    for visitor in (one, other):
        visitor.send(wire.CanDo(F))  # again
        assert visitor.heard() == []
    one.leave()
    other.send(h)
    assert other.heard() == []
    assert desk.engine.scheduler.registrations == 2
    counters = desk.engine.counters
    assert (counters.over_max_functions_per_worker, counters.over_max_registrations) == (1, 1)


def names(number: int) -> list[FunctionName]:
    return [FunctionName(b"function-%d" % index) for index in range(number)]


def test_idle_functions_are_forgotten_the_one_idle_longest_first() -> None:
    desk = Desk()
    worker = desk.visitor()
    known = desk.engine.queues.functions
    worker.ask(b"create function created\n")
    worker.send(wire.CanDo(F))
    worker.ask(b"maxqueue f 5\n")
    first, second, third, *rest = names(IDLE_FUNCTIONS + 2)
    for name in (F, first, second, third):
        worker.send(wire.CanDo(name), wire.CantDo(name))
    worker.send(submit(second))
    worker.send(wire.CanDo(first), wire.CantDo(first))
    for name in rest:
        worker.send(wire.CanDo(name), wire.CantDo(name))
    assert third not in known
    assert {b"created", F, first, second} < known.keys()
    assert len(known) == IDLE_FUNCTIONS + 3


def test_a_function_is_remembered_for_status_when_its_work_is_over() -> None:
    desk = Desk()
    client, worker = desk.visitor(submit()), desk.visitor(wire.CanDo(F))
    client.said()
    work_off(worker)
    worker.leave()
    assert client.ask(b"status\n") == b"f\t0\t0\t0\n.\n"


def test_functions_are_forgotten_when_all_have_left() -> None:
    desk = Desk()
    worker, client = desk.visitor(), desk.visitor()
    for name in names(3 * IDLE_FUNCTIONS):
        worker.say(wire.CanDo(name))
        client.say(wire.SubmitJob(FunctionName(b"job-" + name), NO_KEY, b""))
    worker.leave()
    client.leave()
    for _ in range(100):
        desk.end_turn()
    assert len(desk.engine.queues.functions) == IDLE_FUNCTIONS
    assert desk.engine.limits.used == desk.engine.scheduler.registrations == 0


# A worker that holds a job for ever


@pytest.mark.parametrize(
    ("ability", "ends"),
    [
        (wire.CanDo(F), 10.0),
        (wire.CanDoTimeout(F, b"5000"), 5.0),
        (wire.CanDoTimeout(F, b"20000"), 10.0),
        (wire.CanDoTimeout(F, b"0"), 10.0),
    ],
)
def test_the_shorter_of_both_time_limits_counts(ability: BasePacket, ends: float) -> None:
    desk = Desk(ServerSettings(job_timeout=10.0, job_retries=-1))
    client, worker = desk.visitor(submit()), desk.visitor(ability)
    assert isinstance(answer(worker, wire.GrabJobUniq()), wire.JobAssignUnique)
    desk.wait(ends - 0.5)
    assert desk.engine.counters.timed_out == 0
    desk.wait(1.0)
    assert desk.engine.counters.timed_out == desk.engine.counters.requeued == 1
    assert isinstance(answer(worker, wire.GrabJobUniq()), wire.JobAssignUnique)
    client.leave()


def test_a_function_has_a_time_limit_of_its_own() -> None:
    desk = Desk(ServerSettings(job_timeout=10.0, job_retries=-1))
    client = desk.visitor()
    worker = desk.visitor(wire.CanDo(F), wire.CanDo(G), wire.CanDo(FunctionName(b"h")))
    assert client.ask(b"jobtimeout f 30\n") == client.ask(b"jobtimeout g 0\n") == b"OK\r\n"
    for name in (F, G, FunctionName(b"h")):
        client.send(submit(name))
        answer(worker, wire.GrabJobUniq())
    desk.wait(11.0)
    assert desk.engine.counters.timed_out == 1
    desk.wait(20.0)
    assert desk.engine.counters.timed_out == 2
    desk.wait(10_000.0)
    assert desk.engine.counters.timed_out == 2


@pytest.mark.parametrize("words", [b"f", b"f x", b"f -1", b"f " + b"9" * 5000, b"f 1 2", b""])
def test_a_time_limit_is_whole_seconds(words: bytes) -> None:
    desk = Desk()
    assert desk.visitor().ask(b"jobtimeout %b\n" % words).startswith(b"ERR ")
    assert not desk.engine.queues.functions
