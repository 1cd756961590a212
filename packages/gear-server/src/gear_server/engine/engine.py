"""The server without a network: packets in, bytes out; what each packet does is in `rules`.

One thread at a time may call it, and passes the time. The caller moves the bytes: it passes all
that can be read to `receive`, then calls `end_turn` and sends the outbox of each peer that it
returns.
"""

import collections
import logging
from bisect import bisect_right
from collections.abc import Callable, Iterator
from itertools import chain, islice
from typing import Final

from gear_server.engine.access import DENIED, Access
from gear_server.engine.acl import ACL
from gear_server.engine.chores import SLICE, Chores
from gear_server.engine.counters import Counters
from gear_server.engine.departure import clean_up, note_dropped
from gear_server.engine.epochs import Epochs
from gear_server.engine.guards import guarded, refuse, take_unknown
from gear_server.engine.identity import ANONYMOUS, Identity
from gear_server.engine.joblog import JobLog, Outcome
from gear_server.engine.ledger import BLOCK, Ledger
from gear_server.engine.limits import (
    CLIENT_SIZE,
    FUNCTIONS,
    JOB_SIZE,
    JOBS,
    MEMORY,
    NEW_FUNCTION,
    PER_WORKER,
    QUEUE,
    REGISTRATIONS,
    TIMER_SIZE,
    Limit,
    Limits,
)  # fmt: skip
from gear_server.engine.lines import Lines
from gear_server.engine.names import refused_function
from gear_server.engine.outboxes import SUBMISSIONS, UNANSWERED, Outboxes
from gear_server.engine.queues import Queues
from gear_server.engine.scheduler import Scheduler
from gear_server.engine.state import Function, LongAnswer, Peer, ServerJob
from gear_server.engine.tallies import Tallies
from gear_server.engine.tally import BOUNDS, SHORTEST
from gear_server.engine.timeouts import Timeouts
from gear_server.engine.timers import Timers
from gear_server.engine.uniques import Uniques
from gear_server.queue.store import StoredJob
from gear_server.settings import UNLIMITED, ServerSettings
from gear_wire.enums import Magic, PacketType, Precedence
from gear_wire.framing import HEADER, REQUEST_MAGIC, RESPONSE_MAGIC, Event, Frame, TextLine
from gear_wire.loglimit import LogLimit
from gear_wire.packets import BasePacket
from gear_wire.table import frame_key

UNIQUE_SIZE: Final = 64
"""Maximum bytes of a unique, as in gearmand."""

Rule = Callable[["Engine", Peer, Frame, float], None]
Answer = bytes | Iterator[bytes]
"""The answer to a text command; a long one in slices."""
TextRule = Callable[["Engine", Peer, list[bytes], float], Answer]
_JOB_CREATED: Final = frame_key(Magic.RES, PacketType.JOB_CREATED)
WORK_FAIL: Final = frame_key(Magic.RES, PacketType.WORK_FAIL)
_TO_RESPONSE: Final = RESPONSE_MAGIC - REQUEST_MAGIC << 32


class Engine:
    """A job server: its parts, and the life of a job.

    `create` makes a whole job; only `accept` then answers its submission, queues it and has workers
    woken for it. `requeue` is the only way back, and `remove` the only way out.

    Times are monotonic, except for those of SUBMIT_JOB_EPOCH.

    Args:
        settings: Its settings.
        rules: What to do for each packet, by the first eight bytes of a frame.
        text_rules: How to answer each text command, by its first word.
        acl: Who may do what; None if everyone may do everything.
        identity: How it identifies itself.
        wall_clock: Returns the seconds since 1970, for SUBMIT_JOB_EPOCH.

    Attributes:
        log: The logger of the server.
        peers: The connections.
        jobs: Every job by handle.
        running: The number of running jobs.
        queues: The functions and their queued jobs.
        uniques: The jobs that have a unique.
        timers: Calls to make later.
        timeouts: The running jobs that have a time limit.
        epochs: The jobs for later.
        outboxes: The bytes to send.
        scheduler: Decides which worker gets which job.
        access: Looks at the access control list; None if everyone may do everything.
        chores: Work that is done in slices.
        counters: Counters since the start; read them with `Tallies.read`.
        tallies: Counts and logs what happens to jobs.
        packets: How many packets were received, by their first eight bytes; those of an unknown
            type are not counted.
        now: The time, as last told.
        joblog: Logs the jobs of some functions.
        offences: Logs why connections are closed, at a limited rate.
        limits: What jobs take of the memory, and how much they may.
        ledger: What a store is told of background jobs; None without a store.
        closed: Whether new jobs are refused.
        unknown: The rule for packets without one.
        on_line: Handles a text command; replaced by servers with commands of their own.
    """

    # More than thirty attributes are slow in CPython without slots.
    __slots__ = (
        "__weakref__", "_handle_prefix", "_lines", "access", "chores", "closed", "counters",
        "epochs", "identity", "joblog", "jobs", "ledger", "limits", "log", "now", "offences",
        "on_line", "outboxes", "packets", "peers", "queues", "rules", "running", "scheduler",
        "send", "send_error", "send_later", "send_packet", "send_payload", "send_to_all",
        "settings", "tallies", "text_rules", "timeouts", "timers", "uniques", "unknown",
    )  # fmt: skip

    def __init__(
        self,
        settings: ServerSettings,
        rules: dict[int, Rule],
        text_rules: dict[bytes, TextRule],
        acl: ACL | None = None,
        identity: Identity = ANONYMOUS,
        *,
        wall_clock: Callable[[], float],
    ) -> None:
        self.log: logging.Logger = logging.getLogger("gear.Server")
        self.settings: ServerSettings = settings
        self.identity: Identity = identity
        self.access: Access | None = None
        self.rules: dict[int, Rule] = rules if acl is None else guarded(rules)
        self.text_rules: dict[bytes, TextRule] = text_rules
        self.peers: dict[Peer, None] = {}
        self.jobs: dict[bytes, ServerJob] = {}
        self.running: int = 0
        self.joblog: JobLog = JobLog(settings.log_jobs)
        self.queues: Queues = Queues(
            settings.max_functions, settings.max_queue, settings.job_timeout, self.joblog.logs
        )
        self.uniques: Uniques = Uniques()
        self.timers: Timers = Timers()
        self.outboxes: Outboxes = Outboxes(self.log, settings.max_send_queue, self._cut_off)
        self.chores: Chores = Chores()
        self.scheduler: Scheduler = Scheduler(
            self.queues, self.timers, self.outboxes, self.log, self.assign, settings.worker_wakeup
        )
        if acl is not None:
            self.access = Access(acl, self.log, self.peers, self.scheduler)
            self.scheduler.before_giving = self.access.before_giving
        self.epochs: Epochs = Epochs(self.timers, wall_clock, self._come_due)
        self.counters: Counters = Counters()
        self.tallies: Tallies = Tallies(self.counters, self.queues.forgotten, self.log, self.joblog)
        self.packets: dict[int, int] = collections.defaultdict(int, dict.fromkeys(rules, 0))
        self.now: float = 0.0
        self.offences: LogLimit = LogLimit(self.log, "Connections closed for what they sent")
        self.limits: Limits = Limits(settings, self.counters, self.log)
        self.timeouts: Timeouts = Timeouts(self.timers, self.limits, self._time_out)
        self.ledger: Ledger | None = None
        self.closed: bool = False
        self.unknown: Rule = refuse
        self.on_line: Callable[[Peer, bytes, float], None] = self.text
        # Bound once: the rules answer through these.
        outboxes = self.outboxes
        self.send: Callable[[Peer, bytes], None] = outboxes.send
        self.send_later: Callable[[Peer, bytes], None] = outboxes.send_later
        self.send_packet: Callable[[Peer, BasePacket], None] = outboxes.send_packet
        self.send_payload: Callable[[Peer, int, bytes, bytes], None] = outboxes.send_payload
        self.send_to_all: Callable[[dict[Peer, int], int, bytes], None] = outboxes.send_to_all
        self.send_error: Callable[[Peer, bytes, bytes], None] = outboxes.send_error
        self._lines = Lines(text_rules, self.send, self.close, self.offences)
        self._handle_prefix = b"%b:%b" % (identity.handle_prefix, identity.handle_token)

    # Connections and messages

    def add(self, peer: Peer) -> None:
        """Add a connection."""
        peer.exceptions = self.settings.exceptions
        peer.room = self.outboxes.limit
        self.peers[peer] = None

    def receive(self, peer: Peer, events: list[Event], now: float) -> None:
        """Handle what one read returned, up to what closes the connection.

        While the connection is halted, what it asks for stays in its `backlog`: call `go_on` when
        its outbox has been sent, and read no more of it until then.
        """
        if peer.backlog:
            peer.backlog += events
            return
        rules, packets, self.now = self.rules, self.packets, now
        for event in (remaining := iter(events)):
            if peer.pending_grab is not None:
                self.scheduler.answer_grab(peer, now)
            if peer.halted and self._must_wait(peer, event):
                if not peer.closing:
                    peer.backlog = [event, *remaining]
                return
            if isinstance(event, Frame):
                packets[event.key] += 1
                rules.get(event.key, take_unknown)(self, peer, event, now)
            elif isinstance(event, TextLine):
                self.on_line(peer, event.line, now)
            else:
                self.offences.log(now, logging.WARNING, "%r: %s", peer, event.reason)
                self.close(peer)

    def _must_wait(self, peer: Peer, event: Event) -> bool:
        """Return whether a halted connection's message cannot be handled yet, or ever.

        What needs no answer is handled all the same, unless it would overtake a request; and so are
        submissions, up to the limit: two ends that both write would hang each other.
        """
        if peer.closing or peer.answer is not None or not isinstance(event, Frame):
            return True
        if event.key in SUBMISSIONS:
            return self.outboxes.is_full(peer)
        return event.key not in UNANSWERED

    def go_on(self, peer: Peer, now: float) -> None:
        """Go on with what a connection was halted in; no effect if it must still wait.

        Returns at the latest after one slice of its answer, or what is left of one read.
        """
        if peer.closing or self.outboxes.crowds(peer):
            return
        if peer.answer is not None:
            self._answer_on(peer, peer.answer)
        if peer.backlog and not peer.halted:
            events, peer.backlog = peer.backlog, []
            self.receive(peer, events, now)

    def answer(self, peer: Peer, answer: Answer) -> None:
        """Answer a request; if in slices, one a turn, later requests of the connection wait."""
        if isinstance(answer, bytes):
            self.outboxes.send_piece(peer, answer)
        elif peer.answer is not None:
            peer.answer.slices = chain(peer.answer.slices, answer)
        elif not peer.closing:
            self._answer_on(peer, self.outboxes.begin_answer(peer, answer))

    def _answer_on(self, peer: Peer, answer: LongAnswer) -> None:
        piece = next(answer.slices, None)
        if piece is None:
            self.outboxes.end_answer(peer, answer)
            return
        peer.halted = True
        if piece:
            self.outboxes.send_slice(peer, answer, piece)

    def text(self, peer: Peer, line: bytes, now: float) -> None:
        """Handle a text command, and queue the answer."""
        words = self._lines.read(peer, line, now)
        if words is not None:
            rule = self.text_rules[words[0].lower()]
            self.answer(peer, self.obey(peer, rule, words, now))

    def obey(self, peer: Peer, rule: TextRule, words: list[bytes], now: float) -> Answer:
        """Return the answer of a text command's rule, or a refusal."""
        access = self.access
        if access is None:
            return rule(self, peer, words, now)
        if not access.may_say(peer, words, now):
            return DENIED
        answer = rule(self, peer, words, now)
        access.note_change(peer, words, answer)
        return answer

    def close(self, peer: Peer) -> None:
        """Close a connection once its outbox is sent; it is given no more jobs."""
        self.scheduler.leave(peer)
        self.outboxes.close(peer)

    def _cut_off(self, peer: Peer) -> None:
        self.scheduler.leave(peer)
        peer.backlog.clear()
        peer.answer = None
        if self.ledger is not None:
            self.ledger.forget(peer)

    def connection_lost(self, peer: Peer, now: float) -> None:
        """Remove a lost connection: drop its submissions and requeue its jobs."""
        if peer not in self.peers:
            return
        self.now = now
        del self.peers[peer]
        self._cut_off(peer)
        self.outboxes.forget(peer)
        self.chores.add(clean_up(self, peer, now))

    # Time

    def tick(self, now: float) -> None:
        """Make the calls that are due; those that are left are still due afterwards."""
        self.now = now
        for due in islice(self.timers.due(now), SLICE):
            due(now)

    def end_turn(self, now: float, busy: bool = False, resting: bool = False) -> list[Peer]:
        """Answer pending grabs, and wake workers for the jobs that are left.

        Args:
            now: The time.
            busy: Whether more input is likely soon. Writes that can wait are then deferred, and
                turns must be ended even without input as long as `deferred` is true.
            resting: Whether long work waits for a later turn, too.

        Returns:
            The peers with something to send, or to close.
        """
        if self.access is not None and self.access.outdated:
            self.chores.add(self.access.review(now))
        scheduler = self.scheduler
        if self.chores.waiting and not resting:
            self.chores.go_on()
        if scheduler.grabs or scheduler.to_wake:
            scheduler.end_turn(now, busy)
        if self.outboxes.dropped:
            note_dropped(self, now)
        return self.outboxes.end_turn(busy)

    @property
    def deferred(self) -> bool:
        """Whether writes or other work are deferred to a later turn."""
        return self.outboxes.deferred or bool(self.chores.waiting)

    @property
    def deadline(self) -> float | None:
        """When to call `tick` and end a turn; None if nothing will be due."""
        due, grab = self.timers.next, self.scheduler.deadline
        if due is None or grab is None:
            return grab if due is None else due
        return min(due, grab)

    # A job's life

    def create(
        self,
        peer: Peer,
        name: bytes,
        unique: bytes,
        arguments: bytes,
        precedence: Precedence,
        background: bool,
        now: float,
    ) -> ServerJob | None:
        """Make a job from a submission, for `accept`.

        Returns:
            The job; None if the submission has been answered already: it joined a job with the same
            unique, or was refused.
        """
        if self.closed:
            self.send_error(peer, b"QUEUE_ERROR", b"Server is shutting down")
            return None
        function = self.queues.functions.get(name)
        if function is None and not self.takes_function(peer, name):
            return None
        if len(unique) > UNIQUE_SIZE:
            self.send_error(peer, b"ARGUMENT_TOO_LARGE", b"Unique value too large")
            return None
        queues = self.queues
        if unique and function is not None:
            known = self.uniques.find(function, unique, arguments)
            if known is not None:
                self._join(known, peer, background, now)
                return None
        limits = self.limits
        limit = NEW_FUNCTION
        if limits.used + len(arguments) > limits.memory:
            function, limit = None, MEMORY
        elif len(self.jobs) >= limits.jobs:
            function, limit = None, JOBS
        elif background and self.ledger is not None and self.ledger.refusal is not None:
            function, limit = None, self.ledger.refusal
        elif function is None:
            function = queues.function(name)
        elif function.total >= function.ceiling and function.full(precedence):
            function, limit = None, QUEUE
        if function is None:
            self.tallies.refuse(queues.functions.get(name))
            self._refuse(peer, limit, now)
            return None
        queues.newest += 1
        handle = b"%b%d" % (self._handle_prefix, queues.newest)
        return ServerJob(handle, function, unique or None, arguments, precedence, background)

    def takes_function(self, peer: Peer, name: bytes) -> bool:
        """Return whether a function may have a name; answer the connection if not."""
        if name in self.queues.functions:
            return True
        refusal = refused_function(name, self.settings.max_name_size)
        if refusal is not None:
            self.send_error(peer, refusal.code, refusal.text)
        return refusal is None

    def accept(self, peer: Peer, job: ServerJob, now: float) -> None:
        """Accept a job: answer its submission with JOB_CREATED, and queue it."""
        self.counters.submitted += 1
        if not job.background:
            job.clients = {peer: 1}
            peer.submitted[job.handle] = job
            self.limits.used += CLIENT_SIZE
        elif self.ledger is not None:
            self.ledger.add(job)
        self._created(peer, job, job.background)
        self._take_in(job, now)
        if job.function.logged:
            self.joblog.submitted(peer, job)

    def restore(self, stored: StoredJob, now: float) -> None:
        """Take in a job that a store has kept."""
        assert self.ledger is not None
        self.ledger.jobs += 1
        job = ServerJob(
            stored.handle, self.queues.of_store(stored.function), stored.unique, stored.arguments,
            Precedence(stored.precedence), background=True, reducer=stored.reducer,
            when=stored.due, retries=stored.retries,
        )  # fmt: skip
        self.tallies.restore(job)
        self._take_in(job, now)

    def _take_in(self, job: ServerJob, now: float) -> None:
        """Make a job known, and queue it or hold it for later."""
        self.jobs[job.handle] = job
        job.queued_at = now
        job.function.total += 1
        size = JOB_SIZE + len(job.arguments)
        if job.unique:
            self.uniques.add(job)
            size += len(job.unique)
        if job.when <= 0 or not self.epochs.add(job, now):
            self.queues.append(job)
            if job.function.sleepers:
                self.scheduler.to_wake[job.function] = None
        else:
            size += TIMER_SIZE
        self.limits.used += size

    def _refuse(self, peer: Peer, limit: Limit, now: float) -> None:
        """Answer a request that would exceed a limit."""
        self.limits.note(limit, peer, now)
        self.send_error(peer, limit.refusal.code, limit.refusal.text)

    def drain(self, queued: bool) -> None:
        """Refuse new jobs; running jobs continue, and `queued` ones are given out if it is true."""
        self.closed = True
        self.scheduler.paused = not queued

    def _join(self, job: ServerJob, peer: Peer, background: bool, now: float) -> None:
        """Join a submission to a job, and answer it."""
        if not background and peer not in job.clients:
            if self.limits.used > self.limits.memory:
                self.tallies.refuse(job.function)
                self._refuse(peer, MEMORY, now)
                return
            self.limits.used += CLIENT_SIZE
        if background and self.ledger is not None and not job.background:
            refusal = self.ledger.refusal
            if refusal is not None:
                self.tallies.refuse(job.function)
                self._refuse(peer, refusal, now)
                return
            self.ledger.add(job)
        self.tallies.join(job, peer, background)
        if background:
            # Otherwise it would be lost when its foreground clients leave, as in gearmand.
            job.background = True
        else:
            peer.submitted[job.handle] = job
            if job.clients:
                job.clients[peer] = job.clients.get(peer, 0) + 1
            else:
                job.clients = {peer: 1}
        self._created(peer, job, background)

    def _created(self, peer: Peer, job: ServerJob, background: bool) -> None:
        """Answer a submission: a background one once the store has the job."""
        if self.access is not None:
            self.access.note_submission(peer, job)
        handle = job.handle
        answer = HEADER.pack(_JOB_CREATED, len(handle)) + handle
        if not background:
            self.send_later(peer, answer)
        elif self.ledger is None or not self.ledger.pledge(peer, job, answer):
            self.send(peer, answer)

    def open_ledger(self, reserved: int) -> Ledger:
        """Begin to tell a store of jobs, with `BLOCK` numbers after `reserved` for new ones."""
        self.queues.newest = reserved
        self.ledger = Ledger(self.outboxes, self.timers, self.counters, self.log, reserved + BLOCK)
        return self.ledger

    def store_refused(self, reason: str, now: float) -> None:
        """Take back the jobs of the batch that the store refused."""
        assert self.ledger is not None
        for job in self.ledger.refused(reason, now):
            if not job.has_owner and job.holder is None:
                self.abandon(job)

    def _enqueue(self, job: ServerJob) -> None:
        """Queue a job, and have workers woken for it when the turn ends."""
        self.queues.append(job)
        if job.function.sleepers:
            self.scheduler.to_wake[job.function] = None

    def _come_due(self, job: ServerJob, late: float) -> None:
        job.when = 0
        # The wall clock may have been set meanwhile: then its time is another than expected.
        job.queued_at = min(self.now, max(job.queued_at, self.now - late))
        self.limits.used -= TIMER_SIZE
        self._enqueue(job)

    def assign(self, peer: Peer, job: ServerJob, now: float) -> None:
        """Assign a job to a worker."""
        if job.queue is not None:
            self.queues.remove(job)
        self.queues.served(job, peer)
        function = job.function
        tally = function.tally
        waited = now - (job.started_at or job.queued_at)
        tally.waiting_time += waited
        tally.waited[bisect_right(BOUNDS, waited) if waited >= SHORTEST else 0] += 1
        job.started_at = self.now = now
        job.holder = peer
        function.running += 1
        self.running += 1
        peer.assigned[job.handle] = job
        if function.logged:
            self.joblog.assigned(peer, job, now)
        if function.timed:
            self.timeouts.begin(job, peer.abilities.get(function.name), function)

    def _time_out(self, job: ServerJob, now: float) -> None:
        self.tallies.time_out(job, now)
        self.requeue(job, now)

    def _release(self, job: ServerJob) -> None:
        """Take a job from its worker, if it has one."""
        peer = job.holder
        if peer is None:
            return
        if self.timeouts.jobs:
            self.timeouts.end(job)
        peer.assigned.pop(job.handle, None)
        job.holder = None
        function = job.function
        function.running -= 1
        self.running -= 1
        tally = function.tally
        ran = self.now - job.started_at
        tally.running_time += ran
        tally.ran[bisect_right(BOUNDS, ran) if ran >= SHORTEST else 0] += 1

    def requeue(self, job: ServerJob, now: float) -> None:
        """Take a job from its worker, and queue it again if it has an owner and attempts left."""
        self.now = now
        worker = job.holder
        self._release(job)
        job.retries += 1
        job.numerator = job.denominator = b"0"
        if not job.has_owner:
            self.abandon(job)
            return
        limit = self.settings.job_retries
        if limit == UNLIMITED or job.retries < limit:
            self.tallies.requeue(job, worker, now)
            job.started_at = now
            if self.ledger is not None and job.background:
                self.ledger.retry(job)
            self._enqueue(job)
            return
        self.tallies.exhaust(job, worker, now)
        self.fail(job, "exhausted")

    def abandon(self, job: ServerJob) -> None:
        """Discard a job for which no client waits any more."""
        self.tallies.abandon(job)
        self.remove(job, "abandoned")

    def fail(self, job: ServerJob, outcome: Outcome) -> None:
        """End a job without a result: its clients hear WORK_FAIL."""
        self.tell(job, WORK_FAIL, job.handle)
        self.remove(job, outcome)

    def stop(self) -> None:
        """Take and give out no more jobs, since the server ends.

        Clients of jobs that are running hear WORK_FAIL, if the settings say so. Those that a store
        keeps stay in it.
        """
        self.drain(queued=False)
        if self.settings.tell_abandoned:
            for job in [job for job in self.jobs.values() if job.holder is not None]:
                if self.ledger is not None and job.background:
                    self.tell(job, WORK_FAIL, job.handle)
                else:
                    self.tallies.fail(job)
                    self.fail(job, "stopped")

    def cancel(self, job: ServerJob) -> None:
        """Cancel a job; a worker that runs it is not interrupted.

        Its clients hear WORK_FAIL, as from gearmand, or nothing, as from gear 0.16's server: the
        settings decide.
        """
        self.tallies.cancel(job, self.now)
        if self.settings.tell_cancelled:
            self.tell(job, WORK_FAIL, job.handle)
        if job.holder is None:
            self.remove(job, "cancelled")
            return
        for client in job.clients:
            client.submitted.pop(job.handle, None)
        if job.clients:
            self.limits.used -= CLIENT_SIZE * len(job.clients)
            job.clients = {}
        if self.ledger is not None and job.background:
            self.ledger.end(job)
        job.background = False
        # A later submission of the same unique must not join a cancelled job.
        if job.unique:
            self.uniques.remove(job)

    def tell(self, job: ServerJob, key: int, body: bytes) -> None:
        """Send a packet to all clients of a job, once per submission."""
        if job.clients:
            self.send_to_all(job.clients, key, body)

    def forward(self, job: ServerJob, frame: Frame) -> None:
        """Send a worker's packet to all clients of its job, unchanged."""
        if job.clients:
            self.send_to_all(job.clients, frame.key + _TO_RESPONSE, frame.body)

    def remove(self, job: ServerJob, outcome: Outcome, report: Frame | None = None) -> None:
        """Remove a job, wherever it is; `report` is the packet by which its worker ends it."""
        if job.function.logged and job not in self.tallies.cancelled:
            self.joblog.ended(job, outcome, report, self.now)
        if job.background and self.ledger is not None:
            self.ledger.end(job)
        if job.queue is not None:
            self.queues.remove(job)
        self._release(job)
        size = JOB_SIZE + len(job.arguments)
        if self.epochs.jobs and self.epochs.remove(job):
            size += TIMER_SIZE
        del self.jobs[job.handle]
        function = job.function
        function.total -= 1
        function.tally.ended += 1
        if self.tallies.cancelled:
            self.tallies.leave(job)
        if not function.total and not function.workers:
            self.queues.settle(function)
        if job.unique:
            self.uniques.remove(job)
            size += len(job.unique)
        if job.clients:
            size += CLIENT_SIZE * len(job.clients)
            for client in job.clients:
                client.submitted.pop(job.handle, None)
        self.limits.used -= size

    def limit(self, function: Function, limits: tuple[int, ...]) -> None:
        """Limit the jobs of a function, by precedence; 0 means no limit."""
        function.limit(limits)
        if self.ledger is not None:
            self.ledger.limit(function.name, limits)

    def drop(self, function: Function) -> None:
        """Forget a function without jobs and workers, and its limits."""
        self.queues.drop(function)
        if self.ledger is not None and function.limits is not None:
            self.ledger.limit(function.name, None)

    # Workers

    def register(self, peer: Peer, name: bytes, now: float, timeout: float = 0.0) -> None:
        """Register a function for a worker; `timeout` is in seconds, 0 for none."""
        known = peer.abilities.get(name)
        if known is not None:
            known.timeout = timeout
            known.function.timed = True
        elif len(peer.abilities) >= self.limits.per_worker:
            self._refuse(peer, PER_WORKER, now)
        elif self.scheduler.registrations >= self.limits.registrations:
            self._refuse(peer, REGISTRATIONS, now)
        elif (function := self.queues.function(name)) is None:
            self._refuse(peer, FUNCTIONS, now)
        else:
            self.scheduler.register(peer, function, timeout)
