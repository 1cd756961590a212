"""What is wrong with an argument is said at once, with what would be right; threads."""

import math
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import pytest

import gear
import gear.constants
from support.refusals import NAN, NUL, PORT, TIMEOUT, Refusal, case, refused

HOST = "127.0.0.1"
REQ = gear.constants.REQ
PROBES: Refusal = (gear.ConfigurationError, "keepalive: .* a number from 1 to")

# Constructors and what needs no server. Any here stands for arguments of the wrong type.

ANY: Any = 5
WORDS: Any = "x"
MADE = [
    case("client id NUL", lambda: gear.Client("a\0b"), NUL),
    case("client id", lambda: gear.Client(ANY), (TypeError, "client id must be bytes or str")),
    case("worker id NUL", lambda: gear.Worker(b"a\0b"), NUL),
    case(
        "two worker ids",
        lambda: gear.Worker("a", worker_id="b"),
        (gear.ConfigurationError, "client_id"),
    ),
    case("async client id", lambda: gear.AsyncClient("a\0b"), NUL),
    case("async worker id", lambda: gear.AsyncWorker("a\0b"), NUL),
    case("no function", lambda: gear.Job("", b""), (gear.InvalidDataError, "must not be empty")),
    case("function NUL", lambda: gear.Job("a\0b", b""), NUL),
    case("function", lambda: gear.Job(ANY, b""), (TypeError, "function name must be bytes or str")),
    case("arguments", lambda: gear.Job("a", ANY), (TypeError, "must be bytes or str, not int")),
    case("no arguments", lambda: gear.TextJob("a", None), (TypeError, "not NoneType")),  # type: ignore[arg-type]  # the point
    case("unique NUL", lambda: gear.Job("a", b"", "a\0b"), NUL),
    case("unique", lambda: gear.Job("a", b"", ANY), (TypeError, "unique must be bytes or str")),
    case("handle NUL", lambda: gear.WorkerJob(b"a\0b", "a", b""), NUL),
    case("handle", lambda: gear.WorkerJob(ANY, "a", b""), (TypeError, "handle must be bytes")),
    case("record NUL", lambda: gear.FunctionRecord("a\0b"), NUL),
    case(
        "record timeout", lambda: gear.FunctionRecord("a", 0), (gear.InvalidDataError, "positive")
    ),
    case(
        "record timeout in words",
        lambda: gear.FunctionRecord("a", "soon"),  # type: ignore[arg-type]  # the point
        (TypeError, "a number of seconds, not str"),
    ),
    case("no host", lambda: gear.Connection(""), (gear.ConfigurationError, "must not be empty")),
    case("host NUL", lambda: gear.Connection("a\0b"), (gear.ConfigurationError, "name of a host")),
    case("host", lambda: gear.Connection(ANY), (TypeError, "host.* must be bytes or str, not int")),
    *(
        case(f"port {port!r}", lambda port=port: gear.Connection(HOST, port), PORT)
        for port in (0, 65536, -1, "http", "", None, 4730.5, True)
    ),
    *(
        case(
            f"probes {probes}",
            lambda probes=probes: gear.Connection(HOST, keepalive=True, **probes),
            PROBES,
        )
        for probes in (
            {"tcp_keepidle": 0},
            {"tcp_keepintvl": -1},
            {"tcp_keepcnt": 1000},
            {"tcp_keepidle": "long"},
            {"tcp_keepcnt": None},
        )
    ),
    case("magic", lambda: gear.Packet(b"\0XXX", 1, b""), (gear.InvalidDataError, "constants.REQ")),
    case("magic text", lambda: gear.Packet("REQ", 1, b""), (gear.InvalidDataError, "magic")),  # type: ignore[arg-type]  # the point
    case("type", lambda: gear.Packet(REQ, 1 << 32, b""), (gear.InvalidDataError, "32 bits")),
    case("type in words", lambda: gear.Packet(REQ, "NOOP", b""), (TypeError, "type of a packet")),  # type: ignore[arg-type]  # the point
    case("data", lambda: gear.Packet(REQ, 1, ANY), (TypeError, "data.* must be bytes or str")),
    case(
        "argument",
        lambda: gear.Packet(REQ, 1, b"a").getArgument(1),
        (gear.InvalidDataError, "has no argument 1"),
    ),
    case(
        "a packet of nobody",
        lambda: gear.Packet(REQ, 1, b"a").getJob(),
        (gear.UnknownJobError, "no connection"),
    ),
    case("no command", gear.AdminRequest, (NotImplementedError, "must be subclassed")),
    case(
        "two words",
        lambda: gear.CancelJobAdminRequest("a b"),
        (gear.InvalidDataError, "must be one word"),
    ),
    case(
        "no word",
        lambda: gear.CancelJobAdminRequest(""),
        (gear.InvalidDataError, "must be one word"),
    ),
    case(
        "a word",
        lambda: gear.CancelJobAdminRequest(ANY),
        (TypeError, "argument of 'cancel job' must be bytes or str"),
    ),
    case(
        "no response yet",
        lambda: gear.StatusAdminRequest().rows(),
        (gear.InvalidDataError, "no response yet"),
    ),
    case(
        "waiting for a reply",
        lambda: gear.StatusAdminRequest().waitForResponse("x"),  # type: ignore[arg-type]  # the point
        TIMEOUT,
    ),
    case("admin port", lambda: gear.AdminClient(HOST, 0), PORT),
    case("admin timeout", lambda: gear.AdminClient(HOST, timeout="x"), TIMEOUT),  # type: ignore[arg-type]  # the point
    case("async admin port", lambda: gear.AsyncAdminClient(HOST, 0), PORT),
    case("async admin timeout", lambda: gear.AsyncAdminClient(HOST, timeout="x"), TIMEOUT),  # type: ignore[arg-type]  # the point
    case(
        "a server without a loop",
        lambda: gear.AsyncClient().add_server(HOST),
        (gear.GearmanError, "coroutine"),
    ),
    case(
        "an administrator who did not connect",
        lambda: gear.AdminClient(HOST).status(),
        (gear.ConnectionError, "not connected"),
    ),
    case(
        "a connection that was not made",
        lambda: gear.Connection(HOST).echo(),
        (gear.ConnectionError, "not connected"),
    ),
    case("server port", lambda: gear.Server(65536), (gear.ConfigurationError, "from 0 to 65535")),
    case(
        "server host",
        lambda: gear.Server(0, host="no such host.example"),
        (gear.ConfigurationError, "no such host.example"),
    ),
    case("pattern", lambda: gear.ACLEntry("a", "("), (gear.ACLError, "regular expression")),
    case("no entry", lambda: gear.ACL().remove("a"), (gear.ACLError, "no entry for a")),
]


@pytest.mark.parametrize(("call", "refusal"), MADE)
def test_what_is_made(call: Callable[[], object], refusal: Refusal) -> None:
    refused(call, refusal)


# Threads


class Ends:
    """All that is connected to one server, for a case to call."""

    def __init__(self, server: gear.Server) -> None:
        self.server = server
        self.client = gear.Client()
        self.worker = gear.Worker("w")
        self.worker.registerFunction("do")
        for end in (self.client, self.worker):
            end.addServer(HOST, server.port)
            end.waitForServer(20)
        self.bare = gear.Connection(HOST, server.port)
        self.bare.connect()

    @property
    def connection(self) -> gear.Connection:
        return self.client.getConnection()

    def submitted(self, **options: Any) -> gear.Job:
        job = gear.Job("nobody", b"")
        self.client.submitJob(job, **options)
        return job

    def assigned(self) -> gear.WorkerJob:
        self.client.submitJob(gear.Job("do", b""))
        return self.worker.getJob(20)

    def close(self) -> None:
        self.bare.disconnect()
        self.worker.shutdown()
        self.client.shutdown()


@pytest.fixture
def ends(server: gear.Server) -> Iterator[Ends]:
    ends = Ends(server)
    yield ends
    ends.close()


JOB = gear.Job("nobody", b"")
CALLED = [
    case(
        "a host twice",
        lambda e: e.client.addServer(HOST, str(e.server.port)),
        (gear.ConfigurationError, f"{HOST} port .* was added before"),
    ),
    case("a port", lambda e: e.client.addServer(HOST, 0), PORT),
    case("probes", lambda e: e.client.addServer(HOST, 1, keepalive=True, tcp_keepidle=-1), PROBES),
    case("waitForServer", lambda e: e.client.waitForServer("x"), TIMEOUT),
    case("submit", lambda e: e.client.submitJob("reverse"), (TypeError, "gear.Job, not str")),
    case(
        "precedence",
        lambda e: e.client.submitJob(JOB, precedence=3),
        (gear.ConfigurationError, r"precedence 3; .*PRECEDENCE_HIGH \(2\)"),
    ),
    case("submit timeout", lambda e: e.client.submitJob(JOB, timeout="x"), TIMEOUT),
    case("submit timeout nan", lambda e: e.client.submitJob(JOB, timeout=math.nan), NAN),
    case(
        "when without background",
        lambda e: e.client.submitJob(JOB, when=1),
        (gear.InvalidDataError, "background=True"),
    ),
    case(
        "when without zone",
        lambda e: e.client.submitJob(JOB, True, when=datetime(2030, 1, 1)),
        (gear.InvalidDataError, "time zone"),
    ),
    case(
        "when in words",
        lambda e: e.client.submitJob(JOB, True, when="soon"),
        (TypeError, "seconds or a datetime"),
    ),
    case("reducer", lambda e: e.client.submitJob(JOB, reducer="a\0b"), NUL),
    case(
        "a long unique",
        lambda e: e.client.submitJob(gear.Job("nobody", b"", "x" * 65)),
        (gear.ServerError, "ARGUMENT_TOO_LARGE"),
    ),
    case(
        "status before",
        lambda e: e.client.getStatus(gear.Job("a", b"")),
        (gear.InvalidDataError, "submit it first"),
    ),
    case("status of NUL", lambda e: e.client.getStatus("a\0b"), NUL),
    case("status", lambda e: e.client.getStatus(5), (TypeError, "handle must be bytes or str")),
    case("status timeout", lambda e: e.client.getStatus("H:1", "x"), TIMEOUT),
    case("status by unique", lambda e: e.client.getStatusByUnique("a\0b"), NUL),
    case(
        "cancel before",
        lambda e: e.client.cancelJob(gear.Job("a", b"")),
        (gear.InvalidDataError, "submit it first"),
    ),
    case("cancel NUL", lambda e: e.client.cancelJob("a\0b"), NUL),
    case("cancel", lambda e: e.client.cancelJob(5), (TypeError, "handle must be bytes or str")),
    case("cancel timeout", lambda e: e.client.cancelJob("H:1", "x"), TIMEOUT),
    case("option NUL", lambda e: e.client.setOption("a\0b"), NUL),
    case("option", lambda e: e.client.setOption(5), (TypeError, "option must be bytes or str")),
    case("option timeout", lambda e: e.client.setOption("exceptions", "x"), TIMEOUT),
    case("echo", lambda e: e.client.echo(5), (TypeError, "must be bytes or str, not int")),
    case("echo timeout", lambda e: e.client.echo(b"", "x"), TIMEOUT),
    case("bare echo timeout", lambda e: e.bare.echo(b"", "x"), TIMEOUT),
    case("broadcast", lambda e: e.client.broadcast(b"x"), (TypeError, "gear.Packet, not bytes")),
    case("sendPacket", lambda e: e.bare.sendPacket(b"x"), (TypeError, "gear.Packet, not bytes")),
    case("sendRaw", lambda e: e.bare.sendRaw(5), (TypeError, "must be bytes or str, not int")),
    case(
        "sendAdminRequest",
        lambda e: e.connection.sendAdminRequest("status"),
        (TypeError, "gear.AdminRequest, not str"),
    ),
    case(
        "sendAdminRequest timeout",
        lambda e: e.connection.sendAdminRequest(gear.StatusAdminRequest(), "x"),
        TIMEOUT,
    ),
    case(
        "bare sendAdminRequest timeout",
        lambda e: e.bare.sendAdminRequest(gear.StatusAdminRequest(), "x"),
        TIMEOUT,
    ),
    case(
        "reading beside the poll thread",
        lambda e: e.connection.readPacket(),
        (gear.GearmanError, "poll thread"),
    ),
    case("connect timeout", lambda e: gear.Connection(HOST, 1).connect(WORDS), TIMEOUT),
    case("wait", lambda e: e.submitted().wait("x"), TIMEOUT),
    case("result", lambda e: e.submitted().result("x"), TIMEOUT),
    case(
        "the end of a background job",
        lambda e: e.submitted(background=True).result(),
        (gear.InvalidDataError, "background"),
    ),
    case("register NUL", lambda e: e.worker.registerFunction("a\0b"), NUL),
    case(
        "register",
        lambda e: e.worker.registerFunction(5),
        (TypeError, "function name must be bytes or str"),
    ),
    case(
        "register timeout",
        lambda e: e.worker.registerFunction("a", -1),
        (gear.InvalidDataError, "positive number of seconds"),
    ),
    case("unregister", lambda e: e.worker.unRegisterFunction("other"), (KeyError, "other")),
    case(
        "functions",
        lambda e: e.worker.setFunctions(["do"]),
        (TypeError, "takes FunctionRecords, not 'do'"),
    ),
    case("no functions", lambda e: e.worker.setFunctions(None), (TypeError, "FunctionRecords")),
    case("getJob", lambda e: e.worker.getJob("x"), TIMEOUT),
    case("complete", lambda e: e.assigned().sendWorkComplete(5), (TypeError, "not int")),
    case("data", lambda e: e.assigned().sendWorkData(None), (TypeError, "not NoneType")),
    case(
        "status of nothing",
        lambda e: e.assigned().sendWorkStatus("half", 2),
        (gear.InvalidDataError, "numerator .*number"),
    ),
    case(
        "status of None",
        lambda e: e.assigned().sendWorkStatus(1, None),
        (TypeError, "denominator .*number"),
    ),
]


@pytest.mark.parametrize(("call", "refusal"), CALLED)
def test_what_is_called(call: Callable[[Ends], object], refusal: Refusal, ends: Ends) -> None:
    refused(lambda: call(ends), refusal)
    # Nothing is left of it that would hurt the next call.
    job = gear.Job("do", b"")
    ends.client.submitJob(job)
    while (assigned := ends.worker.getJob(20)).handle != job.handle:
        assigned.sendWorkFail()
    assigned.sendWorkComplete(b"done")
    assert job.result(20) == b"done"
    assert ends.bare.echo(b"x", 20) == b"x"
    status = gear.StatusAdminRequest()
    ends.connection.sendAdminRequest(status, 20)
    assert status.rows()


STOPPED: Refusal = (gear.InterruptedError, "was shut down")
AFTERWARDS = [
    case("addServer", lambda e: e.client.addServer(HOST, 1), STOPPED),
    case("waitForServer", lambda e: e.client.waitForServer(), STOPPED),
    case("setOption", lambda e: e.client.setOption("exceptions"), STOPPED),
    case(
        "submitJob",
        lambda e: e.client.submitJob(JOB),
        (gear.NoConnectedServersError, "was shut down"),
    ),
    case(
        "getConnection",
        lambda e: e.client.getConnection(),
        (gear.NoConnectedServersError, "was shut down"),
    ),
    case(
        "getStatus",
        lambda e: e.client.getStatus("H:1"),
        (gear.NoConnectedServersError, "was shut down"),
    ),
    case("echo", lambda e: e.client.echo(), (gear.NoConnectedServersError, "was shut down")),
    case(
        "cancelJob",
        lambda e: e.client.cancelJob("H:1"),
        (gear.NoConnectedServersError, "was shut down"),
    ),
    case("getJob", lambda e: e.worker.getJob(), STOPPED),
    case("bare echo", lambda e: e.bare.echo(), (gear.ConnectionError, "not connected")),
]


@pytest.mark.parametrize(("call", "refusal"), AFTERWARDS)
def test_after_shutdown(call: Callable[[Ends], object], refusal: Refusal, ends: Ends) -> None:
    ends.close()
    refused(lambda: call(ends), refusal)


def test_a_job_that_ran_when_its_client_was_shut_down(ends: Ends) -> None:
    job = ends.submitted()
    ends.close()
    refused(job.result, (gear.JobFailedError, "lost its server"))


def test_what_needs_no_server_may_come_after_shutdown(ends: Ends) -> None:
    """Programs call these in their own threads, whenever the end comes."""
    ends.close()
    ends.client.shutdown()
    ends.worker.stopWaitingForJobs()
    ends.worker.registerFunction("more")
    ends.worker.setFunctions([])
    ends.client.broadcast(gear.Packet(REQ, gear.constants.NOOP, b""))


@pytest.mark.parametrize("timeout", [0, -1, -0.5])
def test_a_timeout_that_is_over_is_a_timeout(timeout: float, ends: Ends) -> None:
    """As in 0.16: programs pass what is left of their own time."""
    lonely = gear.Client()
    job = ends.submitted()
    waits: list[Callable[[], object]] = [
        lambda: lonely.waitForServer(timeout),
        lambda: job.result(timeout),
        lambda: ends.worker.getJob(timeout),
    ]
    for wait in waits:
        refused(wait, (gear.TimeoutError, f"in {timeout} s"))
    assert job.wait(timeout) is False
    lonely.shutdown()


@pytest.mark.parametrize("timeout", [None, math.inf, 1e300, 10**9])
def test_timeouts_without_end(timeout: float | None, ends: Ends) -> None:
    """Longer ones than the system can count are no limit."""
    ends.client.waitForServer(timeout)
    job = gear.Job("do", b"")
    ends.client.submitJob(job, timeout=timeout)
    ends.worker.getJob(timeout).sendWorkComplete()
    assert job.wait(timeout)
    assert ends.bare.echo(b"x", timeout) == b"x"
    assert ends.client.echo(b"x", timeout) == b"x"
    ends.connection.sendAdminRequest(gear.StatusAdminRequest(), timeout)
    ends.bare.sendAdminRequest(gear.StatusAdminRequest(), timeout)
    assert ends.client.getStatus("H:1", timeout).known is False
    assert ends.client.setOption("exceptions", timeout)


def test_waiting_takes_no_longer_than_asked_for() -> None:
    client = gear.Client()
    taken = []
    for _ in range(3):
        begun = time.monotonic()
        refused(lambda: client.waitForServer(0.3), (gear.TimeoutError, "in 0.3 s"))
        taken.append(time.monotonic() - begun)
    assert 0.3 <= min(taken) < 0.9
    client.shutdown()
