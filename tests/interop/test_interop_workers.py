"""Workers of other libraries, which do the jobs of gear's clients over geard and gearmand."""

from collections.abc import Iterator

import pytest

import gear
from support.faces import Face, connected

from .programs import LARGE, PROGRAMS, WorkerProgram, on_servers

pytestmark = [pytest.mark.peer, pytest.mark.timeout(40)]

ANYTHING = bytes(range(256)) * 3
ON_THREADS = pytest.mark.parametrize("face", ["threads"], indirect=True)


@pytest.fixture(params=["threads", "asyncio"])
def face(request: pytest.FixtureRequest, worker: WorkerProgram) -> Iterator[Face]:
    """A client of gear's, on the server that the worker serves."""
    with connected(request.param, [(worker.server.host, worker.server.port)]) as face:
        yield face


@on_servers("worker", PROGRAMS)
def test_a_result(worker: WorkerProgram, face: Face) -> None:
    assert face.submit(f"{worker.prefix}reverse", b"test string").result() == b"gnirts tset"


@on_servers("worker", PROGRAMS)
def test_a_binary_workload(worker: WorkerProgram, face: Face) -> None:
    assert face.submit(f"{worker.prefix}echo", ANYTHING).result() == ANYTHING


@on_servers("worker", ["libgearman", "php", "gear016"])
def test_an_empty_workload(worker: WorkerProgram, face: Face) -> None:
    assert face.submit(f"{worker.prefix}echo", b"").result() == b""


@ON_THREADS
@on_servers("worker", PROGRAMS)
def test_a_large_workload(worker: WorkerProgram, face: Face) -> None:
    workload = ANYTHING * (LARGE[worker.name] // len(ANYTHING))
    assert face.submit(f"{worker.prefix}echo", workload).result() == workload


@on_servers("worker", PROGRAMS)
def test_updates(worker: WorkerProgram, face: Face) -> None:
    task = face.submit(f"{worker.prefix}talk", b"")
    assert task.result() == b"one two three"
    assert task.job.data == [b"one ", b"two ", b"three"]
    assert task.job.warning
    assert (task.job.numerator, task.job.denominator) == (b"3", b"4")


@on_servers("worker", PROGRAMS)
def test_a_failure(worker: WorkerProgram, face: Face) -> None:
    task = face.submit(f"{worker.prefix}fail", b"")
    with pytest.raises(gear.JobFailedError) as failure:
        task.result()
    assert failure.value.exception is None


@on_servers("worker", PROGRAMS)
def test_an_exception(worker: WorkerProgram, face: Face) -> None:
    task = face.submit(f"{worker.prefix}raise", b"what\0wrong")
    with pytest.raises(gear.JobFailedError) as failure:
        task.result()
    assert failure.value.exception == b"what\0wrong"
    # The worker goes on.
    assert face.submit(f"{worker.prefix}reverse", b"ab").result() == b"ba"


@on_servers("worker", ["libgearman", "php", "gear016"])
def test_the_unique(worker: WorkerProgram, face: Face) -> None:
    assert face.submit(f"{worker.prefix}unique", b"", unique="me").result() == b"me"


@on_servers("worker", PROGRAMS)
def test_a_background_job(worker: WorkerProgram, face: Face) -> None:
    task = face.submit(f"{worker.prefix}reverse", b"first", background=True)
    # The worker does one job after the other: when this one has ended, the first has too.
    assert face.submit(f"{worker.prefix}reverse", b"second").result() == b"dnoces"
    assert not face.state(task).known


@on_servers("worker", PROGRAMS)
def test_many_jobs_at_once(worker: WorkerProgram, face: Face) -> None:
    tasks = [face.submit(f"{worker.prefix}echo", b"job %d" % number) for number in range(20)]
    assert [task.result() for task in tasks] == [b"job %d" % number for number in range(20)]


@ON_THREADS
@on_servers("worker", PROGRAMS)
def test_the_name(worker: WorkerProgram, face: Face) -> None:
    face.submit(f"{worker.prefix}echo", b"are you there?").result()
    with gear.AdminClient(worker.server.host, worker.server.port) as admin:
        (known,) = [
            connection.functions
            for connection in admin.workers()
            if connection.client_id == worker.prefix.encode()
        ]
    assert f"{worker.prefix}echo".encode() in known
