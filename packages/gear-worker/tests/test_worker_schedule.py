"""When entries of a schedule are due, which jobs a scheduler hands over, and which are left out."""

from collections.abc import Callable

import pytest

from gear_wire.errors import ConfigurationError, GearmanError, ProtocolError, ServerError
from gear_wire.functions.schedule import Every
from gear_wire.jobs import BaseJob
from gear_wire.packets import (
    Error,
    GetStatusUnique,
    JobCreated,
    Noop,
    SetClientID,
    StatusResUnique,
    SubmitJobEpoch,
)
from gear_wire.types import FunctionName, Handle, UniqueKey
from gear_worker.schedule.missed import Missed
from gear_worker.schedule.plan import AHEAD, FAILOVER, LAG, MARGIN, Holder, Plan
from gear_worker.schedule.session import ScheduleSession
from gear_worker.schedule.times import Regular, Times, times_of

pytest.importorskip("cronsim", reason="it comes with the extra cli, not with gear-worker alone")

MIDNIGHT = 1_800_057_600  # 2027-01-16T00:00:00Z, a Saturday
FIRST, SECOND = Holder("one", 1), Holder("two", 2)
AGAIN = Holder("one", 3)


def cron(expression: str) -> Times:
    return times_of(Every("f", cron=expression))


# Times


@pytest.mark.parametrize(
    ("times", "before", "after"),
    [
        (Regular(30), MIDNIGHT, MIDNIGHT + 30),
        (Regular(86400), MIDNIGHT, MIDNIGHT + 86400),
        (Regular(1), MIDNIGHT, MIDNIGHT + 1),
        (cron("* * * * *"), MIDNIGHT, MIDNIGHT + 60),
        (cron("0 2 * * *"), MIDNIGHT - 22 * 3600, MIDNIGHT + 2 * 3600),
        (cron("*/5 * * * 6"), MIDNIGHT, MIDNIGHT + 300),
        (cron("0 0 1 1 *"), 1_798_761_600, 1_830_297_600),
    ],
)
def test_times_are_those_before_and_after(times: Times, before: int, after: int) -> None:
    for moment in (MIDNIGHT, MIDNIGHT + 0.5):
        assert times.before(moment) == before
        assert times.after(moment) == after
    assert times.before(after) == after
    assert times.after(before) == after
    assert times.before(after - 0.25) == before
    assert times.after(after - 0.25) == after


def test_times_of_broken_seconds_are_whole_and_the_same_for_all() -> None:
    times = Regular(1.5)
    assert [times.after(MIDNIGHT + moment) for moment in (0, 1.9, 2, 3)] == [
        MIDNIGHT + 2, MIDNIGHT + 2, MIDNIGHT + 3, MIDNIGHT + 5,
    ]  # fmt: skip


@pytest.mark.parametrize("expression", ["x * * * *", "60 * * * *", "0 0 31 2 *"])
def test_an_expression_that_is_never_due_is_refused(expression: str) -> None:
    with pytest.raises(ConfigurationError, match=r"f: .* is not a cron expression"):
        cron(expression)


# Uniques


def test_a_unique_names_function_and_time_and_fits_into_gearmands() -> None:
    assert Every("sweep").unique(7) == "every:sweep:7"
    long = Every("x" * 512).unique(MIDNIGHT)
    assert len(long) <= 63
    assert long != Every("x" * 511).unique(MIDNIGHT)


# Plans


def plan(times: Times) -> Plan:
    return Plan(Every("f"), times)


def hand_over(known: Plan, now: float, holder: Holder) -> list[int]:
    wanted = known.wanted(now, holder)
    known.held.update(dict.fromkeys(wanted, holder))
    return wanted


def test_the_next_job_is_handed_over_once() -> None:
    hourly = plan(Regular(3600))
    assert hand_over(hourly, MIDNIGHT + 1, FIRST) == [MIDNIGHT + 3600]
    assert hand_over(hourly, MIDNIGHT + 2, FIRST) == []
    assert hand_over(hourly, MIDNIGHT + 3600 + LAG, FIRST) == [MIDNIGHT + 7200]


def test_a_job_is_not_handed_over_shortly_before_it_is_due() -> None:
    # Another scheduler may have given it, and it may have run by the time this one's arrives.
    hourly = plan(Regular(3600))
    assert hand_over(hourly, MIDNIGHT + 3600 - MARGIN + 0.1, FIRST) == [MIDNIGHT + 7200]


def test_jobs_that_are_due_often_are_handed_over_some_seconds_ahead() -> None:
    every_second = plan(Regular(1))
    wanted = hand_over(every_second, MIDNIGHT, FIRST)
    assert wanted[0] > MIDNIGHT + MARGIN
    assert wanted[-1] == MIDNIGHT + AHEAD
    assert hand_over(every_second, MIDNIGHT + 1 + LAG, FIRST) == [MIDNIGHT + AHEAD + 1]


def test_a_server_that_was_connected_anew_is_given_its_jobs_again() -> None:
    hourly = plan(Regular(3600))
    hand_over(hourly, MIDNIGHT, FIRST)
    assert hand_over(hourly, MIDNIGHT + 10, AGAIN) == [MIDNIGHT + 3600]
    assert hand_over(hourly, MIDNIGHT + 20, AGAIN) == []


def test_a_job_goes_to_another_server_only_when_it_is_soon_due() -> None:
    hourly = plan(Regular(3600))
    due = MIDNIGHT + 3600
    hand_over(hourly, MIDNIGHT, FIRST)
    assert hand_over(hourly, MIDNIGHT + 10, SECOND) == []
    assert hourly.wake(MIDNIGHT + 10, SECOND) == due - FAILOVER
    assert hourly.wanted(due - FAILOVER, SECOND, [FIRST]) == []
    assert hand_over(hourly, due - FAILOVER, SECOND) == [due]


def test_a_scheduler_looks_again_shortly_after_a_due_time() -> None:
    hourly = plan(Regular(3600))
    assert hourly.wake(MIDNIGHT + 1, FIRST) == MIDNIGHT + 3600 + LAG
    assert hourly.wake(MIDNIGHT + 3600, FIRST) == MIDNIGHT + 3600 + LAG
    assert hourly.wake(MIDNIGHT + 3600 + LAG, FIRST) == MIDNIGHT + 7200 + LAG


def test_a_job_that_is_due_is_asked_about_once_the_next_is_due_too() -> None:
    hourly = plan(Regular(3600))
    hourly.begin(MIDNIGHT + 1, FIRST)
    assert hourly.overdue(MIDNIGHT + 2, FIRST) == [MIDNIGHT - 3600]
    assert hourly.overdue(MIDNIGHT + 3600, FIRST) == [MIDNIGHT - 3600, MIDNIGHT]
    assert hourly.overdue(MIDNIGHT + 3600, SECOND) == []
    hourly.forget_past(MIDNIGHT + 3600, AGAIN)
    assert hourly.held == {}


def test_nothing_is_handed_over_while_one_waits_for_a_worker() -> None:
    hourly = plan(Regular(3600))
    hourly.crowded = True
    assert hand_over(hourly, MIDNIGHT, FIRST) == []


# What one server is told


class Told:
    def __init__(self) -> None:
        self.answers: list[bool | GearmanError] = []

    @property
    def settle(self) -> Callable[[bool | GearmanError], None]:
        return self.answers.append


def session() -> ScheduleSession:
    made = ScheduleSession(b"me")
    made.greet()
    assert made.packets_to_send() == [SetClientID(b"me")]  # type: ignore[arg-type]  # a NewType
    return made


def job() -> BaseJob:
    return BaseJob("f", b"{}", "every:f:7")


def test_a_job_is_handed_over_for_its_time() -> None:
    told, mine = Told(), session()
    mine.hand_over(job(), 7, told.settle)
    packet = SubmitJobEpoch(FunctionName(b"f"), UniqueKey(b"every:f:7"), b"7", b"{}")
    assert mine.packets_to_send() == [packet]
    mine.apply(JobCreated(Handle(b"H:1")))
    assert told.answers == [True]


def test_a_refusal_is_told_to_whoever_asked_first() -> None:
    first, second, mine = Told(), Told(), session()
    mine.hand_over(job(), 7, first.settle)
    mine.hand_over(job(), 8, second.settle)
    mine.apply(Error(b"QUEUE_ERROR", b"Job queue is full"))
    mine.apply(JobCreated(Handle(b"H:1")))
    (refusal,) = first.answers
    assert isinstance(refusal, ServerError)
    assert second.answers == [True]


@pytest.mark.parametrize(
    ("known", "running", "waits"),
    [(b"1", b"0", True), (b"1", b"1", False), (b"0", b"0", False)],
)
def test_only_what_has_not_begun_waits(known: bytes, running: bytes, waits: bool) -> None:
    told, mine = Told(), session()
    mine.ask(b"u", told.settle)
    assert mine.packets_to_send() == [GetStatusUnique(UniqueKey(b"u"))]
    mine.apply(StatusResUnique(UniqueKey(b"u"), known, running, b"0", b"0", b"0"))
    assert told.answers == [waits]


def test_what_answers_nothing_is_not_believed() -> None:
    mine = session()
    for packet in (
        JobCreated(Handle(b"H:1")),
        StatusResUnique(UniqueKey(b"u"), b"1", b"0", b"0", b"0", b"0"),
        Error(b"QUEUE_ERROR", b""),
        Noop(),
    ):
        with pytest.raises(ProtocolError):
            mine.apply(packet)
    mine.ask(b"u", Told().settle)
    with pytest.raises(ProtocolError):
        mine.apply(StatusResUnique(UniqueKey(b"v"), b"1", b"0", b"0", b"0", b"0"))


def test_a_lost_connection_is_told_to_all_who_wait() -> None:
    handed, asked, mine = Told(), Told(), session()
    mine.hand_over(job(), 7, handed.settle)
    mine.ask(b"u", asked.settle)
    assert mine.lost("it hung up") == []
    for told in (handed, asked):
        (error,) = told.answers
        assert isinstance(error, GearmanError)
        assert "it hung up" in str(error)


# What a worker leaves out


def unique(due: int) -> bytes:
    return Every("f").unique(due).encode()


def test_a_job_that_waited_until_the_next_was_due_is_missed() -> None:
    skipping = Missed([Every("f", seconds=60.0)])
    assert not skipping.is_missed("f", unique(MIDNIGHT), MIDNIGHT + 59.9)
    assert skipping.is_missed("f", unique(MIDNIGHT), MIDNIGHT + 60)


def test_a_job_that_is_run_once_is_never_too_late() -> None:
    running = Missed([Every("f", seconds=60.0, missed="once")])
    assert not running.is_missed("f", unique(MIDNIGHT), MIDNIGHT + 86400)


def test_a_time_that_the_schedule_does_not_name_any_more_is_missed() -> None:
    changed = Missed([Every("f", cron="30 * * * *", missed="once")])
    assert changed.is_missed("f", unique(MIDNIGHT), MIDNIGHT)
    assert not changed.is_missed("f", unique(MIDNIGHT + 1800), MIDNIGHT + 1800)


def test_one_entry_that_wants_a_job_is_enough() -> None:
    both = Missed([Every("f", seconds=60.0), Every("f", seconds=3600.0, missed="once")])
    assert not both.is_missed("f", unique(MIDNIGHT), MIDNIGHT + 86400)
    assert both.is_missed("f", unique(MIDNIGHT + 60), MIDNIGHT + 86400)


@pytest.mark.parametrize("other", [None, b"", b"mine", b"every:f:x", b"every:g:0", b"f:0"])
def test_a_job_of_somebody_elses_is_always_run(other: bytes | None) -> None:
    schedule = Missed([Every("f", seconds=60.0)])
    assert not schedule.is_missed("f", other, MIDNIGHT)
    assert not schedule.is_missed("g", unique(0), MIDNIGHT)
