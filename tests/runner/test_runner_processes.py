"""Processes of a pool that die, grow or have done enough."""

import asyncio
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import gear
from gear_server.testing import Geard
from gear_wire.errors import ConfigurationError
from gear_wire.functions import App
from gear_worker.runner import BackgroundRunner, Runner, RunnerSettings, running
from support.daemon import Daemon, start_geard
from support.fix_runner import WAIT, Caller
from support.runner_apps import notes, plain

pytestmark = pytest.mark.usefixtures("measured_programs")


def settings(server: Geard | Daemon, **changes: object) -> RunnerSettings:
    values = {"pool": "processes", "concurrency": 2, **changes}
    return RunnerSettings(servers=(f"{server.host}:{server.port}",), **values)  # type: ignore[arg-type]  # checked by itself


@pytest.fixture
def caller(geard: Geard) -> Iterator[Caller]:
    caller = Caller(geard)
    with caller.client:
        yield caller


@pytest.mark.parametrize(("how", "code"), [("exit", 3), ("kill", -9)])
def test_a_process_that_dies(geard: Geard, caller: Caller, how: str, code: int) -> None:
    geard.run(plain, settings(geard))
    failure = caller.failure("die", how=how)
    assert failure["type"] == "ProcessDiedError"
    assert failure["message"] == f"the process that ran die died: exit code {code}"
    assert [caller.call("double", n=n) for n in range(8)] == [2 * n for n in range(8)]


def test_a_job_whose_process_died_is_given_back(tmp_path: Path) -> None:
    server = start_geard(tmp_path)
    caller = Caller(server)
    begun, go_on, path = tmp_path / "begun", tmp_path / "go_on", tmp_path / "deaths"
    try:
        with caller.client, BackgroundRunner(plain, settings(server, killed="return")):
            # A job that runs beside it is not disturbed.
            other = caller.start("hold", begun=str(begun), go_on=str(go_on))
            dying = caller.start("die_once", path=str(path))
            deadline = time.monotonic() + WAIT
            while not (notes(path) and notes(begun)) and time.monotonic() < deadline:
                time.sleep(0.01)  # other processes write them
            assert caller.call("double", n=1) == 2
            go_on.touch()
            assert other.result(WAIT) == b'"went on"'
            assert dying.result(WAIT) == b"true"
            assert len(notes(begun)) == 1
            assert len(set(notes(path))) == 2
    finally:
        server.stop()


def test_processes_that_have_done_enough(geard: Geard, caller: Caller) -> None:
    geard.run(plain, settings(geard, concurrency=1, max_jobs=3))
    found = [caller.call("whereabouts") for _ in range(9)]
    pids = [answer["here"] for answer in found if isinstance(answer, dict)]
    assert pids == [pid for pid in dict.fromkeys(pids) for _ in range(3)]
    assert len(set(pids)) == 3


def test_processes_that_grow(geard: Geard, caller: Caller) -> None:
    geard.run(plain, settings(geard, concurrency=1, max_memory=150))
    first = caller.call("hoard", mib=1)
    assert caller.call("hoard", mib=1) == first
    assert caller.call("hoard", mib=200) == first
    assert caller.call("hoard", mib=1) != first


def test_each_process_has_its_lifespan(
    geard: Geard, caller: Caller, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "lifespans"
    monkeypatch.setenv("RUNNER_LIFESPAN", str(path))
    runner = geard.run(plain, settings(geard))
    deadline = time.monotonic() + WAIT
    while runner.status().processes < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert caller.call("double", n=1) == 2
    assert runner.stop()
    found = notes(path)
    pids = {line.partition("-")[2] for line in found}
    assert sorted(found) == sorted(f"{what}-{pid}" for pid in pids for what in ("entered", "left"))
    assert len(pids) == 2
    assert str(os.getpid()) not in pids


def test_no_process_is_left(geard: Geard, caller: Caller) -> None:
    runner = geard.run(plain, settings(geard))
    found = caller.call("whereabouts")
    assert isinstance(found, dict)
    runner.stop()
    with pytest.raises(ProcessLookupError):
        os.kill(found["here"], 0)


def test_an_app_that_no_module_has(geard: Geard) -> None:
    app = App()

    @app.function()
    def f() -> int:
        return 1

    with pytest.raises(ConfigurationError, match="global variable of a module"):
        geard.run(app, settings(geard))


def test_processes_that_cannot_be_made_ready(geard: Geard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNNER_LIFESPAN", "/nonexistent/file")
    with pytest.raises(
        ConfigurationError, match=r"could not be made ready(?s:.*)/nonexistent/file"
    ):
        geard.run(plain, settings(geard))


def test_setup_is_called_in_each_process(geard: Geard, caller: Caller) -> None:
    async def fail() -> None:
        async with running(plain, settings(geard), setup=_fail):
            pass

    with pytest.raises(ConfigurationError, match="setup was called"):
        asyncio.run(fail())


def _fail() -> None:
    raise RuntimeError("setup was called")


def test_an_app_without_functions() -> None:
    with pytest.raises(ConfigurationError, match="no function to run"):
        asyncio.run(Runner(App()).start())


def test_plain_functions_need_a_pool(geard: Geard) -> None:
    with pytest.raises(ConfigurationError, match=r"not async.*: .*double"):
        geard.run(plain, settings(geard, pool="tasks"))


def test_a_runner_that_never_started() -> None:
    async def stop() -> bool:
        runner = Runner(plain)
        runner.stop()
        return await runner.wait()

    assert asyncio.run(stop())
    assert gear.Runner is Runner
