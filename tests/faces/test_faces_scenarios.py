"""The same conversations over both faces, and over gearmand and gear's server alike."""

import threading
import time
from collections.abc import Iterator

import pytest

import gear
from support.faces import Assigned, Face, connected, reverse
from support.fix_peers import Gearmand


@pytest.fixture(params=["gear.Server", pytest.param("gearmand", marks=pytest.mark.peer)])
def address(request: pytest.FixtureRequest) -> Iterator[tuple[str, int]]:
    if request.param == "gearmand":
        gearmand: Gearmand = request.getfixturevalue("gearmand")
        yield gearmand.host, gearmand.port
        return
    server = gear.Server(0, host="127.0.0.1", job_retries=-1)
    yield "127.0.0.1", server.port
    server.shutdown()


@pytest.fixture(params=["threads", "asyncio"])
def face(request: pytest.FixtureRequest, address: tuple[str, int]) -> Iterator[Face]:
    with connected(request.param, [address]) as face:
        yield face


def test_a_result(face: Face) -> None:
    face.serve("reverse", reverse)
    task = face.submit("reverse", b"test string")
    assert task.result() == b"gnirts tset"
    assert task.job.complete
    assert not task.job.failure
    assert task.job.handle is not None


def test_data_warning_and_status_arrive_in_order(face: Face) -> None:
    def work(assigned: Assigned) -> None:
        assigned.send("status", 1, 4)
        assigned.send("data", b"one ")
        assigned.send("warning", b"two ")
        assigned.send("complete", b"three")

    face.serve("talk", work)
    task = face.submit("talk", b"")
    assert task.result() == b"one two three"
    assert task.job.data == [b"one ", b"two ", b"three"]
    assert task.job.warning
    assert (task.job.numerator, task.job.denominator) == (b"1", b"4")
    assert task.job.fraction_complete == 0.25


def test_a_failure(face: Face) -> None:
    face.serve("fail", lambda assigned: assigned.send("fail"))
    task = face.submit("fail", b"")
    with pytest.raises(gear.JobFailedError) as failure:
        task.result()
    assert failure.value.exception is None
    assert (task.job.complete, task.job.failure) == (True, True)


def test_an_exception_reaches_the_client_without_asking(face: Face) -> None:
    face.serve("raise", lambda assigned: assigned.send("exception", b"what went\0wrong"))
    task = face.submit("raise", b"")
    with pytest.raises(gear.JobFailedError, match="what went") as failure:
        task.result()
    assert failure.value.exception == b"what went\0wrong"
    assert task.job.exception == b"what went\0wrong"


def test_arguments_may_hold_anything(face: Face) -> None:
    data = bytes(range(256)) * 5000
    face.serve("echo", lambda assigned: assigned.send("complete", assigned.job.binary_arguments))
    assert face.submit("echo", data).result() == data
    assert face.submit("echo", b"").result() == b""


def test_many_jobs_at_once(face: Face) -> None:
    for _ in range(3):
        face.serve("reverse", reverse)
    tasks = [face.submit("reverse", b"job %d" % number) for number in range(100)]
    for number, task in enumerate(tasks):
        assert task.result() == (b"job %d" % number)[::-1]


def test_precedence_counts(face: Face) -> None:
    order: list[bytes] = []

    def work(assigned: Assigned) -> None:
        order.append(assigned.job.binary_arguments)
        assigned.send("complete")

    tasks = [
        face.submit("order", name, precedence=precedence)
        for name, precedence in (
            (b"low", gear.PRECEDENCE_LOW),
            (b"normal", gear.PRECEDENCE_NORMAL),
            (b"high", gear.PRECEDENCE_HIGH),
            (b"normal 2", gear.PRECEDENCE_NORMAL),
        )
    ]
    face.serve("order", work)
    for task in tasks:
        task.result()
    assert order == [b"high", b"normal", b"normal 2", b"low"]


def test_background_jobs_run_and_are_not_kept(face: Face) -> None:
    done = threading.Event()

    def work(assigned: Assigned) -> None:
        assigned.send("complete")
        done.set()

    task = face.submit("later", b"", background=True)
    assert face.state(task) == gear.JobState(True, False, 0, 0)
    assert (task.job.known, task.job.running) == (True, False)
    face.serve("later", work)
    assert done.wait(20)
    assert isinstance(task.job.connection, gear.Connection | object)
    assert not task.job.complete


def test_jobs_with_one_unique_are_one_job(face: Face) -> None:
    ran: list[bytes] = []

    def work(assigned: Assigned) -> None:
        ran.append(assigned.job.binary_arguments)
        assigned.send("data", b"a")
        assigned.send("complete", b"b")

    tasks = [face.submit("once", b"%d" % number, unique="key") for number in range(3)]
    assert len({task.job.handle for task in tasks}) == 1
    assert face.state_by_unique("key") == gear.JobState(True, False, 0, 0, 3)
    face.serve("once", work)
    assert [task.result() for task in tasks] == [b"ab"] * 3
    assert ran == [b"0"]


def test_the_state_of_an_unknown_job(face: Face) -> None:
    assert face.state_by_unique("nobody") == gear.JobState(False, False, 0, 0, 0)


def test_a_worker_sees_the_unique(face: Face) -> None:
    face.serve("who", lambda assigned: assigned.send("complete", assigned.job.unique or b"none"))
    assert face.submit("who", b"", unique="me").result() == b"me"
    assert face.submit("who", b"").result() == b"none"


def test_a_job_for_later(face: Face) -> None:
    task = face.submit("later", b"", background=True, when=time.time() + 3600)
    assert face.state(task).known
    with pytest.raises(gear.InvalidDataError, match="background"):
        face.submit("later", b"", when=1)


def test_a_worker_sees_the_reducer_when_it_asks(face: Face) -> None:
    seen: list[object] = []

    def work(assigned: Assigned) -> None:
        assert isinstance(assigned.job, gear.WorkerJob | gear.AsyncWorkerJob)
        seen.append(assigned.job.reducer)
        assigned.send("complete", assigned.job.binary_arguments)

    face.serve("map", work, grab_all=True)
    assert face.submit("map", b"parts", reducer="sum").result() == b"parts"
    assert face.submit("map", b"whole").result() == b"whole"
    assert seen == [b"sum", None]


def test_an_ended_job_is_submitted_again(face: Face) -> None:
    ends = iter(("fail", "complete"))
    face.serve("end", lambda assigned: assigned.send(next(ends)))
    task = face.submit("end", b"")
    with pytest.raises(gear.JobFailedError):
        task.result()
    first = task.job.handle
    assert face.submit_again(task).result() == b""
    assert task.job.handle != first


def test_cancelling(face: Face) -> None:
    task = face.submit("nobody", b"")
    assert face.cancel(task.job)
    with pytest.raises(gear.JobFailedError, match="was cancelled"):
        task.result()
    assert not face.cancel(b"H:nobody:1")
    with pytest.raises(gear.InvalidDataError, match="submit it first"):
        face.cancel(gear.Job("nobody", b""))
    assert face.echo(b"any\0thing") == b"any\0thing"


def test_options(face: Face) -> None:
    assert face.set_option("exceptions")
    assert not face.set_option("no such option")
    face.serve("reverse", reverse)
    assert face.submit("reverse", b"ab").result() == b"ba"


@pytest.mark.parametrize(
    ("name", "options", "error", "text"),
    [
        ("a\0b", {}, gear.InvalidDataError, "NUL"),
        ("", {}, gear.InvalidDataError, "empty"),
        ("f", {"precedence": 7}, gear.ConfigurationError, "PRECEDENCE_HIGH"),
        ("f", {"unique": "a\0b"}, gear.InvalidDataError, "NUL"),
        ("f", {"unique": "x" * 65}, gear.ServerError, "ARGUMENT_TOO_LARGE"),
    ],
)
def test_bad_submissions(
    face: Face, name: str, options: dict[str, object], error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        face.submit(name, b"", **options)
    face.serve("reverse", reverse)
    assert face.submit("reverse", b"ab").result() == b"ba"
