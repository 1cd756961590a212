"""Which worker gets which job, and which sleepers are woken for it."""

import logging
from collections.abc import Callable
from typing import Final

from gear_server.engine.outboxes import PATIENCE, Outboxes
from gear_server.engine.queues import Queues
from gear_server.engine.state import Ability, AssignPacket, Function, Peer, ServerJob
from gear_server.engine.timers import Timers
from gear_wire.codec import encode
from gear_wire.enums import Magic
from gear_wire.packets import NoJob, Noop

LINGER: Final = 0.001
"""Seconds that a GRAB_JOB waits for a job; the loop's timers are no finer."""
WAKE_DELAY: Final = 0.1
"""Seconds after which more workers are woken for a job, as in Perl's server."""
_NO_JOB: Final = encode(NoJob(), Magic.RES)
_NOOP: Final = encode(Noop(), Magic.RES)


class Scheduler:
    """Finds jobs for workers, and workers for jobs; both when a turn ends.

    A GRAB_JOB stays pending until a job comes: for `LINGER`, and for `PATIENCE` turns while the
    server is busy. That saves the worker a NO_JOB, a PRE_SLEEP, a NOOP and another GRAB_JOB, and
    saves other workers a wasted round trip.

    As many sleepers are woken as there are queued jobs that no notified worker will take. If a job
    is still queued after `WAKE_DELAY`, all sleepers are woken: a worker that hangs must not delay
    it while others are idle.

    Args:
        queues: The functions and their queued jobs.
        timers: Calls to make later.
        outboxes: Where answers and NOOPs are queued.
        log: The logger of the server.
        assign: Called when a worker gets a job.
        worker_wakeup: How many sleepers a new job wakes at first; 0 for all.

    Attributes:
        choose: Returns the next job for a worker; replaced by servers that hold jobs back.
        before_giving: Called before a worker is given a job, if there is access control.
        paused: Whether jobs are no longer given out.
        registrations: How many functions the workers have registered, each counting its own.
        grabs: The pending grabs: the turn of each, and when it is overdue.
        to_wake: Functions whose sleepers may have to be woken when the turn ends.
    """

    def __init__(
        self,
        queues: Queues,
        timers: Timers,
        outboxes: Outboxes,
        log: logging.Logger,
        assign: Callable[[Peer, ServerJob, float], None],
        worker_wakeup: int,
    ) -> None:
        self.choose: Callable[[Peer, bool], ServerJob | None] = self.next_job
        self.before_giving: Callable[[Peer, float], None] | None = None
        self.paused: bool = False
        self.registrations: int = 0
        self.grabs: dict[Peer, tuple[int, float]] = {}
        self.to_wake: dict[Function, None] = {}
        self._queues = queues
        self._timers = timers
        self._outboxes = outboxes
        self._log = log
        self._assign = assign
        self._worker_wakeup = worker_wakeup

    # What workers can do

    def register(self, peer: Peer, function: Function, timeout: float) -> None:
        """Register a function for a worker that has not registered it yet."""
        peer.abilities[function.name] = Ability(function, timeout)
        peer.absent.add(function)
        self.registrations += 1
        function.workers += 1
        if timeout:
            function.timed = True
        for precedence, search in peer.searches.items():
            if function.queues[precedence].count:
                search.found[function] = None
        if peer.sleeping:
            self.fall_asleep(peer)
            if function.queued() and not self.paused:
                # gearmand lets it sleep on until the next job of the function is submitted.
                self.wake(peer)

    def unregister(self, peer: Peer, name: bytes) -> None:
        """Unregister a function of a worker; no effect if it has not registered it."""
        ability = peer.abilities.pop(name, None)
        if ability is None:
            return
        function = ability.function
        self.registrations -= 1
        function.workers -= 1
        if not function.workers and not function.total:
            self._queues.settle(function)
        function.sleepers.pop(peer, None)
        peer.absent.discard(function)
        for search in peer.searches.values():
            search.found.pop(function, None)
        if peer.notified_for is function:
            self.no_longer_expected(peer)

    def leave(self, peer: Peer) -> None:
        """Give no more jobs to a worker that is lost or being disconnected."""
        peer.sleeping = False
        self._end_grab(peer)
        self.no_longer_expected(peer)

    # Asking for a job

    def next_job(self, peer: Peer, peek: bool = False) -> ServerJob | None:
        """Return the next job for a worker; it leaves its queue unless `peek` is true."""
        job = self._queues.choose(peer)
        if job is not None and not peek:
            self._queues.remove(job)
        return job

    def grab(self, peer: Peer, assign_packet: AssignPacket, now: float) -> None:
        """Record that a worker asks for a job, and so is awake.

        Args:
            peer: The worker.
            assign_packet: Makes the packet that assigns it the job.
            now: The time.
        """
        if peer.pending_grab is not None:
            # A handler of a subclass passed on a second one: answer in order.
            self.answer_grab(peer, now)
        peer.sleeping = False
        peer.pending_grab = assign_packet
        self.grabs[peer] = self._outboxes.turn, now + LINGER
        if peer.notified_for is not None:
            self.no_longer_expected(peer)

    def answer_grab(self, peer: Peer, now: float) -> None:
        """Answer a pending grab at once: with a job, or with NO_JOB."""
        self._give(peer, now)
        if peer.pending_grab is not None:
            self._refuse(peer)

    def _give(self, peer: Peer, now: float) -> None:
        assign_packet = peer.pending_grab
        if assign_packet is None or self.paused:
            return
        if self.before_giving is not None:
            self.before_giving(peer, now)
        job = self.choose(peer, False)
        if job is not None:
            peer.pending_grab = None
            del self.grabs[peer]
            self._assign(peer, job, now)
            key, head = assign_packet(job)
            self._outboxes.send_payload(peer, key, head, job.arguments)

    def _refuse(self, peer: Peer) -> None:
        self._end_grab(peer)
        self._outboxes.send(peer, _NO_JOB)

    def _end_grab(self, peer: Peer) -> None:
        peer.pending_grab = None
        self.grabs.pop(peer, None)

    def _give_all(self, now: float) -> None:
        for peer in list(self.grabs):
            if not self._queues.waiting:
                break
            try:
                self._give(peer, now)
            except Exception:
                self._log.exception("Exception while looking for a job for %r", peer)
                self.leave(peer)
                self._outboxes.close(peer)

    def _refuse_overdue(self, now: float, busy: bool) -> None:
        while self.grabs:
            peer, (turn, due) = next(iter(self.grabs.items()))
            if now < due or (busy and turn > self._outboxes.turn - PATIENCE):
                break
            self._refuse(peer)

    # Sleeping

    def sleep(self, peer: Peer) -> None:
        """Put a worker to sleep, or send it a NOOP at once if there is a job for it."""
        self.no_longer_expected(peer)
        job = None if self.paused else self.choose(peer, True)
        if job is None:
            self.fall_asleep(peer)
        else:
            self._notify(peer, job.function)

    def fall_asleep(self, peer: Peer) -> None:
        """Put a worker to sleep, until it is sent a NOOP.

        A worker stays on its functions' lists of sleepers while it is awake. A search for a sleeper
        that finds it awake takes it off that one list, and the next sleep puts it back. So a job
        costs the same whether its worker can do ten functions or ten thousand.
        """
        peer.sleeping = True
        for function in peer.absent:
            function.sleepers[peer] = None
        peer.absent.clear()

    def wake(self, peer: Peer) -> None:
        """Send a NOOP to a worker, if it sleeps."""
        if peer.sleeping:
            peer.sleeping = False
            self._outboxes.send(peer, _NOOP)

    def no_longer_expected(self, peer: Peer) -> None:
        """Stop expecting a worker: it asked for a job, or no longer can."""
        function = peer.notified_for
        if function is not None:
            peer.notified_for = None
            function.notified.discard(peer)
            # The job that it takes may be another function's.
            self.to_wake[function] = None

    def _wake_sleepers(self, now: float) -> None:
        to_wake, self.to_wake = self.to_wake, {}
        if self.paused:
            return
        for function in to_wake:
            if function.sleepers:
                queued = function.queued()
                if queued:
                    self._wake_some(function, self._needed(function, queued))
                    self._recheck_later(function, now)

    def _needed(self, function: Function, queued: int) -> int:
        if self._worker_wakeup:
            return self._worker_wakeup * queued - len(function.notified)
        return len(function.sleepers)

    def _recheck_later(self, function: Function, now: float) -> None:
        if function.sleepers and not function.recheck_scheduled:
            function.recheck_scheduled = True
            function.mark()
            self._timers.at(now + WAKE_DELAY, lambda due: self._recheck(function, now, due))

    def _recheck(self, function: Function, then: float, now: float) -> None:
        """Wake all sleepers if a job was queued at the last check, or if this one is late."""
        function.recheck_scheduled = False
        if self.paused or not function.queued():
            return
        if function.marked() or now >= then + 2 * WAKE_DELAY:
            function.notified.clear()
            self._wake_some(function, len(function.sleepers))
        else:
            self._recheck_later(function, now)

    def _wake_some(self, function: Function, needed: int) -> None:
        while needed > 0:
            peer = self._next_sleeper(function)
            if peer is None:
                break
            self._notify(peer, function)
            needed -= 1

    def _next_sleeper(self, function: Function) -> Peer | None:
        """Remove the longest sleeper from a function's list, and return it."""
        sleepers = function.sleepers
        while sleepers:
            peer, _ = sleepers.popitem(last=False)
            peer.absent.add(function)
            if peer.sleeping:
                return peer
        return None

    def _notify(self, peer: Peer, function: Function) -> None:
        """Send a worker a NOOP for a job of a function, and expect a GRAB_JOB."""
        peer.sleeping = False
        peer.notified_for = function
        function.notified.add(peer)
        self._outboxes.send(peer, _NOOP)

    # Ending a turn

    def end_turn(self, now: float, busy: bool) -> None:
        """Answer pending grabs, and wake workers for the jobs that are left.

        Args:
            now: The time.
            busy: Whether more input is likely soon.
        """
        if self.grabs and self._queues.waiting:
            self._give_all(now)
        if self.grabs:
            self._refuse_overdue(now, busy)
        if self.to_wake:
            self._wake_sleepers(now)

    @property
    def deadline(self) -> float | None:
        """When the first pending grab is overdue; None if none is pending."""
        if not self.grabs:
            return None
        _, first = next(iter(self.grabs.values()))
        return first
