"""WorkerSession and Assignments without a network: packets in, packets and jobs out."""

import pytest

from gear_wire.errors import DisconnectError, ProtocolError
from gear_wire.jobs import BaseJob
from gear_wire.packets import (
    BasePacket,
    CanDo,
    CanDoTimeout,
    CantDo,
    EchoRes,
    Error,
    GrabJob,
    GrabJobAll,
    GrabJobUniq,
    JobAssign,
    JobAssignAll,
    JobAssignUnique,
    JobCreated,
    NoJob,
    Noop,
    OptionReq,
    OptionRes,
    PreSleep,
    ResetAbilities,
    SetClientID,
    WorkComplete,
    WorkData,
    WorkException,
    WorkFail,
    WorkStatus,
)
from gear_wire.types import ClientID, FunctionName, Handle, UniqueKey
from gear_worker import FunctionRecord, WorkerJob
from gear_worker.jobs import Assigned
from gear_worker.session import ASK_AGAIN, GRAB_PATIENCE, Assignments, WorkerSession
from gear_worker.states import State

REVERSE = FunctionName(b"reverse")
GREETING: list[BasePacket] = [SetClientID(ClientID(b"me"))]
GRAB, SLEEP = GrabJobUniq(), PreSleep()


def assignment(number: int) -> JobAssignUnique:
    return JobAssignUnique(Handle(b"H:%d" % number), REVERSE, UniqueKey(b""), b"test")


class Workplace:
    """A worker with as many connections as a test opens."""

    def __init__(self, grab_all: bool = False) -> None:
        self.assignments: Assignments[WorkerJob] = Assignments(self.make_job, grab_all)
        self.states: list[str] = []
        self.related: list[dict[bytes, BaseJob]] = []

    def make_job(self, session: WorkerSession[WorkerJob], packet: Assigned) -> WorkerJob:
        return WorkerJob(packet.handle, packet.function, packet.payload)

    def open(self) -> WorkerSession[WorkerJob]:
        self.related.append({})
        session = WorkerSession(b"me", self.assignments, self.related[-1], self.states.append)
        session.greet()
        session.spoke(CanDo(REVERSE))
        return session

    def handles(self) -> list[bytes | None]:
        return [job.handle for job in self.assignments.jobs]


@pytest.fixture
def place() -> Workplace:
    return Workplace()


# The greeting


def test_nobody_waits_and_nothing_is_asked_for(place: Workplace) -> None:
    session = place.open()
    assert session.packets_to_send() == GREETING
    assert (session.state, place.states) == (State.IDLE, ["IDLE"])


def test_a_connection_hears_of_all_functions(place: Workplace) -> None:
    place.assignments.register(FunctionRecord("reverse"))
    place.assignments.register(FunctionRecord("count", 5))
    place.assignments.wait()
    assert place.open().packets_to_send() == [
        *GREETING,
        CanDo(REVERSE),
        CanDoTimeout(FunctionName(b"count"), b"5000"),
        GRAB,
    ]


# One connection


def test_a_job_from_waiting_to_its_end(place: Workplace) -> None:
    session = place.open()
    session.packets_to_send()
    place.assignments.wait()
    assert session.packets_to_send() == [GRAB]
    job = session.apply(assignment(1))
    assert place.handles() == [b"H:1"]
    assert place.assignments.jobs.popleft() is job
    place.assignments.leave()
    assert session.packets_to_send() == []
    session.work(WorkData(Handle(b"H:1"), b"x"))
    assert place.related == [{b"H:1": job}]
    session.work(WorkComplete(Handle(b"H:1"), b"y"))
    assert place.related == [{}]
    assert session.packets_to_send() == [
        WorkData(Handle(b"H:1"), b"x"),
        WorkComplete(Handle(b"H:1"), b"y"),
    ]
    assert place.states == ["IDLE", "GRAB_WAIT", "IDLE"]


def test_who_finds_no_job_sleeps_until_a_noop(place: Workplace) -> None:
    session = place.open()
    place.assignments.wait()
    session.packets_to_send()
    session.apply(NoJob())
    assert session.packets_to_send() == [SLEEP]
    assert session.state is State.SLEEP
    session.apply(Noop())
    assert session.packets_to_send() == [GRAB]
    session.apply(assignment(1))
    assert place.handles() == [b"H:1"]


def test_a_noop_that_crosses_a_grab_changes_nothing(place: Workplace) -> None:
    session = place.open()
    place.assignments.wait()
    session.packets_to_send()
    session.apply(Noop())
    assert session.packets_to_send() == []
    session.apply(NoJob())
    assert session.packets_to_send() == [SLEEP]


def test_a_no_job_that_overtakes_registration_leads_to_sleep(place: Workplace) -> None:
    session = place.open()
    place.assignments.wait()
    assert session.packets_to_send() == [*GREETING, GRAB]
    place.assignments.register(FunctionRecord("reverse"))
    assert session.packets_to_send() == [CanDo(REVERSE)]
    session.apply(NoJob())
    assert session.packets_to_send() == [SLEEP]


def test_a_new_function_wakes_a_connection_that_sleeps(place: Workplace) -> None:
    session = place.open()
    place.assignments.wait()
    session.apply(NoJob())
    session.packets_to_send()
    place.assignments.register(FunctionRecord("reverse"))
    assert session.packets_to_send() == [CanDo(REVERSE), GRAB]


def test_nobody_waits_any_more(place: Workplace) -> None:
    session = place.open()
    place.assignments.wait()
    session.packets_to_send()
    place.assignments.leave()
    session.apply(NoJob())
    # It does not sleep: a NOOP would be for nothing.
    assert session.packets_to_send() == []
    assert session.state is State.IDLE
    place.assignments.wait()
    assert session.packets_to_send() == [GRAB]


def test_a_job_that_nobody_waits_for_any_more_is_kept(place: Workplace) -> None:
    session = place.open()
    place.assignments.wait()
    place.assignments.leave()
    session.packets_to_send()
    session.apply(assignment(1))
    place.assignments.wait()
    assert session.packets_to_send() == []
    assert place.handles() == [b"H:1"]


ASSIGNMENTS = {
    GrabJob: JobAssign(Handle(b"H:1"), REVERSE, b"test"),
    GrabJobUniq: assignment(1),
    GrabJobAll: JobAssignAll(
        Handle(b"H:1"), REVERSE, UniqueKey(b"u"), FunctionName(b"sum"), b"test"
    ),
}
BELIEVED = {*zip(ASSIGNMENTS, ASSIGNMENTS.values(), strict=True), (GrabJobAll, assignment(1))}


@pytest.mark.parametrize("asked", ASSIGNMENTS)
@pytest.mark.parametrize("packet", ASSIGNMENTS.values(), ids=lambda packet: type(packet).__name__)
def test_a_job_of_the_kind_that_was_asked_for(
    place: Workplace, asked: type[BasePacket], packet: BasePacket
) -> None:
    session = place.open()
    session.spoke(asked())
    if (asked, packet) in BELIEVED:
        assert session.apply(packet) is place.assignments.jobs[0]
        assert place.handles() == [b"H:1"]
        return
    with pytest.raises(ProtocolError, match=f"is no answer to {asked.__name__}"):
        session.apply(packet)
    assert place.handles() == []


# What is not believed


def test_a_job_that_nobody_asked_for(place: Workplace) -> None:
    session = place.open()
    with pytest.raises(ProtocolError, match="that nobody asked for"):
        session.apply(assignment(1))
    place.assignments.wait()
    session.apply(NoJob())
    with pytest.raises(ProtocolError, match="that nobody asked for"):
        session.apply(assignment(1))
    assert place.handles() == []


def test_a_no_job_that_nobody_asked_for_changes_nothing(place: Workplace) -> None:
    session = place.open()
    place.assignments.wait()
    session.apply(NoJob())
    session.packets_to_send()
    for _ in range(3):
        session.apply(NoJob())
    assert session.packets_to_send() == []
    assert session.state is State.SLEEP


@pytest.mark.parametrize(
    "packet",
    [
        WorkData(Handle(b"H:1"), b"x"),
        WorkStatus(Handle(b"H:1"), b"1", b"2"),
        GrabJobUniq(),
        JobCreated(Handle(b"H:1")),
        OptionRes(b"exceptions"),
    ],
)
def test_what_is_for_others(place: Workplace, packet: BasePacket) -> None:
    session = place.open()
    with pytest.raises(ProtocolError, match="that nobody asked for"):
        session.apply(packet)
    session.apply(EchoRes(b"gear heartbeat"))
    session.apply(Error(b"JOB_NOT_FOUND", b"what"))


def test_what_the_program_asked_itself_may_be_answered(place: Workplace) -> None:
    session = place.open()
    session.spoke(OptionReq(b"exceptions"))
    assert session.apply(OptionRes(b"exceptions")) is None
    session.spoke(GrabJobUniq())
    assert session.apply(assignment(1)) is place.assignments.jobs[0]


def test_a_function_of_another_worker(place: Workplace) -> None:
    session = place.open()
    place.assignments.wait()
    packet = JobAssignUnique(Handle(b"H:1"), FunctionName(b"format-disk"), UniqueKey(b""), b"")
    with pytest.raises(ProtocolError, match="a job of b'format-disk', which is not registered"):
        session.apply(packet)
    # As in a program that registers its functions with a packet of its own.
    place.assignments.functions[b"format-disk"] = FunctionRecord("format-disk")
    assert session.apply(packet) is place.assignments.jobs[0]


@pytest.mark.parametrize("how", ["unregister", "replace"])
def test_a_function_that_was_taken_back(place: Workplace, how: str) -> None:
    """An answer may cross with the CANT_DO; what was asked for after it is answered after it."""
    place.assignments.register(FunctionRecord("late"))
    session = place.open()
    place.assignments.wait()
    if how == "unregister":
        place.assignments.unregister(FunctionName(b"late"))
    else:
        place.assignments.replace([])
    place.assignments.wait()
    late = JobAssignUnique(Handle(b"H:1"), FunctionName(b"late"), UniqueKey(b""), b"")
    assert session.apply(late) is place.assignments.jobs[0]
    with pytest.raises(ProtocolError, match="not registered"):
        session.apply(late)


def test_a_handle_too_long_to_be_one(place: Workplace) -> None:
    session = place.open()
    place.assignments.wait()
    with pytest.raises(ProtocolError, match="a job handle of 1000 bytes"):
        session.apply(JobAssignUnique(Handle(b"x" * 1000), REVERSE, UniqueKey(b""), b""))


def test_reducers_are_asked_for_when_wanted() -> None:
    place = Workplace(grab_all=True)
    session = place.open()
    place.assignments.wait()
    assert session.packets_to_send() == [*GREETING, GrabJobAll()]


def test_a_lost_noop_is_made_up_for(place: Workplace) -> None:
    """A server that sends its NOOP too early, or forgets it, is asked again."""
    session = place.open()
    place.assignments.wait()
    session.apply(NoJob())
    session.packets_to_send()
    assert session.state is State.SLEEP
    assert place.assignments.tick(0.0) == ASK_AGAIN
    assert session.packets_to_send() == []
    assert place.assignments.tick(ASK_AGAIN) == GRAB_PATIENCE
    assert (session.packets_to_send(), session.state) == ([GRAB], State.GRAB_WAIT)
    place.assignments.tick(2 * ASK_AGAIN)
    assert session.packets_to_send() == []
    session.apply(NoJob())
    assert (session.packets_to_send(), session.state) == ([PreSleep()], State.SLEEP)
    place.assignments.leave()
    place.assignments.tick(3 * ASK_AGAIN)
    place.assignments.tick(4 * ASK_AGAIN)
    assert session.packets_to_send() == []


def test_two_grabs_asked_for_by_hand(place: Workplace) -> None:
    session = place.open()
    session.packets_to_send()
    session.ask()
    session.ask()
    assert (session.packets_to_send(), len(session.grabs)) == ([GRAB, GRAB], 2)
    session.apply(NoJob())
    assert session.state is State.GRAB_WAIT
    session.apply(assignment(1))
    assert (session.state, len(session.grabs)) == (State.IDLE, 0)


@pytest.mark.parametrize(
    "packet",
    [
        WorkComplete(Handle(b"H:1"), b""),
        WorkFail(Handle(b"H:1")),
        WorkException(Handle(b"H:1"), b""),
    ],
)
def test_what_ends_a_job(place: Workplace, packet: BasePacket) -> None:
    session = place.open()
    place.assignments.wait()
    session.apply(assignment(1))
    session.work(packet)
    assert place.related == [{}]
    session.work(packet)  # the server knows best whether that is too much


# Several callers and connections


def test_as_many_jobs_are_asked_for_as_are_waited_for(place: Workplace) -> None:
    sessions = [place.open() for _ in range(3)]
    for session in sessions:
        session.packets_to_send()
    place.assignments.wait()
    assert [session.packets_to_send() for session in sessions] == [[GRAB], [], []]
    place.assignments.wait()
    assert [session.packets_to_send() for session in sessions] == [[], [GRAB], []]


def test_connections_take_turns(place: Workplace) -> None:
    sessions = [place.open() for _ in range(2)]
    for turn in range(4):
        place.assignments.wait()
        sessions[turn % 2].apply(assignment(turn))
        place.assignments.jobs.popleft()
        place.assignments.leave()
        assert GRAB in sessions[turn % 2].packets_to_send()


def test_the_next_connection_is_asked_when_one_has_no_job(place: Workplace) -> None:
    first, second = place.open(), place.open()
    place.assignments.wait()
    first.packets_to_send()
    second.packets_to_send()
    first.apply(NoJob())
    assert (first.packets_to_send(), second.packets_to_send()) == ([SLEEP], [GRAB])
    second.apply(NoJob())
    assert (first.packets_to_send(), second.packets_to_send()) == ([], [SLEEP])


def test_a_server_that_gives_jobs_is_asked_for_several_at_once(place: Workplace) -> None:
    place.assignments.most_grabs = 3
    session = place.open()
    session.packets_to_send()
    place.assignments.want(5)
    assert session.packets_to_send() == [GRAB]  # whether it has any is not known yet
    session.apply(assignment(1))
    assert session.packets_to_send() == [GRAB]
    place.assignments.jobs.clear()  # they run now
    place.assignments.want(4)
    assert session.packets_to_send() == [GRAB]
    for number in range(2, 5):
        session.apply(assignment(number))
        place.assignments.jobs.clear()
        place.assignments.want(4)
    assert len(session.packets_to_send()) == 4
    assert len(session.grabs) == 3
    place.assignments.want(0)  # none is asked for that could not start
    session.apply(assignment(5))
    assert session.packets_to_send() == []


def test_a_server_without_jobs_is_asked_once_and_then_slept_at(place: Workplace) -> None:
    place.assignments.most_grabs = 3
    session = place.open()
    place.assignments.want(5)
    for number in range(3):
        session.apply(assignment(number))
        place.assignments.jobs.clear()
        place.assignments.want(5)
    assert len(session.grabs) == 3
    session.packets_to_send()
    session.apply(NoJob())
    session.apply(NoJob())
    assert session.packets_to_send() == []  # the rest of what was asked for is awaited
    session.apply(NoJob())
    assert session.packets_to_send() == [SLEEP]
    session.apply(Noop())
    assert session.packets_to_send() == [GRAB]


def test_several_callers_on_one_connection_have_jobs_one_by_one(place: Workplace) -> None:
    session = place.open()
    session.packets_to_send()
    for _ in range(3):
        place.assignments.wait()
    for number in range(3):
        assert session.packets_to_send() == [GRAB]
        session.apply(assignment(number))
    assert session.packets_to_send() == []
    assert place.handles() == [b"H:0", b"H:1", b"H:2"]


# Servers that hang


@pytest.fixture
def hung_and_well(place: Workplace) -> tuple[WorkerSession[WorkerJob], WorkerSession[WorkerJob]]:
    """Return two connections; the first was asked for the job that one caller waits for."""
    hung, well = place.open(), place.open()
    place.assignments.wait()
    assert hung.packets_to_send() == [*GREETING, GRAB]
    assert well.packets_to_send() == GREETING
    return hung, well


Two = tuple[WorkerSession[WorkerJob], WorkerSession[WorkerJob]]


def test_another_server_is_asked_when_one_does_not_answer(
    place: Workplace, hung_and_well: Two
) -> None:
    hung, well = hung_and_well
    assert place.assignments.tick(7.0) == GRAB_PATIENCE
    assert place.assignments.tick(7.0 + GRAB_PATIENCE * 0.9) == GRAB_PATIENCE
    assert well.packets_to_send() == []
    assert place.assignments.tick(7.0 + GRAB_PATIENCE) == GRAB_PATIENCE  # for the other's answer
    assert (hung.packets_to_send(), well.packets_to_send()) == ([], [GRAB])
    well.apply(NoJob())
    assert well.packets_to_send() == [SLEEP]
    assert place.assignments.tick(9.0) == ASK_AGAIN
    well.apply(Noop())
    assert well.packets_to_send() == [GRAB]


def test_a_server_that_hangs_holds_up_no_later_caller(place: Workplace, hung_and_well: Two) -> None:
    _, well = hung_and_well
    place.assignments.tick(0.0)
    place.assignments.tick(GRAB_PATIENCE)
    for number in range(3):
        assert well.packets_to_send() == [GRAB]
        well.apply(assignment(number))
        place.assignments.jobs.popleft()
        place.assignments.leave()
        place.assignments.wait()


def test_a_late_answer_is_kept_and_the_server_is_as_good_as_any(
    place: Workplace, hung_and_well: Two
) -> None:
    hung, well = hung_and_well
    place.assignments.tick(0.0)
    place.assignments.tick(GRAB_PATIENCE)
    well.packets_to_send()
    well.apply(assignment(1))
    place.assignments.jobs.popleft()
    place.assignments.leave()
    hung.apply(assignment(2))
    assert (hung.late, place.handles()) == (False, [b"H:2"])
    place.assignments.wait()
    assert (hung.packets_to_send(), well.packets_to_send()) == ([], [])
    place.assignments.wait()
    assert hung.packets_to_send() + well.packets_to_send() == [GRAB]


def test_an_answer_ends_lateness_before_the_next_grab(place: Workplace, hung_and_well: Two) -> None:
    hung, well = hung_and_well
    place.assignments.tick(0.0)
    hung.apply(NoJob())
    hung.packets_to_send()
    well.packets_to_send()
    hung.apply(Noop())
    well.apply(NoJob())
    assert hung.packets_to_send() == [GRAB]
    # Its age counts from here, not from the tick before.
    assert place.assignments.tick(GRAB_PATIENCE) == GRAB_PATIENCE
    assert hung.late is False


# Leaving


def test_a_worker_that_drains_asks_for_nothing(place: Workplace) -> None:
    changes: list[bool] = []
    session = place.open()
    place.assignments.wait()
    session.packets_to_send()
    place.assignments.drain(lambda: changes.append(place.assignments.coming))
    assert place.assignments.coming
    session.apply(NoJob())
    assert (place.assignments.coming, bool(changes)) == (False, True)
    place.assignments.register(FunctionRecord("reverse"))
    session.apply(Noop())
    place.assignments.tick(0.0)
    place.assignments.tick(ASK_AGAIN)
    assert session.packets_to_send() == [CanDo(REVERSE)]


def test_who_drains_a_worker_knows_what_runs(place: Workplace) -> None:
    session, other = place.open(), place.open()
    place.assignments.wait()
    place.assignments.wait()
    session.apply(assignment(1))
    other.apply(assignment(2))
    place.assignments.drain(lambda: None)
    assert (place.assignments.running, place.assignments.coming) == (0, True)
    place.assignments.jobs.popleft()
    place.assignments.leave()
    assert place.assignments.running == 1
    session.work(WorkComplete(Handle(b"H:1"), b""))
    assert place.assignments.running == 0
    place.assignments.jobs.popleft()
    place.assignments.leave()
    assert (place.assignments.running, place.assignments.coming) == (1, False)
    other.lost()
    assert (place.assignments.running, place.assignments.cut_off) == (0, 1)
    session.lost()
    assert place.assignments.cut_off == 1


def test_a_server_that_hangs_is_not_waited_for_when_the_worker_drains(
    place: Workplace, hung_and_well: Two
) -> None:
    hung, well = hung_and_well
    place.assignments.tick(0.0)
    place.assignments.tick(GRAB_PATIENCE)
    well.apply(NoJob())
    place.assignments.drain(lambda: None)
    assert len(hung.grabs) == 1
    assert not place.assignments.coming


# Functions


def test_a_function_is_told_once(place: Workplace) -> None:
    session = place.open()
    session.packets_to_send()
    place.assignments.register(FunctionRecord("reverse"))
    place.assignments.register(FunctionRecord("reverse"))
    assert session.packets_to_send() == [CanDo(REVERSE)]
    place.assignments.register(FunctionRecord("reverse", 5))
    assert session.packets_to_send() == [CanDoTimeout(REVERSE, b"5000")]


def test_a_function_is_taken_back(place: Workplace) -> None:
    session = place.open()
    place.assignments.register(FunctionRecord("reverse"))
    session.packets_to_send()
    place.assignments.unregister(REVERSE)
    assert session.packets_to_send() == [CantDo(REVERSE)]
    assert place.assignments.functions == {}
    with pytest.raises(KeyError):
        place.assignments.unregister(REVERSE)


def test_replacing_tells_the_differences(place: Workplace) -> None:
    # RESET_ABILITIES makes a server take back the jobs that run here.
    session = place.open()
    place.assignments.replace([FunctionRecord("a"), FunctionRecord("b")])
    session.packets_to_send()
    place.assignments.replace([FunctionRecord("b"), FunctionRecord("c")])
    assert session.packets_to_send() == [CantDo(FunctionName(b"a")), CanDo(FunctionName(b"c"))]
    assert list(place.assignments.functions) == [b"b", b"c"]


def test_replacing_all_by_nothing(place: Workplace) -> None:
    session = place.open()
    place.assignments.register(FunctionRecord("a"))
    session.packets_to_send()
    place.assignments.replace([])
    assert session.packets_to_send() == [ResetAbilities()]
    place.assignments.replace([])
    assert session.packets_to_send() == []


# The loss of a connection


def test_a_lost_connection_takes_its_jobs_along(place: Workplace) -> None:
    lost, other = place.open(), place.open()
    place.assignments.wait()
    place.assignments.wait()
    lost.packets_to_send()
    other.packets_to_send()
    lost.apply(assignment(1))
    other.apply(assignment(2))
    lost.lost()
    assert place.handles() == [b"H:2"]
    assert lost.packets_to_send() == []
    # The caller who would have had the lost job is served by the other connection.
    assert other.packets_to_send() == [GRAB]
    with pytest.raises(DisconnectError, match="the server has taken the job back"):
        lost.work(WorkComplete(Handle(b"H:1"), b""))


def test_what_was_read_before_a_loss_and_comes_after_it_is_no_job(place: Workplace) -> None:
    session = place.open()
    place.assignments.wait()
    session.lost()
    assert session.apply(assignment(1)) is None
    assert session.apply(Noop()) is None
    assert (place.handles(), session.packets_to_send()) == ([], [])


def test_a_grab_that_was_lost_is_asked_of_another(place: Workplace) -> None:
    lost, other = place.open(), place.open()
    place.assignments.wait()
    assert lost.packets_to_send() == [*GREETING, GRAB]
    other.packets_to_send()
    lost.lost()
    assert other.packets_to_send() == [GRAB]


def test_a_job_that_was_taken_before_the_loss_is_not_given_back(place: Workplace) -> None:
    session = place.open()
    place.assignments.wait()
    session.apply(assignment(1))
    place.assignments.jobs.popleft()
    place.assignments.leave()
    session.lost()
    session.lost()
    assert place.handles() == []


def test_a_job_that_comes_again_is_taken_once(place: Workplace) -> None:
    """As it does when its time was over before anybody took it."""
    session = place.open()
    for _ in range(2):
        place.assignments.wait()
    session.ask()
    session.packets_to_send()
    for _ in range(2):
        session.apply(assignment(1))
    assert place.handles() == [b"H:1"]
    session.lost()
    assert place.handles() == []
