"""``gear-worker --exec`` beside geard and gearmand, and the program ``gearman`` as its client."""

import contextlib
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import gear
from support.daemon import Daemon, start_geard
from support.fix_peers import Gearmand, require_program
from support.geard_program import TIMEOUT, wait_until
from support.worker_program import GearWorker, wait_for_workers

pytestmark = pytest.mark.usefixtures("measured_programs")

Server = Daemon | Gearmand
Exec = Callable[..., GearWorker]


@pytest.fixture(params=["geard", pytest.param("gearmand", marks=pytest.mark.peer)])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    folder = tmp_path / "server"
    folder.mkdir()
    made = Gearmand(folder) if request.param == "gearmand" else start_geard(folder)
    yield made
    made.stop()


@pytest.fixture
def client(server: Server) -> Iterator[gear.Client]:
    with gear.Client() as client:
        client.addServer(server.host, server.port)
        client.waitForServer(TIMEOUT)
        yield client


@pytest.fixture
def run(server: Server, tmp_path: Path) -> Iterator[Exec]:
    """Starts a worker that runs a program for each job of `f`, and waits until it is there."""
    with contextlib.ExitStack() as closing:

        def run(*command: str, options: tuple[str, ...] = ()) -> GearWorker:
            where = f"{server.host}:{server.port}"
            worker = GearWorker(
                tmp_path, "--exec", "f", "--server", where, *options, "--", *command
            )
            closing.enter_context(worker)
            wait_for_workers(server.port, "f")
            return worker

        yield run


def submit(client: gear.Client, data: bytes = b"") -> gear.Job:
    job = gear.Job("f", data)
    client.submitJob(job)
    return job


def python(source: str) -> tuple[str, ...]:
    return (sys.executable, "-c", source)


def test_a_program_does_jobs(run: Exec, client: gear.Client) -> None:
    worker = run("tr", "a-z", "A-Z")
    for data in (b"text", b"", b"\0\n\xff" * 100_000):
        assert submit(client, data).result(TIMEOUT) == data.upper()
    assert worker.stop() == 0


@pytest.mark.peer
def test_the_program_gearman_is_served_as_by_its_own_worker(run: Exec, server: Server) -> None:
    gearman = require_program("gearman", "gearman-tools")
    run("wc", "-c")
    done = subprocess.run(
        [gearman, "-h", server.host, "-p", str(server.port), "-f", "f"],
        input=b"twelve bytes", capture_output=True, timeout=TIMEOUT, check=True,
    )  # fmt: skip
    assert done.stdout.strip() == b"12"


def test_what_it_says_is_a_warning_and_its_exit_code_a_failure(
    run: Exec, client: gear.Client
) -> None:
    worker = run(*python("import sys; print('oh', file=sys.stderr); print('half'); sys.exit(3)"))
    job = submit(client)
    with pytest.raises(gear.JobFailedError):
        job.result(TIMEOUT)
    assert job.warning
    assert job.data == [b"oh"]  # the warning; nobody takes half of a result for one
    assert b"ended with exit code 3" in (job.exception or b"")
    worker.wait_for_log("f .*failed.*ended with exit code 3")
    assert "Traceback" not in worker.log


def test_output_is_sent_as_it_comes(run: Exec, client: gear.Client, tmp_path: Path) -> None:
    go = tmp_path / "go"
    source = f"import os, time; print('one', flush=True)\nwhile not os.path.exists({str(go)!r}):"
    run(*python(f"{source} time.sleep(0.01)\nprint('two')"), options=("--stream",))
    job = submit(client)
    wait_until(lambda: b"".join(job.data) == b"one\n", "the first part has not come")
    go.touch()
    assert job.result(TIMEOUT) == b"one\ntwo\n"


def test_a_program_that_takes_too_long_is_ended(run: Exec, client: gear.Client) -> None:
    run("sleep", "1000", options=("--timeout", "0.5"))
    with pytest.raises(gear.JobFailedError):
        submit(client).result(TIMEOUT)


def test_several_run_at_a_time(run: Exec, client: gear.Client, server: Server) -> None:
    worker = run("sh", "-c", "cat; sleep 1000", options=("--concurrency", "2", "--grace", "0.1"))
    jobs = [submit(client) for _ in range(3)]
    with gear.AdminClient(server.host, server.port) as admin:
        wait_until(
            lambda: [(row.total, row.running) for row in admin.status()] == [(3, 2)], "not two run"
        )
    assert worker.stop() == 1  # two went back
    assert not any(job.complete for job in jobs)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_what_runs_may_end_when_it_is_stopped(
    run: Exec, client: gear.Client, tmp_path: Path, number: int
) -> None:
    begun, go = tmp_path / "begun", tmp_path / "go"
    worker = run("sh", "-c", f"touch {begun}; while ! test -e {go}; do sleep 0.01; done; echo ok")
    job = submit(client)
    wait_until(begun.exists, "the program has not begun")
    worker.signal(number)
    go.touch()
    assert job.result(TIMEOUT) == b"ok\n"
    assert worker.end() == 0


def test_a_program_that_is_not_there_fails_its_jobs(run: Exec, client: gear.Client) -> None:
    run("/nothing/here")
    job = submit(client)
    with pytest.raises(gear.JobFailedError):
        job.result(TIMEOUT)
    assert b"/nothing/here" in (job.exception or b"")
