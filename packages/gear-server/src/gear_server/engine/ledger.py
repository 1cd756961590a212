"""What is to be written to a store, and which answers wait for it."""

import logging
from collections.abc import Container
from typing import Final

from gear_server.engine.counters import Counters
from gear_server.engine.limits import NOT_STORED, TOO_MUCH_UNWRITTEN, Limit
from gear_server.engine.outboxes import Outboxes
from gear_server.engine.state import NOWHERE, Peer, ServerJob
from gear_server.engine.timers import Timers
from gear_server.queue.store import Batch, StoredJob, StoredLimits, number_of
from gear_wire.codec import encode
from gear_wire.enums import Magic
from gear_wire.packets import Error

MAX_UNWRITTEN: Final = 64 << 20
"""Bytes of jobs that may wait to be written before others are refused."""
JOB_SIZE: Final = 256
"""Bytes that a job counts for besides its data."""
END_DELAY: Final = 0.02
"""Seconds for which ends of jobs wait to be written with others."""
MANY_ENDS: Final = 500
"""Ends of jobs that wait no longer."""
RETRY_DELAY: Final = 1.0
"""Seconds between attempts to write while a store refuses."""
BLOCK: Final = 1_000_000_000
"""Numbers of jobs that are reserved at a time: those that a crash leaves unused are skipped."""
_REFUSED: Final = encode(Error(NOT_STORED.refusal.code, NOT_STORED.refusal.text), Magic.RES)


class Pledge:
    """What a peer hears once a page is down.

    Attributes:
        parts: The bytes for it, from the first answer that waits on.
        answers: The places in `parts` of the answers that wait, each with its job.
    """

    __slots__ = ("answers", "parts")

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.answers: list[tuple[int, ServerJob]] = []


class Page:
    """What is written together, and who waits for it.

    Attributes:
        added: The jobs to be added that have not ended meanwhile.
        ended: The numbers of jobs to be deleted.
        retried: The new count of retries, by number.
        limits: The limits of functions that were changed.
        reserved: The highest number that may be given from now on; None if that is unchanged.
        pledges: What peers hear once it is down.
        size: The bytes of the jobs to be added.
        jobs: The number of jobs in its batch.
        since: When it was first seen with anything on it.
        scheduled: Whether another look at it is scheduled.
    """

    __slots__ = (
        "added", "ended", "jobs", "limits", "pledges", "reserved", "retried", "scheduled", "since",
        "size",
    )  # fmt: skip

    def __init__(self) -> None:
        self.added: dict[ServerJob, None] = {}
        self.ended: list[int] = []
        self.retried: dict[int, int] = {}
        self.limits: dict[bytes, StoredLimits | None] = {}
        self.reserved: int | None = None
        self.pledges: dict[Peer, Pledge] = {}
        self.size: int = 0
        self.jobs: int = 0
        self.since: float | None = None
        self.scheduled: bool = False

    @property
    def changes(self) -> bool:
        """Whether there is anything to write."""
        return bool(self.added or self.ended or self.retried) or self.urgent

    @property
    def urgent(self) -> bool:
        """Whether it should be written soon, though nobody waits for it."""
        return len(self.ended) >= MANY_ENDS or bool(self.limits) or self.reserved is not None

    def __bool__(self) -> bool:
        return bool(self.pledges) or self.changes

    @property
    def backlog(self) -> int:
        """How many changes of jobs there are to write."""
        return len(self.added) + len(self.ended) + len(self.retried)

    def look_again(self, now: float) -> None:
        """Note that it is being looked at: the turn that follows takes it if it is due."""
        self.scheduled = False

    def batch(self) -> Batch:
        """Return what is to be written."""
        self.jobs = len(self.added)
        return Batch(
            ended=self.ended,
            added=[_stored(job) for job in self.added],
            retried=self.retried,
            limits=self.limits,
            reserved=self.reserved,
        )

    def carry_over(self, older: "Page") -> None:
        """Take over what another page, which was refused, was to change."""
        self.ended[:0] = older.ended
        self.retried = older.retried | self.retried
        self.limits = older.limits | self.limits
        if self.reserved is None:
            self.reserved = older.reserved


def _stored(job: ServerJob) -> StoredJob:
    return StoredJob(
        job.handle, job.function.name, job.unique, job.arguments, job.precedence, job.when,
        job.reducer, job.retries,
    )  # fmt: skip


def _size(job: ServerJob) -> int:
    return len(job.arguments) + JOB_SIZE


class Ledger:
    """The background jobs that a store keeps, between the engine and whoever writes.

    What changes is gathered on an open page. Whoever writes takes it with `take`, and tells with
    `written` or `refused` what became of it; meanwhile the next one is gathered. A peer that
    submits a background job hears nothing more until the page with that job is down: its bytes are
    kept back in order, and all others' go out.

    A job may run before it is down, and one that has ended by then is never written.

    Args:
        outboxes: Where the answers go.
        timers: Calls to make later.
        counters: Counts what is written and refused.
        log: The logger of the server.
        reserved: The highest number that is reserved for jobs.

    Attributes:
        jobs: The number of jobs that the store keeps, or will once all is written.
        failure: Why the store refused the last page; None if it took it.
        own: While others' jobs are being forgotten, those that are this server's in any case; None
            at other times.
    """

    def __init__(
        self,
        outboxes: Outboxes,
        timers: Timers,
        counters: Counters,
        log: logging.Logger,
        reserved: int,
    ) -> None:
        self.jobs: int = 0
        self.failure: str | None = None
        self.own: set[ServerJob] | None = None
        self._outboxes = outboxes
        self._timers = timers
        self._counters = counters
        self._log = log
        self._reserved = reserved
        self._open = Page()
        self._writing: Page | None = None
        self._not_before = 0.0

    # What the engine tells

    @property
    def refusal(self) -> Limit | None:
        """Why a background job cannot be taken; None if it can."""
        if self.failure is not None:
            return NOT_STORED
        writing = 0 if self._writing is None else self._writing.size
        return TOO_MUCH_UNWRITTEN if self._open.size + writing >= MAX_UNWRITTEN else None

    def add(self, job: ServerJob) -> None:
        """Have a job written."""
        self.jobs += 1
        self._open.added[job] = None
        self._open.size += _size(job)
        if self.own is not None:
            self.own.add(job)

    def end(self, job: ServerJob) -> None:
        """Have a job deleted."""
        self.jobs -= 1
        page = self._open
        if job in page.added:
            del page.added[job]
            page.size -= _size(job)
            return
        if self._writing is not None:
            self._writing.added.pop(job, None)
        number = number_of(job.handle)
        page.ended.append(number)
        page.retried.pop(number, None)

    def retry(self, job: ServerJob) -> None:
        """Have the new count of a job's retries written."""
        if job not in self._open.added:
            self._open.retried[number_of(job.handle)] = job.retries

    def limit(self, name: bytes, limits: StoredLimits | None) -> None:
        """Have the limits of a function written; None if they are forgotten."""
        self._open.limits[name] = limits

    def pledge(self, peer: Peer, job: ServerJob, answer: bytes) -> bool:
        """Keep an answer back, and all that follows, until a job is down.

        Returns:
            Whether it is kept back; False if the job is down already.
        """
        page = self._open
        if job not in page.added:
            writing = self._writing
            if writing is None or job not in writing.added:
                return False
            if peer not in page.pledges:
                page = writing
        if peer.outbox is NOWHERE:
            return True
        pledge = page.pledges.get(peer)
        if pledge is None:
            pledge = page.pledges[peer] = Pledge()
            self._outboxes.hold(peer, pledge.parts)
        pledge.answers.append((len(pledge.parts), job))
        self._outboxes.send(peer, answer)
        return True

    def forget(self, peer: Peer) -> None:
        """Drop what is kept back for a peer that is lost or cut off."""
        self._open.pledges.pop(peer, None)
        if self._writing is not None:
            self._writing.pledges.pop(peer, None)

    # Whoever writes

    def take(self, now: float, newest: int) -> Batch | None:
        """Return what is to be written now; None if there is nothing, or a batch is on its way.

        Args:
            now: The time.
            newest: The newest number that was given to a job.
        """
        if self._writing is not None:
            return None
        page = self._open
        if newest > self._reserved - BLOCK // 2:
            self._reserved = page.reserved = newest + BLOCK
        if not page or not self._is_due(page, now):
            return None
        self._open = Page()
        if not page.changes:
            self._release(page)
            return None
        self._writing = page
        return page.batch()

    def _is_due(self, page: Page, now: float) -> bool:
        """Return whether a page is to be written now; if not, schedule another look."""
        if page.added or page.pledges:
            return True
        if page.since is None:
            page.since = now
        due = self._not_before
        if not page.urgent:
            due = max(due, page.since + END_DELAY)
        if now < due and not page.scheduled:
            page.scheduled = True
            self._timers.at(due, page.look_again)
        return now >= due

    def written(self) -> None:
        """Release what waits for the batch that was taken, since it is down."""
        page = self._end_batch()
        if self.failure is not None:
            self._log.warning("Accepting background jobs again")
            self.failure = None
        self._counters.batches += 1
        self._counters.stored += page.jobs
        self._counters.confirmed += sum(len(pledge.answers) for pledge in page.pledges.values())
        self._release(page)

    def refused(self, reason: str, now: float) -> list[ServerJob]:
        """Refuse the submissions of the batch that was taken, since it may be down or not.

        Its other changes are written later, and what it added is deleted.

        Args:
            reason: Why the store refused it.
            now: The time.

        Returns:
            The jobs that are no background jobs any more.
        """
        page = self._end_batch()
        if self.failure is None:
            self._log.error("Refusing background jobs: %s", reason)
        self.failure = reason
        self._not_before = now + RETRY_DELAY
        self._open.carry_over(page)
        refused = list(page.added)
        for job in refused:
            self.end(job)
            job.background = False
        # A submission that joined one of these jobs may wait for the open page.
        for peer, pledge in (*page.pledges.items(), *self._open.pledges.items()):
            self._refuse(peer, pledge, page.added)
        self._release(page)
        return refused

    def owes(self, job: ServerJob) -> bool:
        """Return whether a job is still to be written."""
        writing = self._writing
        return job in self._open.added or (writing is not None and job in writing.added)

    def keep_own(self, written: bool) -> None:
        """Begin to note in `own` which jobs others cannot have taken over.

        Args:
            written: Whether the batch that was taken is down, and so taken over as well.
        """
        self.own = set(self._open.added)
        if self._writing is not None and not written:
            self.own.update(self._writing.added)

    def _end_batch(self) -> Page:
        page, self._writing = self._writing, None
        assert page is not None, "no batch was taken"
        return page

    def _refuse(self, peer: Peer, pledge: Pledge, jobs: Container[ServerJob]) -> None:
        answers = pledge.answers
        pledge.answers = []
        for place, job in answers:
            if job in jobs:
                self._outboxes.replace(peer, pledge.parts, place, _REFUSED)
                self._counters.refused += 1
                job.function.tally.refused += 1
            else:
                pledge.answers.append((place, job))

    def _release(self, page: Page) -> None:
        for peer, pledge in page.pledges.items():
            self._outboxes.release(peer, pledge.parts)

    def finish(self, newest: int) -> None:
        """Reserve no more numbers than were given, since no more jobs are taken.

        Args:
            newest: The newest number that was given to a job.
        """
        self._open.reserved = newest
        self._reserved = newest + BLOCK
        self._not_before = 0.0

    @property
    def backlog(self) -> int:
        """How many changes of jobs have not been written yet."""
        writing = 0 if self._writing is None else self._writing.backlog
        return self._open.backlog + writing

    @property
    def unwritten(self) -> bool:
        """Whether anything has not been written yet."""
        return self._writing is not None or bool(self._open)
