"""What is left to do when a connection is lost or cut off; in slices, as it may have many jobs."""

import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING

from gear_server.engine.chores import SLICE
from gear_server.engine.limits import CLIENT_SIZE
from gear_server.engine.state import Peer

if TYPE_CHECKING:
    from gear_server.engine.engine import Engine


def clean_up(engine: "Engine", peer: Peer, now: float) -> Iterator[None]:
    """Drop the submissions of a lost connection, requeue its jobs and forget its functions."""
    steps = 0
    # Submissions go first: a job that it submitted and works on itself has no owner then.
    while peer.submitted:
        _, job = peer.submitted.popitem()
        del job.clients[peer]
        engine.limits.used -= CLIENT_SIZE
        if not job.has_owner and job.holder is None:
            engine.abandon(job)
        steps += 1
        if steps % SLICE == 0:
            yield
    for job in list(peer.assigned.values()):
        if job.holder is peer:
            engine.requeue(job, now)
        steps += 1
        if steps % SLICE == 0:
            yield
    for name in list(peer.abilities):
        engine.scheduler.unregister(peer, name)
        steps += 1
        if steps % SLICE == 0:
            yield


def note_dropped(engine: "Engine", now: float) -> None:
    """Count and log the connections that were cut off in this turn."""
    for peer, unsent in engine.outboxes.dropped.items():
        engine.counters.consumers_dropped += 1
        engine.offences.log(
            now, logging.WARNING, "Dropping slow consumer %r: %d bytes unsent", peer, unsent
        )
    engine.outboxes.dropped.clear()
