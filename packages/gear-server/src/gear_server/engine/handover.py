"""Which stored jobs are this server's, where several servers share a store."""

from collections.abc import Callable, Iterator
from typing import Protocol

from gear_server.engine.chores import SLICE
from gear_server.engine.engine import Engine
from gear_server.engine.state import Function, Peer, ServerJob
from gear_server.queue.store import StoredJob


class Lease(Protocol):
    """A store, as far as it tells for how long its jobs are this server's."""

    @property
    def name(self) -> str:
        """What log lines call the store."""

    sure_until: float


class Handover:
    """Takes in the jobs of servers that are gone, and lets go of those that others have taken.

    A server that cannot reach the store does not know whether others take it for dead. So from the
    moment when they may, it sets its stored jobs aside, and gives out only jobs that no other can
    have: those for the foreground, and those that are not written yet. Each job is set aside and
    put back once, in slices; without such a moment, a look at the time is all that it costs.

    Args:
        engine: The engine, with a ledger.
        store: The store.

    Attributes:
        holding: Whether stored jobs are held back.
    """

    def __init__(self, engine: Engine, store: Lease) -> None:
        self.holding: bool = False
        self._engine = engine
        self._store = store
        self._choose: Callable[[Peer, bool], ServerJob | None] = engine.scheduler.choose
        self._before_giving = engine.scheduler.before_giving
        self._phase = 0
        self._returning = False
        self._blocked: dict[Function, None] = {}
        self._forgetting: Iterator[None] | None = None
        engine.scheduler.before_giving = self._look

    # Holding back

    def _look(self, peer: Peer, now: float) -> None:
        """Hold stored jobs back if they may be others' by now; called before a job is given."""
        if now >= self._store.sure_until and (not self.holding or self._returning):
            self._engine.log.warning(
                "Holding back the jobs in %s: others may take this server for dead",
                self._store.name,
            )
            self._hold()
            self._engine.chores.add(self._set_all_aside(self._phase))
        if self._before_giving is not None:
            self._before_giving(peer, now)

    def _hold(self) -> None:
        self._phase += 1
        self._returning = False
        if not self.holding:
            self.holding = True
            scheduler = self._engine.scheduler
            self._choose, scheduler.choose = scheduler.choose, self._next_job

    def _is_stored(self, job: ServerJob) -> bool:
        ledger = self._engine.ledger
        return job.background and ledger is not None and not ledger.owes(job)

    def _next_job(self, peer: Peer, peek: bool) -> ServerJob | None:
        """Return the next job for a worker that is not held back."""
        queues = self._engine.queues
        steps = 0
        while (job := self._choose(peer, True)) is not None and self._is_stored(job):
            if self._returning or job.queue is queues.aside:
                self._blocked[job.function] = None
                return None
            if steps == SLICE:
                self._engine.scheduler.to_wake[job.function] = None
                return None
            queues.set_aside(job)
            steps += 1
        return job if job is None or peek else self._choose(peer, False)

    def _set_all_aside(self, phase: int) -> Iterator[None]:
        """Set all stored jobs aside, so that foreground jobs behind them are found."""
        queues = self._engine.queues
        for steps, job in enumerate(list(self._engine.jobs.values()), 1):
            if job.queue is not None and job.queue is not queues.aside and self._is_stored(job):
                queues.set_aside(job)
            if steps % SLICE == 0:
                yield
                if self._phase != phase:
                    return

    def go_on(self, now: float) -> None:
        """Give out stored jobs again, if the store has shown that they are this server's."""
        if not self.holding or self._returning or self._forgetting is not None:
            return
        if now < self._store.sure_until:
            self._phase += 1
            self._returning = True
            self._engine.chores.add(self._put_all_back(self._phase))

    def _put_all_back(self, phase: int) -> Iterator[None]:
        engine, steps = self._engine, 0
        while (function := engine.queues.put_back()) is not None:
            self._blocked[function] = None
            steps += 1
            if steps % SLICE == 0:
                yield
                if self._phase != phase:
                    return
        engine.scheduler.choose = self._choose
        self.holding = self._returning = False
        for function in self._blocked:
            if function.sleepers:
                engine.scheduler.to_wake[function] = None
        self._blocked.clear()
        engine.log.warning("Giving out the jobs in %s again", self._store.name)

    # Between servers

    def adopt(self, jobs: list[StoredJob], now: float) -> None:
        """Take in jobs that were those of another server."""
        engine = self._engine
        ledger = engine.ledger
        assert ledger is not None
        self._finish_forgetting()  # some of it may come back
        engine.counters.adopted += len(jobs)
        for stored in jobs:
            known = engine.jobs.get(stored.handle)
            if known is None:
                engine.restore(stored, now)
            elif not known.background:
                # It was this server's before, and its foreground clients still wait for it here.
                known.background = True
                ledger.jobs += 1

    def let_go(self, reserved: int, written: bool, reason: str) -> None:
        """Forget the stored jobs that wait here, since others have taken them over; in slices.

        Those that run here go on, and their ends are still recorded. Those that foreground clients
        wait for become foreground jobs.

        Args:
            reserved: The number that those of new jobs must be above.
            written: Whether the batch that was taken is down, and so taken over as well.
            reason: What the log says of it.
        """
        engine = self._engine
        assert engine.ledger is not None
        self._finish_forgetting()
        self._hold()
        engine.queues.newest = reserved
        engine.ledger.keep_own(written)
        self._forgetting = self._forget(list(engine.jobs.values()), reason)
        engine.chores.add(self._forgetting)

    def _forget(self, jobs: list[ServerJob], reason: str) -> Iterator[None]:
        engine, forgotten = self._engine, 0
        ledger = engine.ledger
        assert ledger is not None and ledger.own is not None
        for steps, job in enumerate(jobs, 1):
            known = engine.jobs.get(job.handle) is job
            if known and job.background and job.holder is None and job not in ledger.own:
                forgotten += 1
                ledger.jobs -= 1
                self._forget_job(job)
            if steps % SLICE == 0:
                yield
        ledger.own = None
        self._forgetting = None
        engine.log.error("%s: forgot %d that waited here", reason, forgotten)

    def _forget_job(self, job: ServerJob) -> None:
        engine = self._engine
        job.background = False
        if not job.has_owner:
            engine.tallies.move(job)
            engine.remove(job, "moved")
        elif job.queue is engine.queues.aside:
            engine.queues.remove(job)
            engine.queues.append(job)
            engine.scheduler.to_wake[job.function] = None

    def _finish_forgetting(self) -> None:
        if self._forgetting is not None:
            for _ in self._forgetting:
                pass
