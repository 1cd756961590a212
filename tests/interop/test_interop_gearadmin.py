"""Every option of Debian's gearadmin: geard's answers and gearmand's are held to the same lines."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import gear
from support.daemon import Server, start_geard
from support.fix_peers import Gearmand, require_program

pytestmark = [pytest.mark.peer, pytest.mark.timeout(40)]

WAIT = 20


class Admin:
    """Runs gearadmin."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self._program = require_program("gearadmin", "gearman-tools")

    def __call__(self, *options: str) -> list[str]:
        """Return the lines that it prints; what it says of errors comes first."""
        address = ["--host", self.server.host, "--port", str(self.server.port)]
        ran = subprocess.run(
            [self._program, *address, *options], check=True, capture_output=True, text=True
        )
        return (ran.stderr + ran.stdout).splitlines()

    def table(self, option: str) -> list[str]:
        """Return the lines of a table, in order, without the dot at its end."""
        *lines, end = self(option)
        assert end == "."
        return sorted(lines)


@pytest.fixture(params=["geard", "gearmand"])
def admin(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Admin]:
    """gearadmin and a server that nobody else uses."""
    server = start_geard(tmp_path) if request.param == "geard" else Gearmand(tmp_path)
    yield Admin(server)
    server.stop()


@pytest.fixture
def client(admin: Admin) -> Iterator[gear.Client]:
    """A client of the server."""
    client = gear.Client("the client")
    client.addServer(admin.server.host, admin.server.port)
    client.waitForServer()
    yield client
    client.shutdown()


@pytest.fixture
def worker(admin: Admin) -> Iterator[gear.Worker]:
    """A worker that can do two functions, and does nothing until it is told to."""
    worker = gear.Worker("the worker")
    worker.registerFunction("reverse")
    worker.registerFunction("count")
    worker.addServer(admin.server.host, admin.server.port)
    worker.waitForServer()
    yield worker
    worker.shutdown()


def submit(client: gear.Client, *names: str, precedence: int = gear.PRECEDENCE_NORMAL) -> str:
    """Submit background jobs whose uniques are like their functions; return the last handle."""
    for name in names:
        job = gear.Job(name, b"", f"unique-{name}")
        client.submitJob(job, background=True, precedence=precedence)
    assert job.handle is not None
    return job.handle.decode()


def test_the_server_of_itself(admin: Admin) -> None:
    (version,) = admin("--server-version")
    assert re.fullmatch(r"\d+\.\d+\.\d+\S*", version)
    (level,) = admin("--server-verbose")
    assert level in {"ERROR", "WARNING", "NOTICE", "INFO"}
    (pid,) = admin("--getpid")
    assert Path(f"/proc/{pid}/cmdline").read_bytes().count(str(admin.server.port).encode())


def test_tables_of_nothing(admin: Admin) -> None:
    for option in ("--status", "--priority-status", "--show-jobs", "--show-unique-jobs"):
        assert admin(option) == ["."]


def test_status(admin: Admin, client: gear.Client, worker: gear.Worker) -> None:
    submit(client, "reverse", "queued")
    assigned = worker.getJob()
    assert admin.table("--status") == ["count\t0\t0\t1", "queued\t1\t0\t0", "reverse\t1\t1\t1"]
    assigned.sendWorkComplete()


def test_priority_status(admin: Admin, client: gear.Client) -> None:
    submit(client, "a", precedence=gear.PRECEDENCE_HIGH)
    submit(client, "a", "b", precedence=gear.PRECEDENCE_LOW)  # the first of these is coalesced
    submit(client, "c", "d")
    assert admin.table("--priority-status") == [
        "a\t1\t0\t0\t0",
        "b\t0\t0\t1\t0",
        "c\t0\t1\t0\t0",
        "d\t0\t1\t0\t0",
    ]


def test_workers(admin: Admin, client: gear.Client, worker: gear.Worker) -> None:
    lines = admin.table("--workers")
    assert all(re.match(r"\d+ 127\.0\.0\.1 ", line) for line in lines)
    said = {re.sub(r"^\d+ 127\.0\.0\.1 ", "", line) for line in lines}
    mine = next(line for line in said if line.startswith("the worker :"))
    assert said - {mine} == {"the client :", "- :"}  # the last is gearadmin itself
    assert sorted(mine.split()) == [":", "count", "reverse", "the", "worker"]


def test_jobs(admin: Admin, client: gear.Client) -> None:
    background = submit(client, "a")
    job = gear.Job("b", b"", "unique-b")
    client.submitJob(job)
    assert job.handle is not None
    foreground = job.handle.decode()
    expected = sorted([f"{background}\t0\t0\t1", f"{foreground}\t0\t0\t0"])
    assert admin.table("--show-jobs") == expected
    assert admin.table("--show-unique-jobs") == ["unique-a", "unique-b"]


def test_a_job_is_cancelled(admin: Admin, client: gear.Client) -> None:
    job = gear.Job("a", b"")
    client.submitJob(job)
    assert job.handle is not None
    assert admin("--cancel-job", job.handle.decode()) == ["OK"]
    assert job.wait(WAIT)
    assert job.failure
    assert admin("--cancel-job", "H:nobody:1") == ["Error: UNKNOWN_JOB"]


def test_a_function_is_created_and_dropped(admin: Admin, worker: gear.Worker) -> None:
    assert admin("--create-function", "fresh") == ["OK"]
    assert "fresh\t0\t0\t0" in admin.table("--status")
    assert admin("--drop-function", "fresh") == ["OK"]
    assert admin.table("--status") == ["count\t0\t0\t1", "reverse\t0\t0\t1"]
    assert admin("--drop-function", "fresh") == ["Error: function not found"]
    assert admin("--drop-function", "reverse") == [
        "Error: there are still connected workers or executing clients"
    ]


def test_several_questions_at_once(admin: Admin, client: gear.Client) -> None:
    submit(client, "a")
    version, *rest = admin("--status", "--workers", "--server-version")
    assert [version] == admin("--server-version")
    connections, rest = rest[:2], rest[2:]
    assert {line.split(maxsplit=2)[2] for line in connections} == {"the client :", "- :"}
    assert rest == [".", "a\t1\t0\t0", "."]


def test_gear_sees_the_same(admin: Admin, client: gear.Client, worker: gear.Worker) -> None:
    submit(client, "a", "reverse")
    with gear.AdminClient(admin.server.host, admin.server.port) as other:
        assert admin.table("--status") == sorted(
            f"{row.function.decode()}\t{row.total}\t{row.running}\t{row.workers}"
            for row in other.status()
        )
        assert admin.table("--priority-status") == sorted(
            f"{row.function.decode()}\t{row.high}\t{row.normal}\t{row.low}\t{row.workers}"
            for row in other.priorityStatus()
        )
        assert admin.table("--show-jobs") == sorted(
            f"{row.handle.decode()}\t{row.retries}\t{row.ignored:d}\t{row.queued:d}"
            for row in other.showJobs()
        )
        assert admin.table("--show-unique-jobs") == sorted(
            unique.decode() for unique in other.showUniqueJobs()
        )
        assert admin("--server-version") == [other.version()]
        assert admin("--server-verbose") == [other.verbose()]
        assert admin("--getpid") == [str(other.getPid())]


def test_gear_says_the_same(admin: Admin, client: gear.Client) -> None:
    job = gear.Job("a", b"")
    client.submitJob(job)
    assert job.handle is not None
    with gear.AdminClient(admin.server.host, admin.server.port) as other:
        other.createFunction("fresh")
        assert "fresh\t0\t0\t0" in admin.table("--status")
        other.dropFunction("fresh")
        with pytest.raises(gear.ServerError, match="function not found"):
            other.dropFunction("fresh")
        other.maxQueue("a", 1)
        with pytest.raises(gear.ServerError, match="QUEUE_ERROR"):
            client.submitJob(gear.Job("a", b""))
        other.cancelJob(job.handle)
        with pytest.raises(gear.ServerError, match="UNKNOWN_JOB"):
            other.cancelJob("H:nobody:1")
    assert job.wait(WAIT)
