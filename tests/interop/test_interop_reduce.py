"""Jobs in parts: libgearman's partition and aggregation, with the parts done by gear's workers."""

import threading
from collections.abc import Iterator

import pytest

import gear
from support.daemon import Server
from support.faces import Assigned, Face, connected, reverse

from .programs import ClientProgram, StartWorker, WorkerProgram, on_servers

pytestmark = [pytest.mark.peer, pytest.mark.timeout(40)]

WAIT = 20


@pytest.fixture(params=["threads", "asyncio"])
def face(request: pytest.FixtureRequest, server: Server) -> Iterator[Face]:
    """A client and workers of gear's."""
    with connected(request.param, [(server.host, server.port)]) as face:
        yield face


@pytest.fixture
def splitter(server: Server, shared_workers: StartWorker) -> WorkerProgram:
    """A worker on libgearman that makes a job of each word, and joins the results."""
    return shared_workers("libgearman", server)


def test_gear_submits(splitter: WorkerProgram, face: Face, prefix: str) -> None:
    face.serve(prefix, reverse)
    task = face.submit(f"{splitter.prefix}split", b"ab cd ef", reducer=prefix)
    assert sorted(task.result().split()) == [b"ba", b"dc", b"fe"]


def test_gear_submits_in_the_background(splitter: WorkerProgram, face: Face, prefix: str) -> None:
    parts: list[bytes] = []
    ended = threading.Event()

    def work(assigned: Assigned) -> None:
        parts.append(assigned.job.binary_arguments)
        reverse(assigned)
        if len(parts) == 2:
            ended.set()

    face.serve(prefix, work)
    face.submit(f"{splitter.prefix}split", b"ab cd", reducer=prefix, background=True)
    assert ended.wait(WAIT)
    assert sorted(parts) == [b"ab", b"cd"]


def test_a_part_fails(splitter: WorkerProgram, face: Face, prefix: str) -> None:
    face.serve(prefix, lambda assigned: assigned.send("fail"))
    task = face.submit(f"{splitter.prefix}split", b"ab cd", reducer=prefix)
    with pytest.raises(gear.JobFailedError):
        task.result()


@on_servers("client", ["libgearman"])
def test_libgearman_submits(
    client: ClientProgram, shared_workers: StartWorker, prefix: str
) -> None:
    worker = shared_workers("libgearman", client.server)
    with connected("threads", [(client.server.host, client.server.port)]) as face:
        face.serve(prefix, reverse)
        events = client.ask(
            "execute", b"ab cd ef", function=f"{worker.prefix}split", reducer=prefix
        )
    ((kind, result),) = events
    assert kind == "complete"
    assert sorted(result.split()) == [b"ba", b"dc", b"fe"]


@on_servers("client", ["libgearman"], ["geard"])
def test_libgearman_alone(client: ClientProgram, shared_workers: StartWorker) -> None:
    splitter = shared_workers("libgearman", client.server)
    other = shared_workers("php", client.server)
    events = client.ask(
        "execute", b"ab cd", function=f"{splitter.prefix}split", reducer=f"{other.prefix}reverse"
    )
    ((kind, result),) = events
    assert (kind, sorted(result.split())) == ("complete", [b"ba", b"dc"])
