"""Servers that read nothing, or that answer late."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from gear_wire.packets import GrabJobUniq, JobAssignUnique, NoJob, WorkComplete, WorkData
from gear_wire.types import FunctionName, Handle, UniqueKey
from gear_worker.runner import BackgroundRunner, RunnerSettings
from support.daemon import Daemon, start_geard
from support.fix_runner import WAIT, Caller
from support.runner_apps import APPS, UNLIMITED, notes
from support.scripted_server import Peer, scripted_server

pytestmark = pytest.mark.usefixtures("measured_programs")

POOLS = ("threads", "processes", "tasks")
ITEMS = 600


def settings(pool: str, ports: list[int], concurrency: int = 1) -> RunnerSettings:
    servers = tuple(f"127.0.0.1:{port}" for port in ports)
    return RunnerSettings(servers=servers, pool=pool, concurrency=concurrency)  # type: ignore[arg-type]  # one of POOLS


@pytest.mark.parametrize("pool", POOLS)
def test_a_function_waits_while_the_server_reads_nothing(pool: str, tmp_path: Path) -> None:
    path = tmp_path / "items"
    go_on, completed = threading.Event(), threading.Event()
    given: list[bool] = []

    def answer(peer: Peer, message: object) -> None:
        match message:
            case GrabJobUniq() if not given:
                given.append(True)
                arguments = msgspec.json.encode({"path": str(path), "n": ITEMS})
                name, unique = FunctionName(b"flood"), UniqueKey(b"")
                peer.send(JobAssignUnique(Handle(b"H:1"), name, unique, arguments))
            case GrabJobUniq():
                peer.send(NoJob())
            case WorkData():
                assert go_on.wait(WAIT)
            case WorkComplete():
                completed.set()

    with scripted_server(answer) as server:
        runner = BackgroundRunner(APPS[pool], settings(pool, [server.port], 2)).start()
        deadline = time.monotonic() + WAIT
        while not notes(path):
            assert time.monotonic() < deadline
            time.sleep(0.01)  # another process may write it
        before = -1
        while before < len(notes(path)):  # it goes on until all that is between is full
            before = len(notes(path))
            time.sleep(0.5)
        assert before < ITEMS // 2
        go_on.set()
        assert completed.wait(WAIT)
        assert len(notes(path)) == ITEMS
        assert runner.stop()


@pytest.fixture
def geards(tmp_path: Path) -> Iterator[list[Daemon]]:
    programs = []
    for name in ("hanging", "healthy"):
        folder = tmp_path / name
        folder.mkdir()
        programs.append(start_geard(folder))
    yield programs
    for program in programs:
        program.process.send_signal(signal.SIGCONT)
        program.stop()


@pytest.mark.parametrize("pool", POOLS)
def test_a_job_that_comes_late_waits_for_its_place(
    pool: str, geards: list[Daemon], tmp_path: Path
) -> None:
    hanging = geards[0]
    first_begun, first_go_on = tmp_path / "begun1", tmp_path / "go_on1"
    second_begun, second_go_on = tmp_path / "begun2", tmp_path / "go_on2"
    callers = [Caller(server) for server in geards]
    ports = [server.port for server in geards]

    def wait_for(path: Path) -> None:
        deadline = time.monotonic() + WAIT
        while not notes(path):
            assert time.monotonic() < deadline
            time.sleep(0.01)  # another process may write it

    with BackgroundRunner(UNLIMITED[pool], settings(pool, ports)) as runner:
        callers[0].start("hold", begun=str(first_begun), go_on=str(first_go_on))
        wait_for(first_begun)
        late = callers[0].start("double", n=4)
        # The runner sleeps at the other one, so that it is this one that it asks next.
        hanging.process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, hanging.process.pid, os.WSTOPPED | os.WNOWAIT)
        first_go_on.touch()
        second = callers[1].start("hold", begun=str(second_begun), go_on=str(second_go_on))
        wait_for(second_begun)
        hanging.process.send_signal(signal.SIGCONT)
        assert not late.wait(0.5)
        assert runner.status().free == 0
        second_go_on.touch()
        assert second.result(WAIT) == b'"went on"'
        assert late.result(WAIT) == b"8"
    for caller in callers:
        caller.client.shutdown()
