"""Which worker gets which job, and who is woken for it; what becomes of jobs is in `engine`."""

from collections.abc import Callable
from typing import Final

from gear_server.engine import abilities
from gear_server.engine.jobs import ServerJob
from gear_server.engine.outboxes import Outboxes
from gear_server.engine.peers import Peer
from gear_server.engine.queues import Function, Queues
from gear_server.engine.timers import Timers
from gear_wire.codec import encode
from gear_wire.enums import Magic
from gear_wire.packets import Noop

WAKE_DELAY: Final = 0.1
"""Seconds that a woken worker has to take a job before the next are woken, as Perl's server."""
_NOOP: Final = encode(Noop(), Magic.RES)


class Wakeups(Outboxes):
    """Finds jobs for workers, and workers for jobs.

    Args:
        worker_wakeup: How many sleepers a new job wakes at first; 0 for all.

    Attributes:
        queues: The functions and their queued jobs.
        timers: What is due.
        number: The number of the newest job.
        draining: Whether no more jobs are given out.
        stirred: The functions whose sleepers must be looked at when the turn ends.
        choose: Returns the job that is next for a worker; replaced by servers that hold jobs back.
    """

    def __init__(self, worker_wakeup: int) -> None:
        super().__init__()
        self.queues: Queues = Queues()
        self.timers: Timers = Timers()
        self.choose: Callable[[Peer, bool], ServerJob | None] = self.next_job
        self.number: int = 0
        self.draining: bool = False
        self.stirred: dict[Function, None] = {}
        self._worker_wakeup = worker_wakeup

    def next_job(self, peer: Peer, peek: bool = False) -> ServerJob | None:
        """Return the job that is next for a worker, and take it from its queue unless `peek`."""
        job = self.queues.choose(peer)
        if job is not None and not peek:
            self.queues.remove(job)
        return job

    def sleep(self, peer: Peer) -> None:
        """Note that a worker waits for a NOOP, or send it at once if there is a job for it."""
        self.came(peer)
        job = None if self.draining else self.choose(peer, True)
        if job is None:
            abilities.fall_asleep(peer)
        else:
            self._call(peer, job.function)

    def came(self, peer: Peer) -> None:
        """Note that a worker asks for a job, or will not: it is not expected any more."""
        function = peer.woken_for
        if function is not None:
            peer.woken_for = None
            function.expected.discard(peer)
            # The job that it takes may be another function's.
            self.stirred[function] = None

    def wake_sleepers(self, now: float) -> None:
        """Send NOOPs for the jobs that are left at the end of a turn.

        As many workers are woken as the jobs want that no worker comes for yet. If a job is still
        there after a while, all others are woken: a worker that hangs must not hold it up while
        others are free.
        """
        stirred, self.stirred = self.stirred, {}
        for function in stirred:
            if function.sleepers:
                queued = function.queued()
                if queued:
                    self._wake(function, self._wanted(function, queued))
                    self._check_later(function, now)

    def _wanted(self, function: Function, queued: int) -> int:
        if self._worker_wakeup:
            return self._worker_wakeup * queued - len(function.expected)
        return len(function.sleepers)

    def _check_later(self, function: Function, now: float) -> None:
        if function.sleepers and not function.checking:
            function.checking = True
            newest = self.number
            self.timers.at(now + WAKE_DELAY, lambda due: self._check(function, newest, now, due))

    def _check(self, function: Function, newest: int, then: float, now: float) -> None:
        """Wake all sleepers if a job was there at the last look, or the look comes late."""
        function.checking = False
        oldest = min((job.requeued or job.number for job in function.heads()), default=None)
        if oldest is None:
            return
        if oldest <= newest or now >= then + 2 * WAKE_DELAY:
            function.expected.clear()
            self._wake(function, len(function.sleepers))
        else:
            self._check_later(function, now)

    def _wake(self, function: Function, wanted: int) -> None:
        while wanted > 0:
            peer = abilities.next_sleeper(function)
            if peer is None:
                break
            self._call(peer, function)
            wanted -= 1

    def _call(self, peer: Peer, function: Function) -> None:
        """Wake a worker for a job of a function, and expect it."""
        peer.sleeping = False
        peer.woken_for = function
        function.expected.add(peer)
        self.send(peer, _NOOP)

    def wake_peer(self, peer: Peer) -> None:
        """Send a NOOP to a worker that sleeps."""
        if peer.sleeping:
            peer.sleeping = False
            self.send(peer, _NOOP)
