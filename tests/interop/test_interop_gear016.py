"""gear's clients, workers and administration with the server of gear 0.16."""

import threading
from collections.abc import Iterator

import pytest

import gear
from support.daemon import Server
from support.faces import Assigned, Face, connected, reverse

pytestmark = [pytest.mark.peer, pytest.mark.timeout(40)]

WAIT = 20
ANYTHING = bytes(range(256)) * 3


@pytest.fixture(params=["threads", "asyncio"])
def face(request: pytest.FixtureRequest, gear016_program: Server) -> Iterator[Face]:
    """A client and workers of gear's."""
    with connected(request.param, [(gear016_program.host, gear016_program.port)]) as face:
        yield face


def echo(assigned: Assigned) -> None:
    assigned.send("complete", assigned.job.binary_arguments)


@pytest.mark.parametrize(
    "workload", [b"test string", b"", ANYTHING, ANYTHING * 3000], ids=["text", "none", "all", "2M"]
)
def test_a_result(face: Face, prefix: str, workload: bytes) -> None:
    face.serve(prefix, echo)
    assert face.submit(prefix, workload).result() == workload


def test_updates(face: Face, prefix: str) -> None:
    def work(assigned: Assigned) -> None:
        assigned.send("status", 1, 4)
        assigned.send("data", b"one ")
        assigned.send("warning", b"two ")
        assigned.send("complete", b"three")

    face.serve(prefix, work)
    task = face.submit(prefix, b"")
    assert task.result() == b"one two three"
    assert task.job.warning
    assert task.job.fraction_complete == 0.25


def test_a_failure(face: Face, prefix: str) -> None:
    face.serve(prefix, lambda assigned: assigned.send("fail"))
    with pytest.raises(gear.JobFailedError) as failure:
        face.submit(prefix, b"").result()
    assert failure.value.exception is None


def test_an_exception(face: Face, prefix: str) -> None:
    face.serve(prefix, lambda assigned: assigned.send("exception", b"what\0wrong"))
    with pytest.raises(gear.JobFailedError) as failure:
        face.submit(prefix, b"").result()
    assert failure.value.exception == b"what\0wrong"


def test_the_unique(face: Face, prefix: str) -> None:
    face.serve(prefix, lambda assigned: assigned.send("complete", assigned.job.unique or b"none"))
    assert face.submit(prefix, b"", unique="me").result() == b"me"


def test_background_state_and_precedence(face: Face, prefix: str) -> None:
    order: list[bytes] = []
    ended = threading.Event()

    def work(assigned: Assigned) -> None:
        order.append(assigned.job.binary_arguments)
        assigned.send("complete")
        if len(order) == 3:
            ended.set()

    tasks = [
        face.submit(prefix, name, background=True, precedence=precedence)
        for name, precedence in (
            (b"low", gear.PRECEDENCE_LOW),
            (b"normal", gear.PRECEDENCE_NORMAL),
            (b"high", gear.PRECEDENCE_HIGH),
        )
    ]
    assert face.state(tasks[0]) == gear.JobState(True, False, 0, 0)
    face.serve(prefix, work)
    assert ended.wait(WAIT)
    assert order == [b"high", b"normal", b"low"]


def test_many_jobs_at_once(face: Face, prefix: str) -> None:
    for _ in range(3):
        face.serve(prefix, reverse)
    tasks = [face.submit(prefix, b"job %d" % number) for number in range(20)]
    assert [task.result() for task in tasks] == [(b"job %d" % number)[::-1] for number in range(20)]


def test_an_option_is_never_confirmed(gear016_program: Server, prefix: str) -> None:
    with connected("threads", [(gear016_program.host, gear016_program.port)]) as face:
        client = gear.Client("options")
        client.addServer(gear016_program.host, gear016_program.port)
        client.waitForServer()
        assert not client.setOption("exceptions", timeout=0.2)
        face.serve(prefix, reverse)
        job = gear.Job(prefix, b"ab")
        client.submitJob(job)
        assert job.result(WAIT) == b"ba"
        client.shutdown()


def test_the_job_of_a_worker_that_leaves_fails(face: Face, gear016_program: Server) -> None:
    worker = gear.Worker("leaving")
    worker.registerFunction("leave")
    worker.addServer(gear016_program.host, gear016_program.port)
    worker.waitForServer()
    task = face.submit("leave", b"")
    worker.getJob()
    worker.shutdown()
    with pytest.raises(gear.JobFailedError):
        task.result()


def test_administration(gear016_program: Server, prefix: str) -> None:
    client = gear.Client("admin")
    client.addServer(gear016_program.host, gear016_program.port)
    client.waitForServer()
    job = gear.Job(prefix, b"")
    client.submitJob(job, background=True)
    assert job.handle is not None
    with gear.AdminClient(gear016_program.host, gear016_program.port) as admin:
        (row,) = [row for row in admin.status() if row.function == prefix.encode()]
        assert (row.total, row.running, row.workers) == (1, 0, 0)
        assert b"admin" in {connection.client_id for connection in admin.workers()}
        admin.cancelJob(job.handle)
        with pytest.raises(gear.ServerError, match="UNKNOWN_JOB"):
            admin.cancelJob(job.handle)
        assert prefix.encode() not in {row.function for row in admin.status() if row.total}
    client.shutdown()
