"""What is left to do when a connection is lost or cut off; in slices, as it may have many jobs."""

import logging
from collections.abc import Iterator
from typing import Protocol

from gear_server.engine.chores import SLICE
from gear_server.engine.counters import Counters
from gear_server.engine.limits import CLIENT_SIZE, Limits
from gear_server.engine.outboxes import Outboxes
from gear_server.engine.scheduler import Scheduler
from gear_server.engine.state import Peer, ServerJob
from gear_wire.loglimit import LogLimit


class Left(Protocol):
    """The server, as far as a departure concerns it."""

    counters: Counters
    limits: Limits
    offences: LogLimit
    outboxes: Outboxes
    scheduler: Scheduler

    def abandon(self, job: ServerJob) -> None:
        """Discard a job for which no client waits any more."""

    def requeue(self, job: ServerJob, now: float) -> None:
        """Take a job from its worker, and queue it again if it has an owner and attempts left."""


def clean_up(engine: Left, peer: Peer, now: float) -> Iterator[None]:
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


def note_dropped(engine: Left, now: float) -> None:
    """Count and log the connections that were cut off in this turn."""
    for peer, unsent in engine.outboxes.dropped.items():
        engine.counters.consumers_dropped += 1
        engine.offences.log(
            now, logging.WARNING, "Dropping slow consumer %r: %d bytes unsent", peer, unsent
        )
    engine.outboxes.dropped.clear()
