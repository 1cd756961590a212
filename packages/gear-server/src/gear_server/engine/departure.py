"""What is left to do when a connection is lost, in slices: it may have many jobs."""

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
