"""A function that fails twice is tried a third time, by a real server and a real worker."""

import pytest

import jobs
import work
from gear_server.testing import Geard


def test_retries(geard: Geard, monkeypatch: pytest.MonkeyPatch) -> None:
    tries = []

    def flaky(number: int, size: int) -> work.Found:
        tries.append(number)
        if len(tries) < 3:
            raise work.Flaky
        return {"number": number}

    monkeypatch.setattr(jobs.thumb, "body", flaky)
    geard.run(jobs.app)
    assert geard.client().call(jobs.thumb, 1, 97) == {"number": 1}
    assert len(tries) == 3
