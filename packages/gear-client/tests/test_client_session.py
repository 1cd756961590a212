"""ClientSession without a network: packets in, packets and changes of jobs out."""

import pytest

from gear_client.expectations import EchoRequest, OptionRequest, StatusRequest, Submission
from gear_client.jobs import Job
from gear_client.session import ClientSession
from gear_client.submissions import submit_packet
from gear_wire.errors import JobFailedError, ProtocolError, ServerError, UnknownJobError
from gear_wire.jobs import BaseJob
from gear_wire.packets import (
    BasePacket,
    EchoReq,
    EchoRes,
    Error,
    GetStatus,
    GetStatusUnique,
    JobCreated,
    NoJob,
    Noop,
    OptionReq,
    OptionRes,
    SetClientID,
    StatusRes,
    StatusResUnique,
    SubmitJob,
    WorkComplete,
    WorkData,
    WorkException,
    WorkFail,
    WorkStatus,
    WorkWarning,
)
from gear_wire.types import ClientID, FunctionName, Handle, UniqueKey

H1, H2 = Handle(b"H:1"), Handle(b"H:2")


class Harness:
    """A session that has greeted, and what its client would see."""

    def __init__(self, *options: bytes) -> None:
        self.related: dict[bytes, BaseJob] = {}
        self.session = ClientSession(b"me", options, self.related)
        self.session.greet()
        self.greeting = self.session.packets_to_send()
        self.session.apply(OptionRes(b"exceptions"))

    def submit(self, *, background: bool = False, unique: bytes | None = None) -> Submission:
        job = Job("reverse", b"test", unique)
        submission = Submission(job, submit_packet(job, background, 0), not background)
        self.session.submit(submission)
        return submission

    def running(self, handle: Handle = H1, unique: bytes | None = None) -> Job:
        job = self.submit(unique=unique).job
        self.session.apply(JobCreated(handle))
        return job


@pytest.fixture
def harness() -> Harness:
    return Harness()


def test_the_greeting() -> None:
    assert Harness().greeting == [SetClientID(ClientID(b"me")), OptionReq(b"exceptions")]
    options = Harness(b"other", b"exceptions").greeting[1:]
    assert options == [OptionReq(b"exceptions"), OptionReq(b"other")]


def test_what_is_said_is_taken_once(harness: Harness) -> None:
    submission = harness.submit()
    assert harness.session.packets_to_send() == [submission.packet]
    assert harness.session.packets_to_send() == []


# JOB_CREATED


def test_handles_go_to_jobs_in_the_order_of_submission(harness: Harness) -> None:
    first, second = harness.submit(), harness.submit()
    assert harness.session.apply(JobCreated(H1)) is first.job
    assert (first.settled, second.settled) == (True, False)
    assert harness.session.apply(JobCreated(H2)) is second.job
    assert (first.job.handle, second.job.handle) == (H1, H2)
    assert harness.related == {H1: first.job, H2: second.job}


def test_a_handle_that_nobody_waits_for(harness: Harness) -> None:
    with pytest.raises(ProtocolError, match="JOB_CREATED that nobody asked for"):
        harness.session.apply(JobCreated(H1))
    assert harness.related == {}


def test_a_handle_too_long_to_be_one(harness: Harness) -> None:
    submission = harness.submit()
    with pytest.raises(ProtocolError, match="a job handle of 1000 bytes"):
        harness.session.apply(JobCreated(Handle(b"x" * 1000)))
    assert not submission.settled
    harness.session.lost("why")
    assert submission.lost


@pytest.mark.parametrize(("first", "second"), [(None, None), (None, b"u"), (b"u", b"v")])
def test_a_handle_twice(harness: Harness, first: bytes | None, second: bytes | None) -> None:
    job = harness.running(unique=first)
    submission = harness.submit(unique=second)
    with pytest.raises(ProtocolError, match="a second job b'H:1'"):
        harness.session.apply(JobCreated(H1))
    assert harness.related == {H1: job}
    harness.session.lost("why")
    assert submission.lost
    with pytest.raises(JobFailedError, match="lost its server before it ended: why"):
        job.result()


def test_a_job_that_the_program_submits_past_the_client(harness: Harness) -> None:
    harness.session.spoke(SubmitJob(FunctionName(b"f"), UniqueKey(b""), b"x"))
    job = harness.submit().job
    with pytest.raises(UnknownJobError, match="submitted past the client"):
        harness.session.apply(JobCreated(H2))
    harness.session.apply(JobCreated(H1))
    assert job.handle == H1


@pytest.mark.parametrize(
    "packet", [Noop(), NoJob(), SubmitJob(FunctionName(b"f"), UniqueKey(b""), b"")]
)
def test_what_is_for_others(harness: Harness, packet: BasePacket) -> None:
    with pytest.raises(ProtocolError, match="that nobody asked for"):
        harness.session.apply(packet)


def test_a_failure_by_exception_of_an_unknown_job_is_not_remembered(harness: Harness) -> None:
    with pytest.raises(UnknownJobError):
        harness.session.apply(WorkException(H1, b""))
    with pytest.raises(UnknownJobError):
        harness.session.apply(WorkFail(H1))


def test_background_jobs_are_forgotten(harness: Harness) -> None:
    submission = harness.submit(background=True)
    harness.session.apply(JobCreated(H1))
    assert submission.job.handle == H1
    assert harness.related == {}


# Options


def test_a_server_that_never_answers_options_loses_no_handle() -> None:
    harness = Harness(b"other")
    submission = harness.submit()
    assert harness.session.apply(JobCreated(H1)) is submission.job


def test_an_option_is_confirmed(harness: Harness) -> None:
    request = OptionRequest(b"other")
    harness.session.request_option(request)
    assert harness.session.packets_to_send() == [OptionReq(b"other")]
    harness.session.apply(OptionRes(b"other"))
    assert (request.settled, request.confirmed) == (True, True)


def test_an_option_is_refused_between_submissions(harness: Harness) -> None:
    first = harness.submit()
    request = OptionRequest(b"other")
    harness.session.request_option(request)
    second = harness.submit()
    harness.session.apply(Error(b"UNKNOWN_OPTION", b"Server does not recognize given option"))
    assert (request.settled, request.confirmed) == (True, False)
    assert isinstance(request.error, ServerError)
    assert harness.session.apply(JobCreated(H1)) is first.job
    assert harness.session.apply(JobCreated(H2)) is second.job


def test_an_option_that_is_ignored_is_settled_by_the_next_handle(harness: Harness) -> None:
    request = OptionRequest(b"other")
    harness.session.request_option(request)
    harness.submit()
    harness.session.apply(JobCreated(H1))
    assert (request.settled, request.confirmed) == (True, False)


def test_an_option_that_was_not_asked_for(harness: Harness) -> None:
    with pytest.raises(ProtocolError, match="OPTION_RES b'surprise' that nobody asked for"):
        harness.session.apply(OptionRes(b"surprise"))


def test_an_option_that_is_confirmed_late(harness: Harness) -> None:
    assert harness.session.apply(OptionRes(b"Exceptions")) is None


# Errors


@pytest.mark.parametrize("code", [b"QUEUE_ERROR", b"ARGUMENT_TOO_LARGE", b"invalid_args", b"0"])
def test_an_error_ends_the_oldest_submission(harness: Harness, code: bytes) -> None:
    refused, taken = harness.submit(), harness.submit()
    harness.session.apply(Error(code, b"no"))
    assert isinstance(refused.error, ServerError)
    assert (refused.error.code, refused.error.text) == (code.decode(), "no")
    assert harness.session.apply(JobCreated(H1)) is taken.job


@pytest.mark.parametrize("code", [b"JOB_NOT_FOUND", b"INVALID_COMMAND", b"INVALID_MAGIC"])
def test_an_error_about_something_else_ends_no_submission(harness: Harness, code: bytes) -> None:
    submission = harness.submit()
    harness.session.apply(Error(code, b"no"))
    assert not submission.settled
    assert harness.session.apply(JobCreated(H1)) is submission.job


def test_an_error_when_nothing_is_awaited(harness: Harness) -> None:
    assert harness.session.apply(Error(b"QUEUE_ERROR", b"no")) is None


# Work


def test_a_job_from_data_to_its_end(harness: Harness) -> None:
    job = harness.running()
    assert harness.session.apply(WorkData(H1, b"a")) is job
    assert harness.session.apply(WorkWarning(H1, b"b")) is job
    assert harness.session.apply(WorkStatus(H1, b"1", b"4")) is job
    assert (job.data, job.warning, job.complete) == ([b"a", b"b"], True, False)
    assert (job.numerator, job.denominator, job.fraction_complete) == (b"1", b"4", 0.25)
    assert harness.session.apply(WorkComplete(H1, b"c")) is job
    assert (job.data, job.complete, job.failure) == ([b"a", b"b", b"c"], True, False)
    assert harness.related == {}


def test_an_empty_result_adds_no_data(harness: Harness) -> None:
    job = harness.running()
    harness.session.apply(WorkComplete(H1, b""))
    assert (job.data, job.complete) == ([], True)


def test_a_job_fails(harness: Harness) -> None:
    job = harness.running()
    assert harness.session.apply(WorkFail(H1)) is job
    assert (job.complete, job.failure, job.exception) == (True, True, None)
    assert harness.related == {}


def test_a_job_fails_with_an_exception(harness: Harness) -> None:
    job = harness.running()
    assert harness.session.apply(WorkException(H1, b"why")) is job
    assert (job.complete, job.failure, job.exception) == (True, True, b"why")
    # Perl's workers send WORK_FAIL afterwards: it is about a job that is known to have ended.
    assert harness.session.apply(WorkFail(H1)) is None


@pytest.mark.parametrize(
    "packet",
    [
        WorkData(H1, b""),
        WorkWarning(H1, b""),
        WorkStatus(H1, b"1", b"2"),
        WorkComplete(H1, b""),
        WorkFail(H1),
        WorkException(H1, b""),
    ],
)
def test_packets_of_a_job_that_does_not_run_here(harness: Harness, packet: BasePacket) -> None:
    with pytest.raises(UnknownJobError, match="H:1"):
        harness.session.apply(packet)


def test_a_job_ends_once(harness: Harness) -> None:
    job = harness.running()
    harness.session.apply(WorkComplete(H1, b"x"))
    with pytest.raises(UnknownJobError):
        harness.session.apply(WorkFail(H1))
    assert (job.data, job.failure) == ([b"x"], False)


@pytest.mark.parametrize(
    ("numerator", "denominator"), [(b"x", b"2"), (b"1", b"0"), (b"", b""), (b"1", b"\xff")]
)
def test_a_status_that_is_no_fraction(
    harness: Harness, numerator: bytes, denominator: bytes
) -> None:
    job = harness.running()
    harness.session.apply(WorkStatus(H1, numerator, denominator))
    assert (job.numerator, job.denominator) == (numerator, denominator)
    assert job.fraction_complete is None


def test_observers_hear_of_each_packet(harness: Harness) -> None:
    job = harness.running()
    heard: list[tuple[list[bytes], float | None, bool]] = []
    job._observers.append(lambda: heard.append((job.data[:], job.fraction_complete, job.complete)))
    harness.session.apply(WorkData(H1, b"a"))
    harness.session.apply(WorkStatus(H1, b"1", b"2"))
    harness.session.apply(WorkComplete(H1, b"c"))
    assert heard == [
        ([b"a"], None, False),
        ([b"a"], 0.5, False),
        ([b"a", b"c"], 0.5, True),
    ]


# Jobs that the server made one


def coalesced(harness: Harness) -> tuple[Job, Job]:
    first, second = harness.running(unique=b"u"), harness.running(unique=b"u")
    assert first.handle == second.handle == H1
    return first, second


def test_coalesced_jobs_take_data_in_turn(harness: Harness) -> None:
    # A server sends each packet once per submission.
    first, second = coalesced(harness)
    for part in (b"a", b"a", b"b", b"b"):
        harness.session.apply(WorkData(H1, part))
    for packet in (WorkStatus(H1, b"1", b"2"), WorkWarning(H1, b"!")):
        harness.session.apply(packet)
        harness.session.apply(packet)
    assert first.data == second.data == [b"a", b"b", b"!"]
    assert (first.fraction_complete, second.fraction_complete) == (0.5, 0.5)


def test_coalesced_jobs_end_together(harness: Harness) -> None:
    first, second = coalesced(harness)
    harness.session.apply(WorkComplete(H1, b"x"))
    assert (first.complete, second.complete) == (True, True)
    assert list(harness.related) == [H1]
    harness.session.apply(WorkComplete(H1, b"x"))
    assert first.data == second.data == [b"x"]
    assert harness.related == {}


def test_coalesced_jobs_fail_together(harness: Harness) -> None:
    first, second = coalesced(harness)
    harness.session.apply(WorkException(H1, b"why"))
    harness.session.apply(WorkException(H1, b"why"))
    assert (first.exception, second.exception) == (b"why", b"why")
    assert harness.related == {}


# Status


def test_the_state_of_a_job(harness: Harness) -> None:
    job = harness.running()
    request = StatusRequest(H1, job)
    harness.session.packets_to_send()
    harness.session.request_status(request)
    assert harness.session.packets_to_send() == [GetStatus(H1)]
    assert harness.session.apply(StatusRes(H1, b"1", b"0", b"3", b"4")) is job
    assert request.settled
    assert request.state is not None
    assert (request.state.known, request.state.running) == (True, False)
    assert (request.state.numerator, request.state.denominator) == (3, 4)
    assert (request.state.fraction_complete, request.state.clients) == (0.75, None)
    assert (job.known, job.running, job.fraction_complete) == (True, False, 0.75)


def test_the_state_of_a_job_with_absurd_numbers(harness: Harness) -> None:
    request = StatusRequest(H2)
    harness.session.request_status(request)
    harness.session.apply(StatusRes(H2, b"1", b"0", b"9" * 4000, b"1"))
    assert request.state is not None
    assert (request.state.numerator, request.state.fraction_complete) == (0, 0.0)


def test_the_state_of_a_job_that_is_gone(harness: Harness) -> None:
    request = StatusRequest(H2)
    harness.session.request_status(request)
    # gear 0.16's server says nothing where gearmand says 0.
    assert harness.session.apply(StatusRes(H2, b"0", b"0", b"", b"")) is None
    assert request.state is not None
    assert (request.state.known, request.state.fraction_complete) == (False, None)


def test_a_status_that_was_asked_for_by_hand_updates_the_job(harness: Harness) -> None:
    job = harness.running()
    harness.session.spoke(GetStatus(H1))
    assert harness.session.apply(StatusRes(H1, b"1", b"1", b"1", b"2")) is job
    assert (job.known, job.running) == (True, True)


@pytest.mark.parametrize(
    "packet",
    [
        StatusRes(H1, b"1", b"1", b"0", b"0"),
        StatusResUnique(UniqueKey(b"u"), b"1", b"1", b"0", b"0", b"1"),
    ],
)
def test_a_state_that_nobody_asked_for(harness: Harness, packet: BasePacket) -> None:
    job = harness.running()
    with pytest.raises(ProtocolError, match="that nobody asked for"):
        harness.session.apply(packet)
    assert job.known is None


def test_questions_are_answered_by_handle(harness: Harness) -> None:
    requests = [StatusRequest(H1), StatusRequest(H2), StatusRequest(H1)]
    for request in requests:
        harness.session.request_status(request)
    harness.session.apply(StatusRes(H2, b"0", b"0", b"0", b"0"))
    assert [request.settled for request in requests] == [False, True, False]
    harness.session.apply(StatusRes(H1, b"0", b"0", b"0", b"0"))
    assert [request.settled for request in requests] == [True, True, False]


def test_the_state_of_a_job_by_its_unique(harness: Harness) -> None:
    request = StatusRequest(b"u")
    harness.session.packets_to_send()
    harness.session.request_status_by_unique(request)
    assert harness.session.packets_to_send() == [GetStatusUnique(UniqueKey(b"u"))]
    packet = StatusResUnique(UniqueKey(b"u"), b"1", b"1", b"1", b"2", b"3")
    assert harness.session.apply(packet) is None
    assert request.state is not None
    assert (request.state.known, request.state.clients) == (True, 3)


def test_an_echo_is_answered_by_what_it_says(harness: Harness) -> None:
    requests = [EchoRequest(b"a"), EchoRequest(b"b"), EchoRequest(b"a")]
    harness.session.packets_to_send()
    for request in requests:
        harness.session.request_echo(request)
    assert harness.session.packets_to_send() == [EchoReq(b"a"), EchoReq(b"b"), EchoReq(b"a")]
    harness.session.apply(EchoRes(b"b"))
    assert [request.settled for request in requests] == [False, True, False]
    harness.session.apply(EchoRes(b"a"))
    assert [request.settled for request in requests] == [True, True, False]
    harness.session.apply(EchoRes(b"nobody's"))
    harness.session.lost()
    assert requests[2].lost


# The rest


def test_a_lost_connection_ends_all(harness: Harness) -> None:
    running = harness.running()
    first, second = harness.running(H2, b"u"), harness.running(H2, b"u")
    submission, option = harness.submit(), OptionRequest(b"other")
    by_handle, by_unique = StatusRequest(H1), StatusRequest(b"u")
    harness.session.request_option(option)
    harness.session.request_status(by_handle)
    harness.session.request_status_by_unique(by_unique)
    heard: list[bool] = []
    running._observers.append(lambda: heard.append(running.complete))
    harness.session.lost()
    for expectation in (submission, option, by_handle, by_unique):
        assert (expectation.settled, expectation.lost) == (True, True)
    for job in (running, first, second):
        assert (job.complete, job.failure) == (True, True)
    assert heard == [True]
    assert not submission.job.complete
    assert harness.session.packets_to_send() == []


def test_a_job_that_ended_before_the_loss_stays_well(harness: Harness) -> None:
    job = harness.running()
    harness.session.apply(WorkComplete(H1, b"x"))
    harness.session.lost()
    assert not job.failure
