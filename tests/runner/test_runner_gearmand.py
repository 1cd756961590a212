"""What a runner does for the sake of gearmand."""

import time

import pytest

from gear_admin import AdminClient
from gear_worker.runner import BackgroundRunner, RunnerSettings, runner
from support.fix_peers import Gearmand
from support.fix_runner import WAIT, Caller
from support.runner_apps import APPS

pytestmark = pytest.mark.usefixtures("measured_programs")


@pytest.mark.peer
@pytest.mark.parametrize("pool", ["threads", "tasks"])
def test_the_timer_of_a_job_that_has_ended_is_stopped(
    gearmand: Gearmand, pool: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "SERVER_PATIENCE", 3.0)
    settings = RunnerSettings(
        servers=(f"{gearmand.host}:{gearmand.port}",),
        pool=pool,  # type: ignore[arg-type]  # one of Pool
        concurrency=1,
    )
    caller = Caller(gearmand)
    with caller.client:
        with BackgroundRunner(APPS[pool], settings) as worker:
            timed = caller.start("dawdle", seconds=0.3)
            deadline = time.monotonic() + WAIT
            while not worker.status().running:
                assert time.monotonic() < deadline
                time.sleep(0.01)  # nothing tells that it has begun
            # Over another connection, so that the first one is not asked for a job meanwhile.
            other = caller.start("rest", seconds=6.0)
            assert timed.wait(WAIT)
            assert other.result(WAIT) == b"6.0"
        with AdminClient(gearmand.host, gearmand.port) as admin:
            rows = {bytes(row.function): row for row in admin.status()}
        assert (rows[b"dawdle"].total, rows[b"dawdle"].running) == (0, 0)
