"""What becomes of stored jobs where several servers share a store: one has them at a time."""

from gear_server.engine.engine import Engine
from gear_server.queue.store import StoredJob


def adopt(engine: Engine, jobs: list[StoredJob], now: float) -> None:
    """Take in jobs that were those of another server."""
    ledger = engine.ledger
    assert ledger is not None
    engine.counters.adopted += len(jobs)
    for stored in jobs:
        known = engine.jobs.get(stored.handle)
        if known is None:
            engine.restore(stored, now)
        elif not known.background:
            # It was this server's before, and its foreground clients still wait for it here.
            known.background = True
            ledger.jobs += 1


def let_go(engine: Engine, reserved: int, written: bool) -> int:
    """Forget the stored jobs that wait here, since others have taken them over.

    Those that run here go on, and their ends are still recorded. Those that foreground clients wait
    for become foreground jobs.

    Args:
        engine: The engine.
        reserved: The number that those of new jobs must be above.
        written: Whether the batch that was taken is down, and so taken over as well.

    Returns:
        The number of jobs that are others' now.
    """
    ledger = engine.ledger
    assert ledger is not None
    engine.queues.newest = reserved
    theirs = [
        job
        for job in engine.jobs.values()
        if job.background and job.holder is None and not ledger.owes(job, written)
    ]
    ledger.jobs -= len(theirs)
    for job in theirs:
        job.background = False
        if not job.has_owner:
            engine.remove(job)
    return len(theirs)
