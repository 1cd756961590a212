"""Queued jobs, in a list per function and precedence; `scheduler` decides who gets them."""

import collections
from typing import Final

from gear_server.engine.state import Function, Peer, ServerJob
from gear_wire.enums import Precedence

BY_PRECEDENCE: Final = (Precedence.HIGH, Precedence.NORMAL, Precedence.LOW)
"""The order in which jobs are handed out."""


class Queues:
    """All functions, and those with queued jobs in the order of their turns.

    Attributes:
        functions: Every function by name.
        ready: The functions with queued jobs, by precedence.
        waiting: The number of queued jobs.
    """

    def __init__(self) -> None:
        self.functions: dict[bytes, Function] = {}
        self.ready: tuple[collections.OrderedDict[Function, None], ...] = tuple(
            collections.OrderedDict() for _ in Precedence
        )
        self.waiting: int = 0

    def function(self, name: bytes) -> Function:
        """Return a function; a new one is created."""
        function = self.functions.get(name)
        if function is None:
            function = self.functions[name] = Function(name)
        return function

    def append(self, job: ServerJob) -> None:
        """Append a job to the queue of its function and precedence."""
        queue = job.function.queues[job.precedence]
        last = queue.last
        job.queue = queue
        job.previous = last
        if last is None:
            queue.first = job
            self.ready[job.precedence][job.function] = None
        else:
            last.next = job
        queue.last = job
        queue.count += 1
        self.waiting += 1

    def remove(self, job: ServerJob) -> None:
        """Remove a job from its queue; no effect if it is not queued."""
        queue = job.queue
        if queue is None:
            return
        before, after = job.previous, job.next
        if before is None:
            queue.first = after
        else:
            before.next = after
        if after is None:
            queue.last = before
        else:
            after.previous = before
        job.previous = job.next = job.queue = None
        queue.count -= 1
        self.waiting -= 1
        if queue.first is None:
            self.ready[job.precedence].pop(job.function, None)

    def choose(self, peer: Peer) -> ServerJob | None:
        """Return the next job for a worker; None if there is none.

        Precedence counts first, over all of the worker's functions; then functions take turns;
        within a function, jobs are in order. The search goes through the functions with jobs or
        those of the worker, whichever are fewer, so that neither many functions nor many queues
        cost much.
        """
        abilities = peer.abilities
        for precedence in BY_PRECEDENCE:
            ready = self.ready[precedence]
            if len(ready) <= len(abilities):
                for function in ready:
                    if function.name in abilities:
                        return function.queues[precedence].first
            else:
                for ability in abilities.values():
                    queue = ability.function.queues[precedence]
                    if queue.count:
                        return queue.first
        return None

    def served(self, job: ServerJob, peer: Peer) -> None:
        """End the turn of a job's function, as a worker gets the job."""
        ready = self.ready[job.precedence]
        if job.function in ready:
            ready.move_to_end(job.function)
        if job.name in peer.abilities:
            peer.abilities.move_to_end(job.name)

    def of(self, precedence: Precedence) -> list[ServerJob]:
        """Return the queued jobs of a precedence, oldest first."""
        jobs = [job for function in self.ready[precedence] for job in function.queues[precedence]]
        return sorted(jobs, key=lambda job: job.sequence)
