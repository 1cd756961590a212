"""Runners that are told to end, or are killed, in the middle of a thousand jobs."""

import collections
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import gear
from support.daemon import Daemon, Server, start_geard
from support.fix_peers import Gearmand
from support.fix_runner import WAIT, Caller, StartWorker
from support.runner_apps import notes

pytestmark = pytest.mark.usefixtures("measured_programs")

POOLS = ("threads", "processes", "tasks")
JOBS = 1000


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait for something that other processes do, which nothing tells of."""
    deadline = time.monotonic() + WAIT
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture(params=["geard", pytest.param("gearmand", marks=pytest.mark.peer)])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    started: Daemon | Gearmand
    started = start_geard(tmp_path) if request.param == "geard" else Gearmand(tmp_path)
    yield started
    started.stop()


@pytest.fixture
def geard_program(tmp_path: Path) -> Iterator[Daemon]:
    server = start_geard(tmp_path)
    yield server
    server.stop()


def submit(caller: Caller, path: Path, seconds: float = 0.0) -> list[gear.Job]:
    return [caller.start("stamp", n=n, path=str(path), seconds=seconds) for n in range(JOBS)]


def results(jobs: list[gear.Job]) -> list[int]:
    return [int(job.result(WAIT)) for job in jobs]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("pool", POOLS)
def test_a_signal_in_the_middle(
    server: Server, pool: str, number: int, start_worker: StartWorker, tmp_path: Path
) -> None:
    path = tmp_path / "stamps"
    caller = Caller(server)
    with caller.client:
        jobs = submit(caller, path, 0.001)
        first = start_worker(pool, server)
        wait_until(lambda: len(notes(path)) >= JOBS // 10)
        # As a terminal or systemd does: all of its processes get it.
        os.killpg(first.process.pid, number)
        began = time.monotonic()
        assert first.wait() == 0
        assert time.monotonic() - began < 20  # grace is 60
        done = len(notes(path))
        assert JOBS // 10 <= done < JOBS
        start_worker(pool, server)
        assert results(jobs) == list(range(JOBS))
    assert sorted(map(int, notes(path))) == list(range(JOBS))


@pytest.mark.parametrize("pool", POOLS)
def test_kill_in_the_middle(
    geard_program: Daemon, pool: str, start_worker: StartWorker, tmp_path: Path
) -> None:
    path = tmp_path / "stamps"
    caller = Caller(geard_program)
    with caller.client:
        jobs = submit(caller, path, 0.001)
        first = start_worker(pool, geard_program)
        wait_until(lambda: len(notes(path)) >= JOBS // 10)
        first.signal(signal.SIGKILL)
        first.wait()
        start_worker(pool, geard_program)
        assert results(jobs) == list(range(JOBS))
    times = collections.Counter(map(int, notes(path)))
    assert set(times) == set(range(JOBS))
    # What ran was run again, or had ended and was not reported yet.
    again = [n for n in times if times[n] > 1]
    assert len(again) <= 8
    assert max(times.values()) <= 2


@pytest.mark.parametrize("pool", POOLS)
def test_what_outlives_the_grace_is_given_back(
    geard_program: Daemon, pool: str, start_worker: StartWorker, tmp_path: Path
) -> None:
    begun, go_on = tmp_path / "begun", tmp_path / "go_on"
    caller = Caller(geard_program)
    with caller.client:
        job = caller.start("hold", begun=str(begun), go_on=str(go_on))
        first = start_worker(pool, geard_program, options=("grace=0.3",))
        wait_until(lambda: len(notes(begun)) == 1)
        first.signal(signal.SIGTERM)
        assert first.wait(20) == 1
        start_worker(pool, geard_program)
        wait_until(lambda: len(notes(begun)) == 2)
        go_on.touch()
        assert job.result(WAIT) == b'"went on"'


@pytest.mark.parametrize("pool", POOLS)
def test_a_second_signal_ends_at_once(
    geard_program: Daemon, pool: str, start_worker: StartWorker, tmp_path: Path
) -> None:
    begun, go_on = tmp_path / "begun", tmp_path / "go_on"
    caller = Caller(geard_program)
    with caller.client:
        job = caller.start("hold", begun=str(begun), go_on=str(go_on))
        first = start_worker(pool, geard_program)
        wait_until(lambda: len(notes(begun)) == 1)
        first.signal(signal.SIGTERM)
        with pytest.raises(Exception, match="timed out"):
            first.wait(0.5)
        first.signal(signal.SIGTERM)
        assert first.wait(20) == 1
        start_worker(pool, geard_program)
        go_on.touch()
        assert job.result(WAIT) == b'"went on"'


@pytest.mark.parametrize("pool", POOLS)
def test_a_job_between_tries_is_not_waited_for(
    geard_program: Daemon, pool: str, start_worker: StartWorker, tmp_path: Path
) -> None:
    path = tmp_path / "tries"
    caller = Caller(geard_program)
    with caller.client:
        caller.start("hopeless", path=str(path))
        first = start_worker(pool, geard_program)
        wait_until(lambda: "try 1 failed" in first.log.read_text())
        first.signal(signal.SIGTERM)
        began = time.monotonic()
        first.wait()
        assert time.monotonic() - began < 20
        start_worker(pool, geard_program)
        wait_until(lambda: len(notes(path)) == 2)


def test_idle_workers_end_at_once(
    geard_program: Daemon, start_worker: StartWorker, tmp_path: Path
) -> None:
    worker = start_worker("threads", geard_program)
    caller = Caller(geard_program)
    with caller.client:
        assert caller.call("double", n=1) == 2
    worker.signal(signal.SIGTERM)
    assert worker.wait(10) == 0


@pytest.mark.parametrize("pool", ["threads", "tasks"])
@pytest.mark.parametrize("option", ["max_jobs=5", "max_memory=1"])
def test_a_worker_that_has_done_enough_ends(
    geard_program: Daemon, pool: str, option: str, start_worker: StartWorker
) -> None:
    caller = Caller(geard_program)
    with caller.client:
        jobs = [caller.start("double", n=n) for n in range(8)]
        first = start_worker(pool, geard_program, options=(option,))
        assert first.wait() == 0
        ended = sum(job.complete for job in jobs)
        assert 1 <= ended < 8
        if option == "max_jobs=5":
            wait_until(lambda: sum(job.complete for job in jobs) == 5)
        start_worker(pool, geard_program)
        assert results(jobs) == [2 * n for n in range(8)]


@pytest.mark.parametrize("pool", POOLS)
def test_several_servers(
    geard_program: Daemon, pool: str, start_worker: StartWorker, tmp_path: Path
) -> None:
    folder = tmp_path / "other"
    folder.mkdir()
    other = start_geard(folder)
    try:
        callers = [Caller(server) for server in (geard_program, other)]
        start_worker(pool, geard_program, other)
        path = tmp_path / "runs"
        jobs = [
            caller.start("single", path=str(path), seconds=0.01)
            for _ in range(10)
            for caller in callers
        ]
        for caller in callers:
            assert caller.call("double", n=3) == 6
        assert all(job.wait(WAIT) for job in jobs)
        assert notes(path) == ["+", "-"] * 20
        for caller in callers:
            caller.client.shutdown()
    finally:
        other.stop()
