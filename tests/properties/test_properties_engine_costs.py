"""What a job costs the engine, in lines of Python run: the same however much else there is."""

import sys
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING

import pytest

from gear_server.engine.commands import text_rules
from gear_server.engine.engine import Engine
from gear_server.engine.rules import packet_rules
from gear_server.engine.state import Peer
from gear_server.settings import UNLIMITED, ServerSettings
from gear_wire.codec import encode
from gear_wire.framing import FrameReader
from gear_wire.packets import (
    BasePacket,
    CanDo,
    CantDo,
    GetStatusUnique,
    GrabJobUniq,
    PreSleep,
    ResetAbilities,
    SubmitJob,
    SubmitJobBg,
    WorkComplete,
)
from gear_wire.types import FunctionName, Handle, UniqueKey
from support.memory_store import MemoryStore, PureKeeper

if TYPE_CHECKING:
    from _typeshed import TraceFunction

FEW, MANY = 20, 2000
MINE = FunctionName(b"mine")
NO_KEY = UniqueKey(b"")


class Desk:
    """An engine with connections that speak to it."""

    def __init__(self) -> None:
        settings = ServerSettings(job_retries=UNLIMITED)
        self.engine = Engine(settings, packet_rules(), text_rules(), wall_clock=lambda: 1.0)
        self.lines = 0

    def peer(self, *packets: BasePacket) -> Peer:
        peer = Peer()
        self.engine.add(peer)
        self.say(peer, *packets)
        return peer

    def say(self, peer: Peer, *packets: BasePacket) -> bytes:
        events = FrameReader().feed(b"".join(encode(packet) for packet in packets))
        self.engine.receive(peer, events, 1.0)
        for dirty in self.engine.end_turn(1.0):
            if dirty is not peer:
                dirty.sendable.clear()
        said = b"".join(peer.sendable)
        peer.sendable.clear()
        self.engine.outboxes.sent(peer, 0)
        return said

    def count(self, action: Callable[[], object]) -> int:
        """Return how many lines of Python an action runs."""
        self.lines = 0
        before = sys.gettrace()
        sys.settrace(self._trace)
        try:
            action()
        finally:
            sys.settrace(before)
        return self.lines

    def _trace(self, frame: FrameType, event: str, argument: object) -> "TraceFunction | None":
        if "gear_" not in frame.f_code.co_filename:
            return None  # the collector's callbacks run between any two lines
        if event == "line":
            self.lines += 1
        return self._trace


def one_job(desk: Desk, client: Peer, worker: Peer) -> None:
    """One job from its submission to its end, its worker asleep before and after."""
    desk.say(client, SubmitJob(MINE, NO_KEY, b"x"))
    assigned = desk.say(worker, GrabJobUniq())
    handle = Handle(assigned[12:].split(b"\0")[0])
    desk.say(worker, WorkComplete(handle, b"y"), GrabJobUniq(), PreSleep())


def queued_jobs(desk: Desk, number: int) -> None:
    """Jobs of the same function wait, so that the worker never sleeps."""
    client = desk.peer()
    for _ in range(number):
        desk.say(client, SubmitJobBg(MINE, NO_KEY, b"x"))


def other_functions(desk: Desk, number: int) -> None:
    """As many functions with a job each, which the worker cannot do."""
    client = desk.peer()
    for index in range(number):
        desk.say(client, SubmitJobBg(FunctionName(b"other-%d" % index), NO_KEY, b"x"))


def other_connections(desk: Desk, number: int) -> None:
    """As many connections that say nothing."""
    for _ in range(number):
        desk.peer()


def other_workers(desk: Desk, number: int) -> None:
    """As many workers that sleep, of another function."""
    for _ in range(number):
        desk.peer(CanDo(FunctionName(b"other")), PreSleep())


def sleepers(desk: Desk, number: int) -> None:
    """As many workers of the same function, asleep behind the one that is woken."""
    for _ in range(number):
        desk.peer(CanDo(MINE), PreSleep())


def unique_jobs(desk: Desk, number: int) -> None:
    """As many jobs with a unique, of another function."""
    client = desk.peer()
    other = FunctionName(b"other")
    for index in range(number):
        desk.say(client, SubmitJobBg(other, UniqueKey(b"key-%d" % index), b"x"))


def cost(crowd: Callable[[Desk, int], None], number: int) -> int:
    desk = Desk()
    client = desk.peer()
    worker = desk.peer(CanDo(MINE), PreSleep())
    crowd(desk, number)
    one_job(desk, client, worker)
    return desk.count(lambda: one_job(desk, client, worker))


@pytest.mark.parametrize(
    "crowd",
    [queued_jobs, other_functions, other_connections, other_workers, sleepers, unique_jobs],
    ids=lambda crowd: str(crowd.__name__),
)
def test_a_job_costs_the_same_in_a_crowd(crowd: Callable[[Desk, int], None]) -> None:
    assert cost(crowd, MANY) == cost(crowd, FEW)


def test_a_worker_of_many_functions_costs_no_more() -> None:
    costs = []
    for number in (FEW, MANY):
        desk = Desk()
        client = desk.peer()
        names = [CanDo(FunctionName(b"other-%d" % index)) for index in range(number)]
        worker = desk.peer(*names, CanDo(MINE), PreSleep())
        one_job(desk, client, worker)
        costs.append(desk.count(lambda: one_job(desk, client, worker)))  # noqa: B023  (called at once)
    assert costs[0] == costs[1]


def test_many_submissions_of_one_unique_cost_the_same_each() -> None:
    desk = Desk()
    client = desk.peer()
    packet = SubmitJob(MINE, UniqueKey(b"key"), b"x")
    desk.say(client, packet)
    costs = [desk.count(lambda: desk.say(client, packet)) for _ in range(MANY)]
    assert len(set(costs[1:])) == 1


def test_asking_by_unique_looks_at_one_job() -> None:
    costs = []
    for number in (FEW, MANY):
        desk = Desk()
        client = desk.peer()
        for index in range(number):
            name = FunctionName(b"other-%d" % index)
            desk.say(client, SubmitJobBg(name, UniqueKey(b"key-%d" % index), b"x"))
        ask = GetStatusUnique(UniqueKey(b"key-1"))
        costs.append(desk.count(lambda: desk.say(client, ask)))  # noqa: B023  (called at once)
    assert costs[0] == costs[1]


def test_a_client_that_leaves_costs_its_own_jobs_alone() -> None:
    costs = []
    for number in (FEW, MANY):
        desk = Desk()
        other = desk.peer()
        for _ in range(number):
            desk.say(other, SubmitJob(MINE, NO_KEY, b"x"))
        first, leaving = (desk.peer(SubmitJob(MINE, NO_KEY, b"x")) for _ in range(2))
        desk.say(other, SubmitJob(MINE, NO_KEY, b"x"))
        desk.engine.connection_lost(first, 1.0)  # a logger finds its level when it is first asked
        costs.append(desk.count(lambda: desk.engine.connection_lost(leaving, 1.0)))  # noqa: B023  (called at once)
        assert len(desk.engine.jobs) == number + 1
    assert costs[0] == costs[1]


def functions(start: int, number: int) -> list[FunctionName]:
    return [FunctionName(b"function-%d" % index) for index in range(start, start + number)]


def one_unique_everywhere(desk: Desk, number: int) -> Peer:
    """Return a client with a job of the same unique in each of many functions."""
    client = desk.peer()
    for name in functions(0, number):
        desk.say(client, SubmitJobBg(name, UniqueKey(b"key"), b"x"))
    return client


def test_one_unique_in_many_functions_costs_the_same_each() -> None:
    costs = []
    for number in (FEW, MANY):
        desk = Desk()
        client = one_unique_everywhere(desk, number)
        submit = SubmitJobBg(MINE, UniqueKey(b"key"), b"x")
        costs.append(desk.count(lambda: desk.say(client, submit, submit)))  # noqa: B023  (called at once)
    assert costs[0] == costs[1]


def test_jobs_of_one_unique_end_in_any_order_at_the_same_cost() -> None:
    costs = []
    for number in (FEW, MANY):
        desk = Desk()
        client = one_unique_everywhere(desk, number)
        ask = GetStatusUnique(UniqueKey(b"key"))
        for job in list(desk.engine.jobs.values())[1 : number // 2 : 2]:
            desk.engine.remove(job, "completed")
        for job in (*list(desk.engine.jobs.values())[:2], *list(desk.engine.jobs.values())[-2:]):
            steps = [
                desk.count(lambda: desk.engine.remove(job, "completed")),  # noqa: B023  (called at once)
                desk.count(lambda: desk.say(client, ask)),  # noqa: B023  (called at once)
            ]
            costs.append(sum(steps))
    assert costs[:4] == costs[4:]


def crowded_worker(desk: Desk, number: int) -> Peer:
    """Return a worker of many functions, beside as many others that have jobs."""
    client = desk.peer()
    for name in functions(number, number):
        desk.say(client, SubmitJobBg(name, NO_KEY, b"x"))
    worker = desk.peer(*map(CanDo, functions(0, number)))
    desk.say(worker, GrabJobUniq(), PreSleep())  # it knows its functions from here on
    return worker


def test_a_worker_of_many_functions_beside_many_queues_finds_nothing_at_the_same_cost() -> None:
    costs = []
    for number in (FEW, MANY):
        desk = Desk()
        worker = crowded_worker(desk, number)
        costs.append(desk.count(lambda: desk.say(worker, GrabJobUniq(), PreSleep())))  # noqa: B023  (called at once)
    assert costs[0] == costs[1]


def test_a_worker_of_many_functions_beside_many_queues_finds_its_job_at_the_same_cost() -> None:
    costs = []
    for number in (FEW, MANY):
        desk = Desk()
        worker = crowded_worker(desk, number)
        client = desk.peer()
        name = functions(number // 2, 1)[0]

        def job() -> None:
            desk.say(client, SubmitJob(name, NO_KEY, b"x"))  # noqa: B023  (called at once)
            assigned = desk.say(worker, GrabJobUniq())  # noqa: B023  (called at once)
            handle = Handle(assigned[12:].split(b"\0")[0])
            desk.say(worker, WorkComplete(handle, b"y"), GrabJobUniq(), PreSleep())  # noqa: B023  (called at once)

        job()
        costs.append(desk.count(job))
    assert costs[0] == costs[1]


def test_what_others_queue_and_take_costs_a_searching_worker_at_most_its_functions() -> None:
    desk = Desk()
    worker = crowded_worker(desk, FEW)
    grab = desk.count(lambda: desk.say(worker, GrabJobUniq(), PreSleep()))
    other = desk.peer()
    names = functions(FEW, MANY)
    for name in names:
        desk.say(other, SubmitJobBg(name, NO_KEY, b"x"))
    later = desk.count(lambda: desk.say(worker, GrabJobUniq(), PreSleep()))
    assert later < grab + 10 * FEW


def test_taking_functions_back_costs_the_same_with_many_jobs() -> None:
    costs = []
    for number in (FEW, MANY):
        desk = Desk()
        queued_jobs(desk, number)
        worker = desk.peer(CanDo(MINE), CanDo(FunctionName(b"other")))
        for _ in range(number):
            desk.say(worker, GrabJobUniq())
        assert len(worker.assigned) == number
        costs.append(desk.count(lambda: desk.say(worker, CantDo(MINE), ResetAbilities())))  # noqa: B023  (called at once)
    assert costs[0] == costs[1]


def test_a_job_that_is_kept_costs_the_same_beside_many_others() -> None:
    def cost(others: int) -> int:
        desk = Desk()
        keeper = PureKeeper(desk.engine, MemoryStore())

        def write(now: float) -> None:
            assert keeper.take(now) is not None
            keeper.finish(now)

        client, worker = desk.peer(), desk.peer(CanDo(MINE))
        for number in range(others):
            desk.say(client, SubmitJobBg(MINE, UniqueKey(b"u%d" % number), b""))
        write(1.0)
        desk.say(client)

        def live() -> None:
            """Keep a job, give one out, and forget that one."""
            desk.say(client, SubmitJobBg(MINE, NO_KEY, b""))
            write(2.0)
            handle = desk.say(worker, GrabJobUniq())[12:].partition(b"\0")[0]
            desk.say(worker, WorkComplete(Handle(handle), b""))
            assert keeper.take(3.0) is None
            write(4.0)

        live()  # Python 3.12 traces one line less of a loop in its first run
        return desk.count(live)

    assert cost(FEW) == cost(MANY)
