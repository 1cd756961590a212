"""Clients of other libraries, whose jobs are done by gear's workers over geard and gearmand."""

import threading
import time
from collections.abc import Iterator

import pytest

from support.faces import Assigned, Face, connected, reverse

from .programs import LARGE, PROGRAMS, SERVERS, ClientProgram, on_servers

pytestmark = [pytest.mark.peer, pytest.mark.timeout(40)]

WAIT = 20
ANYTHING = bytes(range(256)) * 3
BLOCKING = ("libgearman", "perl", "php")
ON_THREADS = pytest.mark.parametrize("face", ["threads"], indirect=True)


@pytest.fixture(params=["threads", "asyncio"])
def face(request: pytest.FixtureRequest, client: ClientProgram) -> Iterator[Face]:
    """Workers of gear's, on the server that the client asks."""
    with connected(request.param, [(client.server.host, client.server.port)]) as face:
        yield face


def echo(assigned: Assigned) -> None:
    assigned.send("complete", assigned.job.binary_arguments)


def talk(assigned: Assigned) -> None:
    assigned.send("status", 1, 4)
    assigned.send("data", b"one ")
    assigned.send("warning", b"two ")
    assigned.send("status", 3, 4)
    assigned.send("complete", b"three")


def fail(assigned: Assigned) -> None:
    assigned.send("fail")


def throw(assigned: Assigned) -> None:
    assigned.send("exception", b"what\0wrong")


@on_servers("client", PROGRAMS)
def test_a_result(client: ClientProgram, face: Face, prefix: str) -> None:
    face.serve(prefix, reverse)
    created, complete = client.ask("run", b"test string", function=prefix)
    assert (created[0], complete) == ("created", ("complete", b"gnirts tset"))


@on_servers("client", PROGRAMS)
def test_a_binary_workload(client: ClientProgram, face: Face, prefix: str) -> None:
    face.serve(prefix, echo)
    assert client.ask("run", ANYTHING, function=prefix)[1:] == [("complete", ANYTHING)]


# PHP's extension refuses an empty workload.
@on_servers("client", ["libgearman", "perl", "gear016"])
def test_an_empty_workload(client: ClientProgram, face: Face, prefix: str) -> None:
    face.serve(prefix, echo)
    assert client.ask("run", b"", function=prefix)[1:] == [("complete", b"")]


@ON_THREADS
@on_servers("client", PROGRAMS)
def test_a_large_workload(client: ClientProgram, face: Face, prefix: str) -> None:
    workload = ANYTHING * (LARGE[client.name] // len(ANYTHING))
    face.serve(prefix, echo)
    assert client.ask("run", workload, function=prefix)[1:] == [("complete", workload)]


@on_servers("client", PROGRAMS)
def test_updates(client: ClientProgram, face: Face, prefix: str) -> None:
    face.serve(prefix, talk)
    assert client.ask("run", b"go", function=prefix)[1:] == [
        ("status", b"1/4"),
        ("data", b"one "),
        ("warning", b"two "),
        ("status", b"3/4"),
        ("complete", b"three"),
    ]


@on_servers("client", PROGRAMS)
def test_a_failure(client: ClientProgram, face: Face, prefix: str) -> None:
    face.serve(prefix, fail)
    assert client.ask("run", b"go", function=prefix)[1:] == [("fail", b"")]


@on_servers("client", PROGRAMS)
def test_an_exception_for_who_asked(client: ClientProgram, face: Face, prefix: str) -> None:
    face.serve(prefix, throw)
    assert client.ask("run", b"go", function=prefix, exceptions="1")[1:] == [
        ("exception", b"what\0wrong")
    ]


# gearmand ends this WORK_FAIL with a NUL, at which libgearman waits on and Perl dies. PHP's
# extension always asks for exceptions.
@on_servers("client", ["libgearman", "perl", "gear016"], ["geard"])
def test_an_exception_for_who_did_not_ask(client: ClientProgram, face: Face, prefix: str) -> None:
    face.serve(prefix, throw)
    assert client.ask("run", b"go", function=prefix)[1:] == [("fail", b"")]


@on_servers("client", BLOCKING)
def test_the_blocking_call(client: ClientProgram, face: Face, prefix: str) -> None:
    face.serve(f"{prefix}reverse", reverse)
    face.serve(f"{prefix}fail", fail)
    for precedence in ("high", "low"):
        events = client.ask("do", b"ab", function=f"{prefix}reverse", precedence=precedence)
        assert events == [("complete", b"ba")]
    assert client.ask("do", b"ab", function=f"{prefix}reverse") == [("complete", b"ba")]
    assert client.ask("do", b"go", function=f"{prefix}fail") == [("fail", b"")]


@on_servers("client", PROGRAMS)
def test_a_background_job(client: ClientProgram, face: Face, prefix: str) -> None:
    done: list[bytes] = []
    ended = threading.Event()

    def work(assigned: Assigned) -> None:
        done.append(assigned.job.binary_arguments)
        assigned.send("complete", b"for nobody")
        ended.set()

    events = client.ask("run", b"later", function=prefix, background="1")
    assert [kind for kind, _ in events] == ["created"]
    assert client.ask("state", handle=events[0][1]) == [("state", b"1 0 0 0")]
    face.serve(prefix, work)
    assert ended.wait(WAIT)
    assert done == [b"later"]


@on_servers("client", BLOCKING)
def test_the_call_for_background_jobs(client: ClientProgram, face: Face, prefix: str) -> None:
    ended = threading.Event()

    def work(assigned: Assigned) -> None:
        assigned.send("complete")
        ended.set()

    ((kind, handle),) = client.ask("background", b"later", function=prefix)
    assert (kind, handle.count(b":")) == ("created", 2)
    face.serve(prefix, work)
    assert ended.wait(WAIT)


@on_servers("client", PROGRAMS)
def test_precedence(client: ClientProgram, face: Face, prefix: str) -> None:
    order: list[bytes] = []
    ended = threading.Event()

    def work(assigned: Assigned) -> None:
        order.append(assigned.job.binary_arguments)
        assigned.send("complete")
        if len(order) == 3:
            ended.set()

    client.ask("run", b"low", function=prefix, background="1", precedence="low")
    client.ask("run", b"normal", function=prefix, background="1")
    client.ask("run", b"high", function=prefix, background="1", precedence="high")
    face.serve(prefix, work)
    assert ended.wait(WAIT)
    assert order == [b"high", b"normal", b"low"]


@on_servers("client", PROGRAMS)
def test_one_unique_is_one_job(client: ClientProgram, face: Face, prefix: str) -> None:
    ran: list[tuple[bytes, bytes | None]] = []

    def work(assigned: Assigned) -> None:
        ran.append((assigned.job.binary_arguments, assigned.job.unique))
        talk(assigned)

    first = client.start("run", b"first", function=prefix, unique=f"{prefix}key")
    handle = first.wait_for("created")
    second = client.start("run", b"second", function=prefix, unique=f"{prefix}key")
    assert second.wait_for("created") == handle
    face.serve(prefix, work)
    events = first.events()
    assert events[-1] == ("complete", b"three")
    assert second.events() == events
    assert ran == [(b"first", f"{prefix}key".encode())]


# libgearman and Perl know "-" as the unique that is the workload itself.
@on_servers("client", BLOCKING)
def test_equal_workloads_are_one_job(client: ClientProgram, face: Face, prefix: str) -> None:
    ran: list[bytes] = []

    def work(assigned: Assigned) -> None:
        ran.append(assigned.job.binary_arguments)
        assigned.send("complete")

    same = client.start("run", b"same", function=prefix, unique="-")
    handle = same.wait_for("created")
    also = client.start("run", b"same", function=prefix, unique="-")
    assert also.wait_for("created") == handle
    other = client.start("run", b"other", function=prefix, unique="-")
    assert other.wait_for("created") != handle
    face.serve(prefix, work)
    for conversation in (same, also, other):
        assert conversation.events() == [("complete", b"")]
    assert ran == [b"same", b"other"]


@ON_THREADS
@on_servers("client", PROGRAMS)
def test_the_state_of_a_job(client: ClientProgram, face: Face, prefix: str) -> None:
    asked = threading.Event()

    def work(assigned: Assigned) -> None:
        assigned.send("status", 2, 5)
        assert asked.wait(WAIT)
        assigned.send("complete")

    job = client.start("run", b"go", function=prefix)
    handle = job.wait_for("created")
    assert client.ask("state", handle=handle) == [("state", b"1 0 0 0")]
    face.serve(prefix, work)
    job.wait_for("status")
    assert client.ask("state", handle=handle) == [("state", b"1 1 2 5")]
    asked.set()
    assert job.events() == [("complete", b"")]
    assert client.ask("state", handle=handle) == [("state", b"0 0 0 0")]


@ON_THREADS
@on_servers("client", ["libgearman", "php"])
def test_the_state_by_unique(client: ClientProgram, face: Face, prefix: str) -> None:
    asked = threading.Event()

    def work(assigned: Assigned) -> None:
        assigned.send("status", 2, 5)
        assert asked.wait(WAIT)
        assigned.send("complete")

    job = client.start("run", b"go", function=prefix, unique=prefix)
    job.wait_for("created")
    assert client.ask("unique-state", unique=prefix) == [("state", b"1 0 0 0")]
    face.serve(prefix, work)
    job.wait_for("status")
    assert client.ask("unique-state", unique=prefix) == [("state", b"1 1 2 5")]
    asked.set()
    job.events()
    assert client.ask("unique-state", unique=prefix) == [("state", b"0 0 0 0")]


@on_servers("client", PROGRAMS)
def test_many_jobs_at_once(client: ClientProgram, face: Face, prefix: str) -> None:
    for _ in range(3):
        face.serve(prefix, echo)
    events = client.ask("many", function=prefix, count="50")
    results = [data for kind, data in events if kind == "complete"]
    assert sorted(results) == sorted(b"job %d" % number for number in range(50))


@on_servers("client", BLOCKING)
def test_a_client_that_waits_no_longer(client: ClientProgram, prefix: str) -> None:
    created, timeout = client.ask("run", b"go", function=prefix, timeout="150")
    assert (created[0], timeout) == ("created", ("error", b"timeout"))
    assert client.ask("do", b"go", function=prefix, timeout="150") == [("error", b"timeout")]


@pytest.mark.parametrize("workload", [b"hello", ANYTHING, b"x" * 100_000])
@on_servers("client", ["libgearman", "php"])
def test_echo(client: ClientProgram, workload: bytes) -> None:
    assert client.ask("echo", workload) == [("echo", workload)]


@pytest.mark.parametrize(("name", "known"), [("exceptions", b"yes"), ("nonsense", b"no")])
@on_servers("client", ["libgearman", "gear016"])
def test_options(client: ClientProgram, name: str, known: bytes) -> None:
    assert client.ask("option", name=name) == [("option", known)]


@on_servers("client", ["perl", "gear016"])
def test_the_text_status(client: ClientProgram, prefix: str) -> None:
    for _ in range(2):
        client.ask("run", b"go", function=prefix, background="1")
    assert client.ask("queues", function=prefix) == [("queues", b"2 0 0")]


@on_servers("client", ["libgearman"])
def test_execute(client: ClientProgram, face: Face, prefix: str) -> None:
    face.serve(f"{prefix}reverse", reverse)
    face.serve(f"{prefix}fail", fail)
    events = client.ask("execute", b"ab", function=f"{prefix}reverse")
    assert events == [("complete", b"ba")]
    assert client.ask("execute", b"", function=f"{prefix}fail") == [("fail", b"")]


@on_servers("client", ["libgearman"], SERVERS)
def test_a_job_for_later(client: ClientProgram, face: Face, prefix: str) -> None:
    def submit(workload: bytes, when: float) -> bytes:
        events = client.ask("execute", workload, function=prefix, when=str(int(when)))
        assert [kind for kind, _ in events] == ["created"]
        return events[0][1]

    ran: list[bytes] = []
    ended = threading.Event()

    def work(assigned: Assigned) -> None:
        ran.append(assigned.job.binary_arguments)
        assigned.send("complete")
        ended.set()

    later = submit(b"later", time.time() + 3600)
    submit(b"now", time.time() - 1)
    face.serve(prefix, work)
    assert ended.wait(WAIT)
    assert ran == [b"now"]
    assert client.ask("state", handle=later) == [("state", b"1 0 0 0")]
