"""What becomes of one call, in each pool, over geard."""

import logging
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import gear
from gear_server.testing import Geard
from gear_worker.runner import BackgroundRunner, RunnerSettings
from support.fix_runner import WAIT, Caller
from support.runner_apps import APPS, notes

pytestmark = pytest.mark.usefixtures("measured_programs")

POOLS = ("threads", "processes", "tasks")
PLAIN = ("threads", "processes")


@pytest.fixture(params=POOLS)
def pool(request: pytest.FixtureRequest) -> str:
    value: str = request.param
    return value


@pytest.fixture
def runner(geard: Geard, pool: str) -> BackgroundRunner:
    settings = RunnerSettings(pool=pool, concurrency=2)  # type: ignore[arg-type]  # one of POOLS
    return geard.run(APPS[pool], settings)


@pytest.fixture
def caller(geard: Geard, runner: BackgroundRunner) -> Iterator[Caller]:
    caller = Caller(geard)
    with caller.client:
        yield caller


def test_a_result(caller: Caller, runner: BackgroundRunner) -> None:
    assert [caller.call("double", n=n) for n in range(20)] == [2 * n for n in range(20)]
    assert runner.stop()
    counts = runner.status().functions["double"]
    assert (counts.completed, counts.failed, sum(counts.durations)) == (20, 0, 20)


def test_the_end_of_a_block_stops_it(geard: Geard) -> None:
    caller = Caller(geard)
    with caller.client, geard.run(APPS["threads"]) as runner:
        assert caller.call("double", n=1) == 2
    assert runner.status().functions["double"].completed == 1
    assert runner.stop()


def test_wrong_arguments_are_refused(caller: Caller) -> None:
    failure = caller.failure("double", n="x")
    assert failure["type"] == "InvalidArgumentsError"
    assert failure["message"] == "$.n: expected int, got str"
    job = gear.Job("double", b"nonsense")
    caller.client.submitJob(job)
    with pytest.raises(gear.JobFailedError, match="InvalidArgumentsError"):
        job.result(WAIT)


def test_a_stream(caller: Caller) -> None:
    job = caller.start("count", n=300)
    assert job.wait(WAIT)
    assert job.data == [str(number).encode() for number in range(300)]


def test_the_current_job(caller: Caller) -> None:
    job = caller.start("tell")
    assert job.wait(WAIT)
    assert job.data[:2] == [b"careful", b'"part"']
    assert job.unique is not None
    assert job.data[2].decode().startswith(f"\"tell 1 {job.unique!r} b'H:")
    assert (job.numerator, job.denominator) == (b"1", b"2")
    assert job.warning


def test_tries_after_exceptions(caller: Caller, runner: BackgroundRunner, tmp_path: Path) -> None:
    path = tmp_path / "tries"
    assert caller.call("flaky", path=str(path), good=3) == 3
    first, second, third = (float(time) for time in notes(path))
    assert second - first >= 0.045
    assert third - second >= 0.095
    assert runner.status().functions["flaky"].retried == 2


def test_the_last_exception_is_reported(caller: Caller, tmp_path: Path) -> None:
    path = tmp_path / "tries"
    failure = caller.failure("flaky", path=str(path), good=9)
    assert (failure["type"], failure["message"]) == ("OSError", "try 4")
    assert len(notes(path)) == 4


def test_a_timeout(caller: Caller, runner: BackgroundRunner) -> None:
    assert caller.call("dawdle", seconds=0.01) == 0.01
    began = time.monotonic()
    failure = caller.failure("dawdle", seconds=2.0)
    assert 0.35 <= time.monotonic() - began < 1.9
    assert failure["type"] == "TimeoutError"
    assert failure["message"] == "dawdle took longer than 0.4 s"
    assert caller.call("double", n=4) == 8


def test_a_function_of_its_own_concurrency(caller: Caller, tmp_path: Path) -> None:
    path = tmp_path / "runs"
    jobs = [caller.start("single", path=str(path), seconds=0.02) for _ in range(8)]
    # Those that may not start yet keep no others from starting.
    assert caller.call("double", n=1) == 2
    assert all(job.wait(WAIT) for job in jobs)
    assert notes(path) == ["+", "-"] * 8


def test_a_rate(caller: Caller, geard: Geard, tmp_path: Path) -> None:
    path = tmp_path / "runs"
    jobs = [caller.start("paced", path=str(path)) for _ in range(8)]
    assert caller.call("double", n=1) == 2
    assert all(job.wait(WAIT) for job in jobs)
    times = [float(time) for time in notes(path)]
    assert times[-1] - times[0] >= 7 / 20 - 0.02


def test_no_job_is_taken_that_cannot_start(caller: Caller, geard: Geard, tmp_path: Path) -> None:
    begun, go_on = tmp_path / "begun", tmp_path / "go_on"
    jobs = [caller.start("hold", begun=str(begun), go_on=str(go_on)) for _ in range(5)]
    deadline = time.monotonic() + WAIT
    while len(notes(begun)) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)  # another process may run it
    with geard.worker("hold", client_id="another") as other:
        taken = [other.getJob(WAIT) for _ in range(3)]
        with pytest.raises(gear.TimeoutError):
            other.getJob(0.1)
        for job in taken:
            job.sendWorkComplete(b"")
    go_on.touch()
    assert all(job.wait(WAIT) for job in jobs)
    assert len(notes(begun)) == 2


def test_a_large_stream(caller: Caller) -> None:
    job = caller.start("pour", n=200, size=100_000)
    assert job.wait(WAIT)
    assert sum(len(part) for part in job.data) == 200 * 100_002


def test_over_tls(geard_tls: Geard, pool: str) -> None:
    geard_tls.run(APPS[pool], RunnerSettings(pool=pool))  # type: ignore[arg-type]  # one of POOLS
    job = gear.Job("double", b'{"n": 4}')
    geard_tls.client().submitJob(job)
    assert job.result(WAIT) == b"8"


def test_log_lines(caller: Caller, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "gear.Runner"):
        job = caller.start("double", n=1)
        assert job.wait(WAIT)
        caller.failure("double", n="x")
        deadline = time.monotonic() + WAIT
        while len(found := _lines(caplog)) < 4 and time.monotonic() < deadline:
            time.sleep(0.01)  # the line is written after the report
    started, completed, _, failed = found
    assert job.handle is not None
    for record in (started, completed):
        assert record.__dict__["function"] == "double"
        assert record.__dict__["unique"] == (job.unique or b"").decode()
        assert record.__dict__["handle"] == job.handle.decode()
    assert completed.__dict__["outcome"] == "completed"
    assert completed.__dict__["seconds"] >= 0
    assert completed.__dict__["ended"] >= completed.__dict__["started"]
    assert failed.__dict__["outcome"] == "failed"
    assert failed.levelno == logging.WARNING
    assert "$.n: expected int, got str" in failed.getMessage()


def _lines(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    return [record for record in caplog.records if "function" in record.__dict__]


@pytest.mark.parametrize("pool", PLAIN, indirect=True)
def test_a_declared_exception(caller: Caller) -> None:
    assert caller.failure("sell", item="tea") == {
        "type": "OutOfStock",
        "message": "('tea', 0)",
        "args": ["tea", 0],
    }


@pytest.mark.parametrize("pool", PLAIN, indirect=True)
def test_sys_exit_ends_the_job_alone(caller: Caller) -> None:
    assert caller.failure("leave") == {"type": "SystemExit", "message": "bye"}
    assert caller.call("double", n=1) == 2


@pytest.mark.parametrize("pool", PLAIN, indirect=True)
def test_middleware(caller: Caller) -> None:
    job = caller.start("traced", fail=False)
    assert job.wait(WAIT)
    assert job.data == [b"before", b"after", b"1"]
    job = caller.start("traced", fail=True)
    assert job.wait(WAIT)
    assert job.data == [b"before", b"raised no"]
    assert job.failure


@pytest.mark.parametrize("pool", PLAIN, indirect=True)
def test_what_the_lifespan_yields(caller: Caller, pool: str) -> None:
    for _ in range(4):
        found = caller.call("whereabouts")
        assert isinstance(found, dict)
        assert found["pid"] == found["here"]


@pytest.mark.parametrize("pool", ["tasks"], indirect=True)
def test_what_an_asynchronous_lifespan_yields(caller: Caller) -> None:
    assert caller.call("state") is True


@pytest.mark.parametrize("pool", ["tasks"], indirect=True)
def test_a_task_that_nobody_cancelled(caller: Caller) -> None:
    assert caller.failure("forsaken")["type"] == "CancelledError"


@pytest.mark.parametrize("pool", ["tasks"], indirect=True)
def test_reports_from_a_thread_of_a_task(caller: Caller) -> None:
    job = caller.start("tell_from_thread")
    assert job.wait(WAIT)
    assert job.data[:50] == [b"%d" % number for number in range(50)]
    assert int(job.data[50]) != 0


@pytest.mark.parametrize("pool", PLAIN, indirect=True)
def test_a_program_that_a_function_starts(caller: Caller) -> None:
    assert caller.call("start_program") == -15


def test_a_server_that_is_lost_and_found(caller: Caller, geard: Geard) -> None:
    assert caller.call("double", n=1) == 2
    for connection in [*geard.server.active_connections]:
        connection.conn.shutdown(socket.SHUT_RDWR)
    again = Caller(geard)
    with again.client:
        assert again.call("double", n=2) == 4
