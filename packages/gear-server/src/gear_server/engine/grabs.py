"""Workers that ask for a job, until they get an answer; what a job goes through is in `engine`."""

from collections.abc import Callable
from typing import Final

from gear_server.engine.jobs import ServerJob
from gear_server.engine.outboxes import PATIENCE, Outboxes
from gear_server.engine.peers import Peer
from gear_server.engine.wakeups import Wakeups
from gear_wire.codec import encode
from gear_wire.enums import Magic
from gear_wire.packets import NoJob

LINGER: Final = 0.001
"""Seconds that a worker that asks waits for a job; a timer of the loop takes no less."""
Assign = Callable[[Outboxes, Peer, ServerJob], None]
_NO_JOB: Final = encode(NoJob(), Magic.RES)


class Grabs(Wakeups):
    """Answers workers when a turn ends: with a job at once, with NO_JOB after a moment.

    So a job that comes meanwhile spares a worker a NO_JOB, a sleep, a NOOP and another GRAB_JOB,
    and spares others the way that they would make in vain. The moment lasts `LINGER`, and
    `PATIENCE` turns while the server is busy.

    Args:
        worker_wakeup: How many sleepers a new job wakes at first; 0 for all.
    """

    def __init__(self, worker_wakeup: int) -> None:
        super().__init__(worker_wakeup)
        self._asking: dict[Peer, tuple[int, float]] = {}

    def assign(self, peer: Peer, job: ServerJob, now: float) -> None:
        """Note that a worker gets a job."""
        raise NotImplementedError

    def ask(self, peer: Peer, assign: Assign, now: float) -> None:
        """Note that a worker, awake now, asks for a job.

        Args:
            peer: The worker.
            assign: Sends it the job.
            now: The time.
        """
        if peer.asking is not None:
            # A handler of a subclass asked a second time: what came in order is answered by then.
            self.answer(peer, now)
        peer.sleeping = False
        peer.asking = assign
        self._asking[peer] = self.turn, now + LINGER
        if peer.woken_for is not None:
            self.came(peer)

    def answer(self, peer: Peer, now: float) -> None:
        """Give a worker that asks a job, or tell it that there is none."""
        self._give(peer, now)
        if peer.asking is not None:
            self._refuse(peer)

    def _give(self, peer: Peer, now: float) -> None:
        assign = peer.asking
        if assign is None or self.draining:
            return
        job = self.choose(peer, False)
        if job is not None:
            self.forget(peer)
            self.assign(peer, job, now)
            assign(self, peer, job)

    def _refuse(self, peer: Peer) -> None:
        self.forget(peer)
        self.send(peer, _NO_JOB)

    def forget(self, peer: Peer) -> None:
        """Note that a worker does not wait for an answer any more."""
        peer.asking = None
        self._asking.pop(peer, None)

    def _give_all(self, now: float) -> None:
        for peer in list(self._asking):
            if not self.queues.waiting:
                break
            try:
                self._give(peer, now)
            except Exception:
                self.log.exception("Exception while looking for a job for %r", peer)
                self.forget(peer)
                self.close(peer)

    def _refuse_all(self, now: float, busy: bool) -> None:
        while self._asking:
            peer, (turn, due) = next(iter(self._asking.items()))
            if now < due or (busy and turn > self.turn - PATIENCE):
                break
            self._refuse(peer)

    def end_turn(self, now: float, busy: bool = False) -> list[Peer]:
        """Answer the workers that ask, and wake others for the jobs that are left.

        Args:
            now: The time.
            busy: Whether much has come, and more is likely to: then what can wait is left for the
                next turns, which must be ended even if nothing comes, as long as `postponed`.

        Returns:
            The peers with something to send, or to close.
        """
        if self._asking:
            self._give_all(now)
            self._refuse_all(now, busy)
        if self.stirred:
            self.wake_sleepers(now)
        return self.take_dirty(busy)

    @property
    def deadline(self) -> float | None:
        """When `tick` must be called and a turn be ended; None when nothing is due."""
        due = self.timers.next
        if not self._asking:
            return due
        _, first = next(iter(self._asking.values()))
        return first if due is None else min(first, due)
