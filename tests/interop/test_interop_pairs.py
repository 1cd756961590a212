"""Clients and workers of other libraries with each other, with nothing of gear's but geard."""

import pytest

from .conftest import running
from .programs import PROGRAMS, ClientProgram, StartWorker, WorkerProgram, on_servers

pytestmark = [pytest.mark.peer, pytest.mark.timeout(40)]


@pytest.fixture(params=PROGRAMS)
def worker(request: pytest.FixtureRequest, shared_workers: StartWorker) -> WorkerProgram:
    """Each of the workers, on geard."""
    return shared_workers(request.param, running(request, "geard"))


@on_servers("client", PROGRAMS, ["geard"])
def test_updates(client: ClientProgram, worker: WorkerProgram) -> None:
    assert client.ask("run", b"go", function=f"{worker.prefix}talk")[1:] == [
        ("status", b"1/4"),
        ("data", b"one "),
        ("warning", b"two "),
        ("status", b"3/4"),
        ("complete", b"three"),
    ]


@on_servers("client", PROGRAMS, ["geard"])
def test_a_failure_and_an_exception(client: ClientProgram, worker: WorkerProgram) -> None:
    assert client.ask("run", b"go", function=f"{worker.prefix}fail")[1:] == [("fail", b"")]
    assert client.ask("run", b"a\0b", function=f"{worker.prefix}raise", exceptions="1")[1:] == [
        ("exception", b"a\0b")
    ]


@on_servers("client", PROGRAMS, ["geard"])
def test_many_jobs_at_once(client: ClientProgram, worker: WorkerProgram) -> None:
    events = client.ask("many", function=f"{worker.prefix}echo", count="10")
    results = [data for kind, data in events if kind == "complete"]
    assert sorted(results) == sorted(b"job %d" % number for number in range(10))
