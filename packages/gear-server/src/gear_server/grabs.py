"""Workers that ask for a job, until they get an answer; what a job goes through is in `engine`."""

import collections
from collections.abc import Callable
from typing import Final

from gear_server.jobs import ServerJob
from gear_server.outboxes import PATIENCE, Outboxes
from gear_server.peers import Peer
from gear_server.wakeups import Wakeups
from gear_wire.codec import encode
from gear_wire.enums import Magic
from gear_wire.packets import NoJob

Assign = Callable[[Outboxes, Peer, ServerJob], None]
_NO_JOB: Final = encode(NoJob(), Magic.RES)


class Grabs(Wakeups):
    """Answers workers at the end of a turn, or a few turns later while the server is busy.

    So a job that comes meanwhile spares a worker a NO_JOB, a sleep and a NOOP, and spares another
    one the way that it would make in vain.

    Args:
        worker_wakeup: How many sleepers a new job wakes at first; 0 for all.
    """

    postponed: bool

    def __init__(self, worker_wakeup: int) -> None:
        super().__init__(worker_wakeup)
        self._asking: collections.deque[tuple[int, Peer]] = collections.deque()

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
            self.answer(peer, now)
        peer.sleeping = False
        peer.asking = assign
        self.postponed = True
        self._asking.append((self.turn, peer))
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
            peer.asking = None
            self.assign(peer, job, now)
            assign(self, peer, job)

    def _refuse(self, peer: Peer) -> None:
        peer.asking = None
        self.send(peer, _NO_JOB)

    def _answer_all(self, now: float, busy: bool) -> None:
        asking = self._asking
        if self.queues.waiting:
            for _, peer in asking:
                if peer.asking is not None:
                    try:
                        self._give(peer, now)
                    except Exception:
                        self.log.exception("Exception while looking for a job for %r", peer)
                        peer.asking = None
                        self.close(peer)
        while asking and (not busy or asking[0][0] <= self.turn - PATIENCE):
            peer = asking.popleft()[1]
            if peer.asking is not None:
                self._refuse(peer)

    def end_turn(self, now: float, busy: bool = False) -> list[Peer]:
        """Answer the workers that ask, and wake others for the jobs that are left.

        Args:
            now: The time.
            busy: Whether more has come than one message, and is likely to go on coming: then what
                can wait is left for the next turns, which must be ended even if nothing comes.

        Returns:
            The peers with something to send, or to close.
        """
        if self._asking:
            self._answer_all(now, busy)
        if self.stirred:
            self.wake_sleepers(now)
        dirty = self.take_dirty(busy)
        if self.postponed:
            self.postponed = bool(self._asking or self._late)
        return dirty
