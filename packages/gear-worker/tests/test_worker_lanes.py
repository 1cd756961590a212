"""Functions with limits of their own: which jobs are asked for, and over which connection."""

import pytest

from gear_wire.packets import BasePacket, CanDo, GrabJobUniq, JobAssignUnique, NoJob, PreSleep
from gear_wire.types import FunctionName, Handle, UniqueKey
from gear_worker.functions import FunctionRecord
from gear_worker.jobs import Assigned, WorkerJob
from gear_worker.runner.lanes import FunctionLane
from gear_worker.session import Assignments, WorkerSession


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Desk:
    """A worker without a network: one connection for all, and one for a lane."""

    def __init__(self, lane: FunctionLane, servers: int = 1) -> None:
        self.assignments: Assignments[WorkerJob] = Assignments(_make_job)
        self.assignments.register(FunctionRecord("free"))
        self.general = [self._open(None) for _ in range(servers)]
        self.limited = [self._open(lane) for _ in range(servers)]
        for session in (*self.general, *self.limited):
            session.greet()
            sent(session)

    def _open(self, lane: FunctionLane | None) -> WorkerSession[WorkerJob]:
        return WorkerSession(b"w", self.assignments, {}, lane=lane)

    def asked(self) -> tuple[list[bool], list[bool]]:
        """Tell over which connections a job is asked for now, since the last time."""
        return (
            [GrabJobUniq() in sent(session) for session in self.general],
            [GrabJobUniq() in sent(session) for session in self.limited],
        )


def _make_job(session: WorkerSession[WorkerJob], packet: Assigned) -> WorkerJob:
    return WorkerJob.from_packet(packet)


def sent(session: WorkerSession[WorkerJob]) -> list[BasePacket]:
    return session.packets_to_send()


def assign(session: WorkerSession[WorkerJob], function: str, number: int) -> None:
    session.apply(
        JobAssignUnique(
            Handle(b"H:%d" % number), FunctionName(function.encode()), UniqueKey(b""), b""
        )
    )


@pytest.fixture
def clock() -> Clock:
    return Clock()


def lane(clock: Clock, concurrency: int = 1, rate: float | None = None) -> FunctionLane:
    return FunctionLane(FunctionRecord("limited"), concurrency, rate, clock)


def test_a_connection_has_the_functions_of_its_lane_alone(clock: Clock) -> None:
    desk = Desk(lane(clock))
    general, limited = desk._open(None), desk._open(lane(clock))
    for session in (general, limited):
        session.greet()
    assert CanDo(FunctionName(b"free")) in sent(general)
    packets = sent(limited)
    assert CanDo(FunctionName(b"limited")) in packets
    assert CanDo(FunctionName(b"free")) not in packets


def test_no_more_is_asked_for_than_may_start(clock: Clock) -> None:
    limits = lane(clock, concurrency=2)
    desk = Desk(limits, servers=3)
    desk.assignments.want(10)
    assert desk.asked() == ([True] * 3, [True, True, False])
    assign(desk.limited[0], "limited", 1)
    desk.assignments.jobs.clear()
    assert desk.asked() == ([False] * 3, [False] * 3)
    desk.limited[1].apply(NoJob())
    # Another server may have what this one has not.
    assert sum(desk.asked()[1]) == 1


def test_one_place_is_promised_to_one_connection(clock: Clock) -> None:
    desk = Desk(lane(clock, concurrency=5))
    desk.assignments.want(1)
    general, limited = desk.asked()
    assert sum((*general, *limited)) == 1


def test_a_lane_that_is_full_sleeps_and_is_asked_again(clock: Clock) -> None:
    limits = lane(clock)
    desk = Desk(limits)
    desk.assignments.want(3)
    assert desk.asked() == ([True], [True])
    assign(desk.limited[0], "limited", 1)
    desk.assignments.jobs.clear()
    desk.assignments.want(2)
    assert desk.asked() == ([False], [False])
    limits.over()
    desk.assignments.want(3)
    assert desk.asked() == ([False], [True])
    desk.limited[0].apply(NoJob())
    assert PreSleep() in sent(desk.limited[0])


def test_a_rate_spaces_starts(clock: Clock) -> None:
    limits = lane(clock, concurrency=10, rate=4)
    assert limits.room() == 1
    limits.assigned()
    assert (limits.room(), limits.wait()) == (0, 0.25)
    clock.now += 0.2
    assert limits.room() == 0
    clock.now += 0.06
    assert limits.room() == 1
    clock.now += 100
    limits.assigned()
    assert limits.wait() == 0.25  # what was not used is lost


def test_a_connection_that_is_retired_asks_for_nothing(clock: Clock) -> None:
    desk = Desk(lane(clock))
    desk.general[0].retired = True
    desk.assignments.want(5)
    assert desk.asked() == ([False], [True])
