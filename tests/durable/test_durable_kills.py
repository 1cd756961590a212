"""kill -9 at random moments under load: no job that was acknowledged is lost.

GEAR_KILLS says how many rounds are run; `GEAR_KILLS=200 hatch run pytest tests/durable` by hand.
"""

import os
import random
import threading
from pathlib import Path

import pytest

from gear_server.queue.sqlite import SQLiteStore
from support.flood import Doer, Submitter
from support.geard_program import Geard

ROUNDS = int(os.environ.get("GEAR_KILLS", "20"))


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_a_killed_geard_loses_nothing(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    path = tmp_path / "queue.db"
    with Geard(tmp_path, "--queue", f"sqlite:{path}") as geard:
        clients = [Submitter(geard.connect(), depth=64) for _ in range(3)]
        workers = [Doer(geard.connect()) for _ in range(seed % 2)]
        for peer in (*clients, *workers):
            peer.begin()
        threading.Event().wait(chance.uniform(0.05, 0.6))  # the moment is the test
        geard.kill()
        for peer in (*clients, *workers):
            peer.join()
    told = {handle: data for client in clients for handle, data in client.told.items()}
    done = {handle for worker in workers for handle in worker.done}
    assert not any(client.refused for client in clients)
    store = SQLiteStore(path)
    assert store.check() == []
    kept = {job.handle: job.arguments for job in store.load()}
    store.close()
    lost = {handle for handle, data in told.items() if kept.get(handle) != data} - done
    assert lost == set()
    # They are given out again, each once, under their handles.
    with Geard(tmp_path, "--queue", f"sqlite:{path}") as geard:
        worker = Doer(geard.connect())
        worker.begin()
        geard.wait_until_idle()
        geard.stop()
        worker.join()
    assert worker.done == kept
    store = SQLiteStore(path)
    assert store.count() == 0
    store.close()
