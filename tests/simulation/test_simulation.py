"""Every property of a world holds, whatever befalls it; and what is broken on purpose is found."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gear_server.engine.engine import Engine
from gear_server.engine.handover import Handover
from gear_server.engine.state import Peer, ServerJob
from simulation.seeds import run_seed, run_seeds

pytestmark = pytest.mark.no_cover
TESTS = Path(__file__).parents[1]
CHUNK = 500
SEEDS = 10_000


@pytest.mark.timeout(600)
@pytest.mark.parametrize("first", range(0, SEEDS, CHUNK))
def test_all_holds_whatever_befalls(first: int) -> None:
    failure = run_seeds(range(first, first + CHUNK))
    assert failure is None, str(failure)


def test_a_seed_is_replayed_to_the_byte() -> None:
    """In another process, where hashes are others, and so the order of sets."""
    traces = []
    for hash_seed in ("1", "2"):
        environment = {**os.environ, "PYTHONPATH": str(TESTS), "PYTHONHASHSEED": hash_seed}
        command = [sys.executable, "-m", "simulation", "--seed", "4"]
        traces.append(subprocess.run(command, capture_output=True, env=environment, check=True))
    assert traces[0].stdout == traces[1].stdout
    assert traces[0].stdout.count(b"\n") > 100


def test_how_often_the_state_is_checked_changes_nothing() -> None:
    traces = []
    for audit_every in (1, 1000):
        lines: list[str] = []
        run_seed(5, audit_every=audit_every, print_line=lines.append)
        traces.append(lines)
    assert traces[0] == traces[1]


class ForgetsToRequeue(Engine):
    """Drops the jobs of a worker that is lost."""

    def requeue(self, job: ServerJob, now: float) -> None:
        self.remove(job, "abandoned")


class TellsTwice(Engine):
    """Sends each end of a job twice to a client that waits for several."""

    def tell(self, job: ServerJob, key: int, body: bytes) -> None:
        super().tell(job, key, body)
        if any(len(client.submitted) > 1 for client in job.clients):
            super().tell(job, key, body)


class MixesUpAnswers(Engine):
    """Answers a background submission before the foreground ones that came earlier."""

    def _created(self, peer: Peer, job: ServerJob, background: bool) -> None:
        super()._created(peer, job, background)
        if background and len(peer.outbox) > 1:
            peer.outbox[-1], peer.outbox[-2] = peer.outbox[-2], peer.outbox[-1]


class WakesNobody(Engine):
    """Queues jobs, and leaves it to the workers to ask for them."""

    def _enqueue(self, job: ServerJob) -> None:
        self.queues.append(job)


class Miscounts(Engine):
    """Counts a job that was taken back as running."""

    def _release(self, job: ServerJob) -> None:
        if job.holder is not None and job.background:
            self.running += 1
        super()._release(job)


class AnswersBeforeItIsDown(Engine):
    """Does not wait for the store with what it answers."""

    def _created(self, peer: Peer, job: ServerJob, background: bool) -> None:
        ledger, self.ledger = self.ledger, None
        super()._created(peer, job, background)
        self.ledger = ledger


class ConfirmsWhatWasRefused(Engine):
    """Takes a batch that failed for one that is down."""

    def store_refused(self, reason: str, now: float) -> None:
        assert self.ledger is not None
        self.ledger.written()


class ForgetsJoins(Engine):
    """Does not tell the store of a foreground job that a background submission joins."""

    def _join(self, job: ServerJob, peer: Peer, background: bool, now: float) -> None:
        ledger, self.ledger = self.ledger, None
        super()._join(job, peer, background, now)
        self.ledger = ledger
        if background and ledger is not None:
            ledger.jobs += 1


BROKEN = [
    ForgetsToRequeue,
    TellsTwice,
    MixesUpAnswers,
    WakesNobody,
    Miscounts,
    AnswersBeforeItIsDown,
    ConfirmsWhatWasRefused,
    ForgetsJoins,
]


@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: str(broken.__name__))
def test_a_broken_engine_is_found(broken: type[Engine]) -> None:
    failure = run_seeds(range(300), broken)
    assert failure is not None
    assert f"hatch run simulate --seed {failure.seed}" in str(failure)


@pytest.mark.parametrize("step", ["let_go", "adopt"])
def test_a_broken_handover_is_found(step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that forgets nothing, or takes in nothing."""
    monkeypatch.setattr(Handover, step, lambda *_: None)
    assert run_seeds(range(1500)) is not None
