"""The engine by its contract: who sends what, who hears what, and when."""

import logging

import pytest

from gear_server.settings import ServerSettings
from gear_wire.packets import (
    BasePacket,
    CanDo,
    CanDoTimeout,
    CantDo,
    EchoReq,
    EchoRes,
    Error,
    GetStatus,
    GrabJob,
    GrabJobUniq,
    JobAssign,
    JobAssignUnique,
    JobCreated,
    NoJob,
    Noop,
    OptionReq,
    OptionRes,
    PreSleep,
    ResetAbilities,
    SetClientID,
    StatusRes,
    SubmitJob,
    SubmitJobBg,
    SubmitJobEpoch,
    SubmitJobHigh,
    SubmitJobLow,
    WorkComplete,
    WorkData,
    WorkException,
    WorkFail,
    WorkStatus,
)
from gear_wire.types import ClientID, FunctionName, Handle, UniqueKey
from support.engine_desk import EPOCH, Desk, Visitor

REVERSE = FunctionName(b"reverse")
NONE = UniqueKey(b"")
H1, H2 = Handle(b"H:1"), Handle(b"H:2")
CAN = CanDo(REVERSE)
SUBMIT = SubmitJob(REVERSE, NONE, b"te\0st")
SUBMIT_BG = SubmitJobBg(REVERSE, NONE, b"test")
ASSIGN = JobAssign(H1, REVERSE, b"te\0st")


@pytest.fixture
def desk() -> Desk:
    return Desk()


def working(desk: Desk) -> tuple[Visitor, Visitor]:
    """Return a client and a worker that has its job."""
    client = desk.visitor(SUBMIT)
    worker = desk.visitor(CAN, GrabJob())
    assert client.heard() == [JobCreated(H1)]
    assert worker.heard() == [ASSIGN]
    return client, worker


def test_a_job_from_submission_to_its_end(desk: Desk) -> None:
    client, worker = working(desk)
    for packet in (WorkData(H1, b"a\0"), WorkStatus(H1, b"1", b"2"), WorkComplete(H1, b"b")):
        worker.send(packet)
        assert client.heard() == [packet]
    assert worker.heard() == []
    worker.send(WorkComplete(H1, b"again"))
    assert [type(packet) for packet in worker.heard()] == [Error]
    assert client.heard() == []


def test_an_outbox_is_flushed_once_a_turn(desk: Desk) -> None:
    client, idle = desk.visitor(), desk.visitor()
    client.say(SUBMIT, SUBMIT, EchoReq(b"x"))
    assert desk.end_turn() == [client.peer]
    assert desk.end_turn() == []
    assert client.heard() == [JobCreated(H1), JobCreated(H2), EchoRes(b"x")]
    assert idle.said() == b""


def test_who_sleeps_is_woken(desk: Desk) -> None:
    worker = desk.visitor(CAN, GrabJobUniq())
    assert worker.heard() == [NoJob()]
    worker.send(PreSleep())
    assert worker.heard() == []
    desk.visitor(SUBMIT)
    assert worker.heard() == [Noop()]
    worker.send(GrabJobUniq())
    assert worker.heard() == [JobAssignUnique(H1, REVERSE, NONE, b"te\0st")]


def test_nobody_sleeps_over_a_job(desk: Desk) -> None:
    worker = desk.visitor(CAN)
    desk.visitor(SUBMIT)
    worker.send(PreSleep())
    assert worker.heard() == [Noop()]


def test_all_sleepers_are_woken_when_the_first_takes_nothing(desk: Desk) -> None:
    workers = [desk.visitor(CAN, PreSleep()) for _ in range(3)]
    desk.visitor(SUBMIT)
    assert [worker.heard() for worker in workers].count([Noop()]) == 1
    desk.wait(1)
    assert [worker.heard() for worker in workers].count([Noop()]) == 2


def test_precedence_and_order(desk: Desk) -> None:
    desk.visitor(
        SubmitJobLow(REVERSE, NONE, b"4"),
        SubmitJob(REVERSE, NONE, b"2"),
        SubmitJobHigh(REVERSE, NONE, b"1"),
        SubmitJob(REVERSE, NONE, b"3"),
    )
    worker = desk.visitor(CAN, *[GrabJob()] * 5)
    payloads = [getattr(packet, "payload", None) for packet in worker.heard()]
    assert payloads == [b"1", b"2", b"3", b"4", None]


def test_one_unique_is_one_job(desk: Desk) -> None:
    submission = SubmitJob(REVERSE, UniqueKey(b"u"), b"x")
    clients = [desk.visitor(submission) for _ in range(2)]
    assert [client.heard() for client in clients] == [[JobCreated(H1)]] * 2
    worker = desk.visitor(CAN, GrabJob(), GrabJob(), WorkComplete(H1, b"y"))
    assert [type(packet) for packet in worker.heard()] == [JobAssign, NoJob]
    assert [client.heard() for client in clients] == [[WorkComplete(H1, b"y")]] * 2


def test_a_lost_worker_gives_its_job_back(desk: Desk) -> None:
    client, worker = working(desk)
    worker.leave()
    assert client.heard() == []
    other = desk.visitor(CAN, GrabJob(), WorkComplete(H1, b"x"))
    assert other.heard() == [ASSIGN]
    assert client.heard() == [WorkComplete(H1, b"x")]


def test_a_job_that_may_not_be_tried_again_fails() -> None:
    client, worker = working(Desk(ServerSettings(job_retries=0)))
    worker.leave()
    assert client.heard() == [WorkFail(H1)]


def test_a_background_job_outlives_its_client(desk: Desk) -> None:
    desk.visitor(SUBMIT_BG).leave()
    assert [type(packet) for packet in desk.visitor(CAN, GrabJob()).heard()] == [JobAssign]


def test_a_foreground_job_does_not(desk: Desk) -> None:
    desk.visitor(SUBMIT).leave()
    assert desk.visitor(CAN, GrabJob()).heard() == [NoJob()]


def test_only_the_worker_that_has_a_job_may_end_it(desk: Desk) -> None:
    client, _ = working(desk)
    stranger = desk.visitor(CAN, WorkComplete(H1, b"forged"))
    assert stranger.heard() == [Error(b"JOB_NOT_FOUND", b"Job given in work result not found")]
    assert client.heard() == []


def test_exceptions_reach_who_asks_for_them(desk: Desk) -> None:
    client, worker = working(desk)
    client.send(OptionReq(b"exceptions"))
    assert client.heard() == [OptionRes(b"exceptions")]
    worker.send(WorkException(H1, b"why"))
    assert client.heard() == [WorkException(H1, b"why")]


def test_others_hear_that_the_job_failed(desk: Desk) -> None:
    client, worker = working(desk)
    worker.send(WorkException(H1, b"why"))
    assert client.heard() == [WorkFail(H1)]


def test_a_job_waits_for_its_time(desk: Desk) -> None:
    worker = desk.visitor(CAN, PreSleep())
    desk.visitor(SubmitJobEpoch(REVERSE, NONE, b"%d" % (EPOCH + 10), b"x"))
    worker.send(GrabJob(), PreSleep())
    assert worker.heard() == [NoJob()]
    assert desk.wait(5) == desk.now + 1.0
    assert worker.heard() == []
    assert desk.wait(4.5) == desk.now + 0.5
    assert worker.heard() == []
    desk.wait(0.5)
    assert worker.heard() == [Noop()]
    worker.send(GrabJob())
    assert worker.heard() == [JobAssign(H1, REVERSE, b"x")]


def test_a_clock_that_is_set_forward_brings_scheduled_jobs_within_a_second(desk: Desk) -> None:
    worker = desk.visitor(CAN, PreSleep())
    desk.visitor(SubmitJobEpoch(REVERSE, NONE, b"%d" % (EPOCH + 5000), b"x"))
    desk.wall += 6000
    deadline = desk.engine.deadline
    assert deadline is not None
    assert deadline <= desk.now + 1.0
    desk.wait(1.0)
    assert worker.heard() == [Noop()]


def test_a_clock_that_is_set_back_stops_nothing_but_scheduled_jobs(desk: Desk) -> None:
    worker = desk.visitor(CanDoTimeout(REVERSE, b"2000"), GrabJob(), PreSleep())
    assert worker.heard() == [NoJob()]
    client = desk.visitor(SubmitJobEpoch(REVERSE, NONE, b"%d" % (EPOCH + 10), b"x"))
    desk.wall -= 86400
    desk.wait(20)
    assert worker.heard() == []
    client.send(SUBMIT)
    assert worker.heard() == [Noop()]
    worker.send(GrabJob())
    other = desk.visitor(CAN, PreSleep())
    desk.wait(3)
    assert other.heard() == [Noop()]
    desk.wall += 86400
    desk.wait(1)
    assert desk.engine.queues.waiting == 2


def test_a_scheduled_job_that_is_cancelled_never_comes(desk: Desk) -> None:
    worker = desk.visitor(CAN, PreSleep())
    client = desk.visitor(SubmitJobEpoch(REVERSE, NONE, b"%d" % (EPOCH + 10), b"x"))
    assert client.ask(b"cancel job H:1\n").endswith(b"OK\r\n")
    desk.wait(20)
    assert worker.heard() == []
    assert not desk.engine.jobs


@pytest.mark.parametrize("packet", [CantDo(REVERSE), ResetAbilities()])
def test_a_worker_keeps_the_job_that_it_has_when_it_takes_the_function_back(
    desk: Desk, packet: BasePacket
) -> None:
    client = desk.visitor(SUBMIT)
    worker = desk.visitor(CAN, GrabJob())
    assert worker.heard() == [ASSIGN]
    other = desk.visitor(CAN, PreSleep())
    worker.send(packet)
    assert other.heard() == []
    worker.send(WorkComplete(H1, b"result"))
    assert worker.heard() == []
    assert client.heard()[-1] == WorkComplete(H1, b"result")


def test_a_worker_that_takes_its_function_back_and_leaves_loses_its_job(desk: Desk) -> None:
    desk.visitor(SUBMIT)
    worker = desk.visitor(CAN, GrabJob())
    other = desk.visitor(CAN, PreSleep())
    worker.send(CantDo(REVERSE))
    worker.leave()
    assert other.heard() == [Noop()]


def test_a_worker_that_is_being_disconnected_gets_no_job(desk: Desk) -> None:
    worker, client = desk.visitor(CAN), desk.visitor()
    worker.say(GrabJob())
    desk.engine.close(worker.peer)
    client.say(SUBMIT)
    desk.end_turn()
    assert worker.heard() == []
    assert desk.visitor(CAN, GrabJob()).heard() == [ASSIGN]


def test_a_job_that_comes_back_is_told_with_its_worker_and_its_attempt(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    desk.visitor(SUBMIT)
    with caplog.at_level(logging.WARNING, "gear.Server"):
        for attempt in (2, 3):
            worker = desk.visitor(SetClientID(ClientID(b"victim")), CAN, GrabJob())
            worker.leave()
            record = caplog.records[-1]
            text = record.getMessage()
            assert record.levelno == logging.WARNING
            assert text.startswith("Requeued <gear.ServerJob")
            assert f"(attempt {attempt})" in text
            assert "name: victim" in text


def test_handles_begin_with_a_token_of_their_server() -> None:
    desk = Desk(token=b"12345678")
    client = desk.visitor(SUBMIT, SUBMIT)
    assert [packet.handle for packet in client.heard() if isinstance(packet, JobCreated)] == [
        b"H:123456781",
        b"H:123456782",
    ]


def test_cancelling_is_told_or_not_as_the_settings_say() -> None:
    for told in (True, False):
        desk = Desk(ServerSettings(tell_cancelled=told))
        client = desk.visitor(SUBMIT)
        client.heard()
        desk.visitor().ask(b"cancel job H:1\n")
        assert client.heard() == ([WorkFail(H1)] if told else [])
        assert not desk.engine.jobs


@pytest.mark.parametrize("told", [True, False])
def test_clients_of_jobs_that_run_when_the_server_ends_hear_it_if_the_settings_say_so(
    told: bool,
) -> None:
    desk = Desk(ServerSettings(tell_abandoned=told))
    client = desk.visitor(SUBMIT, SUBMIT)
    desk.visitor(CAN, GrabJob())
    client.heard()
    desk.engine.stop()
    desk.end_turn()
    assert client.heard() == ([WorkFail(H1)] if told else [])


def test_a_server_that_ends_gives_out_no_more_jobs(desk: Desk) -> None:
    asking, asleep, client = desk.visitor(CAN), desk.visitor(CAN, PreSleep()), desk.visitor()
    asking.say(GrabJob())
    client.say(SUBMIT_BG)
    desk.engine.stop()
    desk.end_turn()
    assert asking.heard() == [NoJob()]
    assert asleep.heard() == []
    assert desk.engine.queues.waiting == 1


def test_a_worker_that_leaves_with_many_jobs_writes_a_few_lines(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    desk.visitor(*(SubmitJobBg(REVERSE, NONE, b"%d" % number) for number in range(100)))
    worker = desk.visitor(CAN, *(GrabJob() for _ in range(100)))
    worker.leave()
    assert len(caplog.messages) == 10
    desk.wait(20)
    desk.visitor(CAN, GrabJob()).leave()
    assert caplog.messages[10:11] == ["Jobs requeued: 90 more, not logged"]
    assert desk.engine.counters.requeued == 101


def test_a_job_of_a_connection_that_works_on_it_itself_goes_with_it(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    both = desk.visitor(CAN, SUBMIT, GrabJob())
    assert ASSIGN in both.heard()
    both.leave()
    assert not desk.engine.jobs
    counters = desk.engine.counters
    assert (counters.requeued, counters.exhausted, counters.abandoned) == (0, 0, 1)
    assert "Requeued" not in caplog.text


def test_a_job_that_is_requeued_waits_for_no_time_again(desk: Desk) -> None:
    desk.visitor(SubmitJobEpoch(REVERSE, NONE, b"%d" % (EPOCH - 10), b"x"))
    worker = desk.visitor(CAN, GrabJob())
    assert worker.heard() == [JobAssign(H1, REVERSE, b"x")]
    desk.wall -= 86400
    worker.leave()
    assert desk.visitor(CAN, GrabJob()).heard() == [JobAssign(H1, REVERSE, b"x")]


def test_a_job_that_runs_too_long_is_given_to_another(desk: Desk) -> None:
    desk.visitor(SUBMIT)
    slow = desk.visitor(CanDoTimeout(REVERSE, b"2000"), GrabJob())
    assert slow.heard() == [ASSIGN]
    other = desk.visitor(CAN, PreSleep())
    desk.wait(3)
    assert other.heard() == [Noop()]
    slow.send(WorkComplete(H1, b"late"))
    assert [type(packet) for packet in slow.heard()] == [Error]


def test_the_state_of_a_job(desk: Desk) -> None:
    client, worker = working(desk)
    worker.send(WorkStatus(H1, b"1", b"4"))
    client.heard()
    client.send(GetStatus(H1), GetStatus(H2))
    assert client.heard() == [
        StatusRes(H1, b"1", b"1", b"1", b"4"),
        StatusRes(H2, b"0", b"0", b"0", b"0"),
    ]


@pytest.mark.parametrize("packet", [JobCreated(H1), NoJob(), WorkFail(H2)])
def test_what_is_not_expected_is_answered_and_changes_nothing(
    desk: Desk, packet: BasePacket
) -> None:
    client, worker = working(desk)
    client.send(packet)
    assert [type(answer) for answer in client.heard()] == [Error]
    worker.send(WorkComplete(H1, b"x"))
    assert client.heard() == [WorkComplete(H1, b"x")]


def test_text_commands(desk: Desk) -> None:
    working(desk)
    admin = desk.visitor()
    assert admin.ask(b"status\n") == b"reverse\t1\t1\t1\n.\n"
    assert admin.ask(b"show jobs\r\n") == b"H:1\t0\t0\t0\n.\n"
    assert admin.ask(b"workers\n").endswith(b"5 127.0.0.1 - :\n.\n")
    assert admin.ask(b"nonsense\n").startswith(b"ERR UNKNOWN_COMMAND")


def test_jobs_that_nobody_waits_for_share_clients_that_take_no_entries(desk: Desk) -> None:
    client = desk.visitor(SUBMIT_BG, SUBMIT_BG)
    one, two = desk.engine.jobs.values()
    assert one.clients is two.clients
    for change in (
        lambda: one.clients.__setitem__(client.peer, 1),
        lambda: one.clients.setdefault(client.peer, 1),
        lambda: one.clients.update({client.peer: 1}),
        lambda: one.clients.__ior__({client.peer: 1}),
    ):
        with pytest.raises(TypeError, match="a dict of its own"):
            change()
    assert not two.clients


def test_functions_tell_what_has_ended_and_how_long_jobs_wait(desk: Desk) -> None:
    client, other = desk.visitor(SUBMIT_BG), desk.visitor()
    desk.wait(1.5)
    client.send(SUBMIT_BG)
    assert other.ask(b"show functions") == b"reverse\t2\t0\t0\t0\t1500\n.\n"
    worker = desk.visitor(CAN, GrabJob())
    desk.wait(0.25)
    assert other.ask(b"SHOW Functions") == b"reverse\t2\t1\t1\t0\t250\n.\n"
    worker.send(WorkComplete(H1, b""), GrabJob(), WorkFail(H2))
    assert other.ask(b"show functions") == b"reverse\t0\t0\t1\t2\t0\n.\n"


def test_a_job_that_came_back_has_waited_since_it_came(desk: Desk) -> None:
    desk.visitor(SUBMIT_BG)
    worker, other = desk.visitor(CAN, GrabJob()), desk.visitor()
    desk.wait(2)
    worker.leave()
    assert other.ask(b"show functions") == b"reverse\t1\t0\t0\t0\t2000\n.\n"


def test_a_job_for_later_waits_from_its_time_on(desk: Desk) -> None:
    desk.visitor(SubmitJobEpoch(REVERSE, NONE, b"%d" % (EPOCH + 60), b""))
    other = desk.visitor()
    desk.wait(50)
    assert other.ask(b"show functions") == b"reverse\t1\t0\t0\t0\t0\n.\n"
    desk.wait(15)
    assert other.ask(b"show functions") == b"reverse\t1\t0\t0\t0\t5000\n.\n"
