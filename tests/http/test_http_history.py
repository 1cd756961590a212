"""Rates and sparklines: how many jobs ended in each period of the last minutes."""

from typing import Any

import pytest

import gear
from gear_server.http import history
from gear_server.http.history import SAMPLES, Track
from support.geard_program import wait_until
from support.http_asking import ask

pytest_plugins = ["support.fix_http"]


def test_only_samples_in_which_something_ended_are_kept() -> None:
    track = Track()
    for number, ended in enumerate([3, 3, 5], 1):
        track.take(number, ended)
    assert list(track.samples) == [(1, 3), (3, 2)]
    assert track.listed(3) == [0] * (SAMPLES - 3) + [3, 0, 2]
    assert (track.last(3), track.last(4)) == (2, 0)
    track.take(3 + SAMPLES, 5)
    assert not track.samples and track.listed(3 + SAMPLES) == [0] * SAMPLES


def test_what_had_ended_before_is_not_of_the_first_sample() -> None:
    track = Track(1000)
    track.take(1, 1001)
    assert track.listed(1)[-1] == 1


def test_rates_follow_the_jobs(
    http_server: gear.Server,
    http_client: gear.Client,
    http_worker: gear.Worker,
) -> None:
    http_worker.registerFunction("one")
    for _ in range(10):
        job = gear.Job("one", b"")
        http_client.submitJob(job)
        http_worker.getJob().sendWorkComplete()
        job.result(30)

    def row(path: str) -> Any:
        return ask(http_server.http_port, f"/api/v1/{path}").json()

    wait_until(lambda: sum(row("server")["history"]) == 10, "not all are sampled")
    for path in ("server", "functions/one"):
        shown = row(path)
        assert sum(shown["history"]) == 10 and len(shown["history"]) == SAMPLES
        assert shown["rate"] == pytest.approx(shown["history"][-1] / history.PERIOD, rel=0.5)
