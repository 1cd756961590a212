"""Debian's command line tool `gearman`, as client and as worker, over geard and gearmand."""

import subprocess
import threading
from collections.abc import Iterator

import pytest

import gear
from support.daemon import Server
from support.faces import Assigned, Face, connected, reverse
from support.fix_peers import require_program

from .programs import Processes

pytestmark = [pytest.mark.peer, pytest.mark.timeout(40)]

WAIT = 20
ANYTHING = bytes(range(256)) * 3


class Tool:
    """Runs `gearman`."""

    def __init__(self, server: Server, processes: Processes) -> None:
        self._program = require_program("gearman", "gearman-tools")
        self._server = server
        self._processes = processes

    def _command(self, options: tuple[str, ...]) -> list[str]:
        return [self._program, "-h", self._server.host, "-p", str(self._server.port), *options]

    def run(self, *options: str, data: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        """Run it to its end with this on its standard input."""
        return subprocess.run(
            self._command(options), input=data, check=False, capture_output=True, timeout=WAIT
        )

    def client(self, *options: str, data: bytes = b"") -> bytes:
        """Return what a client prints that ends well."""
        ran = self.run(*options, data=data)
        assert (ran.returncode, ran.stderr) == (0, b"")
        return ran.stdout

    def worker(self, *options: str) -> subprocess.Popen[bytes]:
        """Start a worker."""
        return self._processes.start(self._command(("-w", *options)), stdout=subprocess.PIPE)


@pytest.fixture
def tool(server: Server, processes: Processes) -> Tool:
    """`gearman`, for each server."""
    return Tool(server, processes)


@pytest.fixture(params=["threads", "asyncio"])
def face(request: pytest.FixtureRequest, server: Server) -> Iterator[Face]:
    """A client and workers of gear's, on that server."""
    with connected(request.param, [(server.host, server.port)]) as face:
        yield face


# As client


def test_a_client(tool: Tool, face: Face, prefix: str) -> None:
    face.serve(prefix, reverse)
    assert tool.client("-f", prefix, "test string") == b"gnirts tset"
    assert tool.client("-f", prefix, data=b"from a pipe") == b"epip a morf"
    assert tool.client("-f", prefix, data=ANYTHING) == ANYTHING[::-1]


def test_a_client_with_a_large_workload(tool: Tool, face: Face, prefix: str) -> None:
    face.serve(prefix, reverse)
    data = ANYTHING * 400
    assert tool.client("-f", prefix, data=data) == data[::-1]


def test_a_client_without_a_workload(tool: Tool, face: Face, prefix: str) -> None:
    face.serve(prefix, lambda assigned: assigned.send("complete", b"nothing came"))
    assert tool.client("-f", prefix, "-s") == b"nothing came"


def test_a_client_of_two_functions_that_prints_their_names(
    tool: Tool, face: Face, prefix: str
) -> None:
    face.serve(f"{prefix}one", reverse)
    face.serve(f"{prefix}two", lambda assigned: assigned.send("complete", b"2"))
    options = ["-P", "-f", f"{prefix}one", "-f", f"{prefix}two"]
    printed = tool.client(*options, "ab")
    assert f"{prefix}one: ba".encode() in printed
    assert f"{prefix}two: 2".encode() in printed


@pytest.mark.parametrize(
    ("option", "results"), [("-n", {b"\nba", b"\ndc"}), ("-N", {b"ba", b"dc"})]
)
def test_a_job_for_each_line(
    tool: Tool, face: Face, prefix: str, option: str, results: set[bytes]
) -> None:
    arguments: list[bytes] = []

    def work(assigned: Assigned) -> None:
        arguments.append(assigned.job.binary_arguments)
        reverse(assigned)

    face.serve(prefix, work)
    printed = tool.client("-f", prefix, option, data=b"ab\ncd\n")
    assert {argument[::-1] for argument in arguments} == results
    assert len(printed.replace(b"\n", b"")) == 4


def test_a_client_of_data_and_status(tool: Tool, face: Face, prefix: str) -> None:
    def work(assigned: Assigned) -> None:
        assigned.send("status", 1, 4)
        assigned.send("data", b"one ")
        assigned.send("warning", b"two ")
        assigned.send("complete", b"three")

    face.serve(prefix, work)
    ran = tool.run("-f", prefix, "-s")
    assert ran.returncode == 0
    assert ran.stdout.replace(b"25% Complete\n", b"") == b"one three"
    assert b"25% Complete" in ran.stdout
    assert ran.stderr == b"two "


def test_a_client_of_a_failure(tool: Tool, face: Face, prefix: str) -> None:
    face.serve(prefix, lambda assigned: assigned.send("fail"))
    ran = tool.run("-f", prefix, "-s")
    assert ran.returncode == 1
    assert b"Job failed" in ran.stderr


def test_background_and_precedence(tool: Tool, face: Face, prefix: str) -> None:
    order: list[bytes] = []
    ended = threading.Event()

    def work(assigned: Assigned) -> None:
        order.append(assigned.job.binary_arguments)
        assigned.send("complete", b"for nobody")
        if len(order) == 3:
            ended.set()

    for options in (["-L", "low"], ["normal"], ["-I", "high"]):
        assert tool.client("-b", "-f", prefix, *options) == b""
    face.serve(prefix, work)
    assert ended.wait(WAIT)
    assert order == [b"high", b"normal", b"low"]


def test_the_handle_is_told(tool: Tool, prefix: str) -> None:
    told = tool.client("-v", "-b", "-f", prefix, "a").decode()
    assert "Task created: H:" in told


def test_a_unique(tool: Tool, face: Face, prefix: str) -> None:
    uniques: list[bytes | None] = []

    def work(assigned: Assigned) -> None:
        uniques.append(assigned.job.unique)
        assigned.send("complete", b"done")

    for data in ("first", "second"):
        tool.client("-b", "-f", prefix, "-u", f"{prefix}key", data)
    face.serve(prefix, work)
    # The two were one job, and this is another.
    assert tool.client("-f", prefix, "-u", f"{prefix}other", "third") == b"done"
    assert uniques == [f"{prefix}key".encode(), f"{prefix}other".encode()]


def test_the_unique_that_is_made_of_the_workload(tool: Tool, face: Face, prefix: str) -> None:
    ran: list[tuple[bytes, bytes | None]] = []

    def work(assigned: Assigned) -> None:
        ran.append((assigned.job.binary_arguments, assigned.job.unique))
        assigned.send("complete", b"done")

    for data in ("same", "same", "other"):
        tool.client("-b", "-f", prefix, "-u", "#", data)
    face.serve(prefix, work)
    assert tool.client("-f", prefix, "last") == b"done"
    assert [arguments for arguments, _ in ran] == [b"same", b"other", b"last"]
    assert ran[0][1] not in (b"#", ran[1][1])


def test_a_client_that_waits_no_longer(tool: Tool, prefix: str) -> None:
    ran = tool.run("-t", "150", "-f", prefix, "-s")
    assert ran.stdout == b""
    assert b"GEARMAN_TIMEOUT" in ran.stderr


# As worker


def test_a_worker_that_runs_a_command(tool: Tool, face: Face, prefix: str) -> None:
    tool.worker("-f", prefix, "--", "tr", "a-z", "A-Z")
    assert face.submit(prefix, b"some text").result() == b"SOME TEXT"
    assert face.submit(prefix, b"more").result() == b"MORE"


def test_a_worker_with_anything(tool: Tool, face: Face, prefix: str) -> None:
    tool.worker("-f", prefix, "--", "cat")
    for data in (ANYTHING, b"", b"\0"):
        assert face.submit(prefix, data).result() == data


def test_a_worker_with_a_large_workload(tool: Tool, face: Face, prefix: str) -> None:
    # It hands all over before it reads: a command that answers early would block.
    tool.worker("-f", prefix, "--", "wc", "-c")
    assert face.submit(prefix, b"x" * 2_000_000).result().strip() == b"2000000"


def test_a_worker_whose_command_fails(tool: Tool, face: Face, prefix: str) -> None:
    tool.worker("-f", prefix, "--", "false")
    with pytest.raises(gear.JobFailedError):
        face.submit(prefix, b"").result()


@pytest.mark.parametrize(
    ("option", "parts"),
    [("-n", [b"a\n", b"a\nb\n"]), ("-N", [b"a", b"a\nb"])],
)
def test_a_worker_that_sends_what_it_has_after_each_line(
    tool: Tool, face: Face, prefix: str, option: str, parts: list[bytes]
) -> None:
    tool.worker("-f", prefix, option, "--", "cat")
    task = face.submit(prefix, b"a\nb\n")
    task.result()
    assert task.job.data == parts


def test_a_worker_that_ends_after_two_jobs(tool: Tool, face: Face, prefix: str) -> None:
    tasks = [face.submit(prefix, b"%d" % number) for number in range(3)]
    worker = tool.worker("-f", prefix, "-c", "2", "--", "cat")
    assert [task.result() for task in tasks[:2]] == [b"0", b"1"]
    assert worker.wait(WAIT) == 0
    assert not face.state(tasks[2]).running
    tool.worker("-f", prefix, "--", "cat")
    assert tasks[2].result() == b"2"


def test_a_worker_that_prints(tool: Tool, face: Face, prefix: str) -> None:
    worker = tool.worker("-f", prefix, "-c", "1")
    assert face.submit(prefix, b"for the screen").result() == b""
    assert worker.wait(WAIT) == 0
    assert worker.stdout is not None
    assert worker.stdout.read() == b"for the screen"


def test_client_and_worker(tool: Tool, prefix: str) -> None:
    tool.worker("-f", prefix, "--", "rev")
    assert tool.client("-f", prefix, "test string\n") == b"gnirts tset\n"
