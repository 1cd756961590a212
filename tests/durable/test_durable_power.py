"""Losses of power after any prefix of what geard wrote; what was not synced is missing or torn."""

import random
import sys
import threading
from pathlib import Path

import pytest

from gear_server.queue.sqlite import SQLiteStore
from gear_wire.errors import ConfigurationError
from support.fix_peers import require_program
from support.flood import Submitter
from support.geard_program import Geard
from support.power_cut import Disk, Event, Told, read_trace, strace

CUTS = 150
JOBS = 1500
PROGRAM = """
import sys
import gear_server.queue.sqlite as sqlite
sqlite.CHECKPOINT_PAGES = 50
from gear_server.geard.cli import main
sys.exit(main())
"""
"""A geard that moves what its log holds into its file far more often."""


def record(folder: Path, sync: str) -> list[Event]:
    """Return what a geard wrote and told while clients submitted jobs."""
    require_program("strace", "strace")
    queue = folder / "queue"
    queue.mkdir()
    log = folder / "trace"
    options = ["--queue", f"sqlite:{queue}/db", "--queue-sync", sync]
    with Geard(
        folder, *options, prefix=strace(log), program=[sys.executable, "-c", PROGRAM]
    ) as geard:
        clients = [Submitter(geard.connect(), depth=16, data=bytes(200)) for _ in range(3)]
        for client in clients:
            client.begin()
        while sum(len(client.told) for client in clients) < JOBS:
            threading.Event().wait(0.01)  # what its clients were told has no event
        geard.kill_traced()
        for client in clients:
            client.join()
    return list(read_trace(log, queue))


def losses(events: list[Event], folder: Path, chance: random.Random) -> tuple[int, int]:
    """Return how many of the cuts lost a job that was told, and how many left a damaged file."""
    first = next(place for place, event in enumerate(events) if isinstance(event, Told))
    moments = sorted(chance.randrange(first + 1, len(events) + 1) for _ in range(CUTS))
    disk, done, lost, damaged = Disk(), 0, 0, 0
    for number, moment in enumerate(moments):
        for event in events[done:moment]:
            disk.apply(event)
        done = moment
        cut = folder / f"cut{number}"
        cut.mkdir()
        for path, content in disk.after_a_cut(chance).items():
            (cut / Path(path).name).write_bytes(content)
        try:
            store = SQLiteStore(cut / "db")
        except ConfigurationError:
            damaged += 1
            continue
        damaged += store.check() != []
        lost += not disk.told <= {job.handle for job in store.load()}
        store.close()
    return lost, damaged


@pytest.mark.peer
@pytest.mark.timeout(300)
def test_a_loss_of_power_loses_nothing(tmp_path: Path) -> None:
    events = record(tmp_path, "full")
    assert losses(events, tmp_path, random.Random(1)) == (0, 0)


@pytest.mark.peer
@pytest.mark.timeout(300)
def test_without_syncs_the_same_cuts_lose_jobs(tmp_path: Path) -> None:
    """Or the test above would prove nothing."""
    events = record(tmp_path, "normal")
    lost, damaged = losses(events, tmp_path, random.Random(1))
    assert lost > CUTS // 10
    assert damaged == 0
