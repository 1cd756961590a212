"""The server without a network: packets in, bytes out; what each packet does is in `rules`.

One thread at a time may call it, and tells it the time. Whoever moves the bytes has it `receive`
all that can be read, then calls `end_turn` and sends the outboxes of the peers which that returns.
"""

import logging
from collections.abc import Callable
from typing import Final

from gear_server.engine.acl import ACL
from gear_server.engine.counters import Counters
from gear_server.engine.epochs import Epochs
from gear_server.engine.identity import ANONYMOUS, Identity
from gear_server.engine.outboxes import Outboxes
from gear_server.engine.queues import Queues
from gear_server.engine.scheduler import Scheduler
from gear_server.engine.state import Peer, ServerJob
from gear_server.engine.timers import Timer, Timers
from gear_server.engine.uniques import Uniques
from gear_server.settings import UNLIMITED, ServerSettings
from gear_wire.enums import Magic, PacketType, Precedence
from gear_wire.framing import HEADER, RESPONSE_MAGIC, Event, Frame, TextLine
from gear_wire.packets import BasePacket
from gear_wire.table import frame_key

UNIQUE_SIZE: Final = 64
"""The most bytes of a unique, as in gearmand."""
MAX_WORDS: Final = 5
"""The most words of a command, as in gearmand."""

Rule = Callable[["Engine", Peer, Frame, float], None]
TextRule = Callable[["Engine", Peer, list[bytes], float], bytes]
_JOB_CREATED: Final = frame_key(Magic.RES, PacketType.JOB_CREATED)
WORK_FAIL: Final = frame_key(Magic.RES, PacketType.WORK_FAIL)


def refuse(engine: "Engine", peer: Peer, frame: Frame, now: float) -> None:
    """Close a connection that sent a packet of no known type, as gearmand does."""
    engine.log.warning("%r sent a packet of unknown type %s", peer, frame.type)
    engine.close(peer)


class Engine:
    """A job server: its parts, and what a job goes through.

    A job is made whole by `create`, and taken by `accept`: only then is it answered, queued and
    woken for. It comes back by `requeue`, and goes by `remove`; there is no other way.

    Times are of the monotonic clock, but for those at which clients want jobs to run.

    Args:
        settings: What it is told.
        rules: What to do for each packet, by the first eight bytes of a frame.
        text_rules: What to answer to each text command, by its first word.
        acl: Who may do what; None when all may.
        identity: What it says of itself.
        wall_clock: Tells the seconds since 1970, for jobs that want to run at a time.

    Attributes:
        log: The logger of the server.
        peers: The connections.
        jobs: Every job by handle.
        running: How many jobs workers have.
        queues: The functions and their queued jobs.
        uniques: The jobs that have a unique.
        timers: What is due.
        epochs: The jobs for later.
        outboxes: What is to be sent.
        scheduler: Which worker gets which job.
        counters: What happened since the start.
        closed: Whether no more jobs are taken.
        guarded: Whether a submission must be looked at before it is taken.
        unknown: The rule for packets that have none.
        on_line: Takes in a text command; replaced by servers that have some of their own.
    """

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
        # An object of more than thirty attributes is slow in CPython: parts have theirs.
        self.settings: ServerSettings = settings
        self.identity: Identity = identity
        self.rules: dict[int, Rule] = rules
        self.text_rules: dict[bytes, TextRule] = text_rules
        self.acl: ACL | None = acl
        self.log: logging.Logger = logging.getLogger("gear.Server")
        self.peers: dict[Peer, None] = {}
        self.jobs: dict[bytes, ServerJob] = {}
        self.running: int = 0
        self.queues: Queues = Queues()
        self.uniques: Uniques = Uniques()
        self.timers: Timers = Timers()
        self.outboxes: Outboxes = Outboxes(self.log)
        self.scheduler: Scheduler = Scheduler(
            self.queues, self.timers, self.outboxes, self.log, self.assign, settings.worker_wakeup
        )
        self.epochs: Epochs = Epochs(self.timers, wall_clock, self._come_due)
        self.counters: Counters = Counters()
        self.guarded: bool = acl is not None
        self.closed: bool = False
        self.unknown: Rule = refuse
        self.on_line: Callable[[Peer, bytes, float], None] = self.text
        # Bound once: the rules say all that they say through these.
        outboxes = self.outboxes
        self.send: Callable[[Peer, bytes], None] = outboxes.send
        self.send_later: Callable[[Peer, bytes], None] = outboxes.send_later
        self.send_packet: Callable[[Peer, BasePacket], None] = outboxes.send_packet
        self.send_payload: Callable[[Peer, int, bytes, bytes], None] = outboxes.send_payload
        self.send_to_all: Callable[[dict[Peer, int], int, bytes], None] = outboxes.send_to_all
        self.send_error: Callable[[Peer, bytes, bytes], None] = outboxes.send_error
        self._timeouts: dict[ServerJob, Timer] = {}
        self._handle_prefix = b"%b:%b" % (identity.handle_prefix, identity.handle_token)

    # Connections and messages

    def add(self, peer: Peer) -> None:
        """Take in a connection."""
        peer.exceptions = self.settings.exceptions
        self.peers[peer] = None

    def receive(self, peer: Peer, events: list[Event], now: float) -> None:
        """Take in what one read brought, up to what closes the connection."""
        rules, unknown = self.rules, self.unknown
        for event in events:
            if peer.pending_grab is not None:
                self.scheduler.answer_grab(peer, now)
            if peer.closing:
                return
            if isinstance(event, Frame):
                rules.get(event.key, unknown)(self, peer, event, now)
            elif isinstance(event, TextLine):
                self.on_line(peer, event.line, now)
            else:
                self.log.warning("%r: %s", peer, event.reason)
                self.close(peer)

    def text(self, peer: Peer, line: bytes, now: float) -> None:
        """Take in a line of the administrative protocol, and answer it."""
        words = line.rstrip(b"\r\n").split(b" ")
        rule = self.text_rules.get(words[0].lower())
        if rule is None:
            self.send(peer, b"ERR UNKNOWN_COMMAND Unknown+server+command%s\r\n" % words[0])
            return
        words = [word for word in words if word]
        if len(words) > MAX_WORDS:
            self.log.warning("%r sent a command of %s words", peer, len(words))
            self.close(peer)
            return
        self.send(peer, rule(self, peer, words, now))

    def close(self, peer: Peer) -> None:
        """Have a connection closed, once what is queued for it is sent; it gets no more jobs."""
        self.scheduler.leave(peer)
        self.outboxes.close(peer)

    def connection_lost(self, peer: Peer, now: float) -> None:
        """Forget a connection: requeue its jobs and drop its submissions."""
        if peer not in self.peers:
            return
        del self.peers[peer]
        self.scheduler.leave(peer)
        # Submissions go first: a job that it submitted and works on itself has no owner then.
        for job in peer.submitted.values():
            del job.clients[peer]
            if not job.has_owner and job.holder is None:
                self._abandon(job)
        peer.submitted.clear()
        for job in list(peer.assigned.values()):
            self.requeue(job, now)
        for name in list(peer.abilities):
            self.scheduler.unregister(peer, name)
        peer.outbox.clear()

    # Time

    def tick(self, now: float) -> None:
        """Do what is due."""
        for due in self.timers.due(now):
            due(now)

    def end_turn(self, now: float, busy: bool = False) -> list[Peer]:
        """Answer the workers that ask, and wake others for the jobs that are left.

        Args:
            now: The time.
            busy: Whether much has come, and more is likely to: then what can wait is left for the
                next turns, which must be ended even if nothing comes, as long as `deferred`.

        Returns:
            The peers with something to send, or to close.
        """
        scheduler = self.scheduler
        if scheduler.grabs or scheduler.to_wake:
            scheduler.end_turn(now, busy)
        return self.outboxes.end_turn(busy)

    @property
    def deferred(self) -> bool:
        """Whether bytes wait for a later turn."""
        return self.outboxes.deferred

    @property
    def deadline(self) -> float | None:
        """When `tick` must be called and a turn be ended; None when nothing is due."""
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
    ) -> ServerJob | None:
        """Make a job of a submission, for `accept` to take.

        Returns:
            The job; None when the submission joined a job with the same unique, or was refused, and
            is answered already.
        """
        if self.guarded and not self._admits(peer, name):
            return None
        if len(unique) > UNIQUE_SIZE:
            self.send_error(peer, b"ARGUMENT_TOO_LARGE", b"Unique value too large")
            return None
        function = self.queues.functions.get(name) or self.queues.function(name)
        if unique:
            known = self.uniques.find(function, unique, arguments)
            if known is not None:
                self._join(known, peer, background)
                return None
        if function.limits is not None and function.full(precedence):
            self.send_error(peer, b"QUEUE_ERROR", b"Job queue is full")
            return None
        scheduler = self.scheduler
        sequence = scheduler.newest = scheduler.newest + 1
        handle = b"%b%d" % (self._handle_prefix, sequence)
        return ServerJob(
            handle, sequence, function, unique or None, arguments, precedence, background
        )

    def accept(self, peer: Peer, job: ServerJob, now: float) -> None:
        """Take a job that is whole: answer it with JOB_CREATED, and queue it."""
        handle = job.handle
        self.jobs[handle] = job
        function = job.function
        function.total += 1
        self.counters.submitted += 1
        if job.unique:
            self.uniques.add(job)
        created = HEADER.pack(_JOB_CREATED, len(handle)) + handle
        if job.background:
            self.send(peer, created)
        else:
            job.clients = {peer: 1}
            peer.submitted[handle] = job
            self.send_later(peer, created)
        if job.when <= 0 or not self.epochs.add(job, now):
            self._enqueue(job)

    def _admits(self, peer: Peer, name: bytes) -> bool:
        """Tell whether a submission is taken at all, and answer it if not."""
        if self.acl is not None and not self.acl.canInvoke(peer.subject, name):
            self.send_error(peer, b"PERMISSION_DENIED", b"Permission denied to invoke " + name)
            return False
        if self.closed:
            self.send_error(peer, b"QUEUE_ERROR", b"Server is shutting down")
            return False
        return True

    def drain(self, queued: bool) -> None:
        """Take no more jobs; those that run go on.

        Args:
            queued: Whether jobs that are queued are still given out.
        """
        self.closed = self.guarded = True
        self.scheduler.paused = not queued

    def _join(self, job: ServerJob, peer: Peer, background: bool) -> None:
        """Let a submission join a job, and answer it."""
        self.counters.joined += 1
        if background:
            # Or the job would be lost when its foreground clients leave, as in gearmand.
            job.background = True
        else:
            peer.submitted[job.handle] = job
            if job.clients:
                job.clients[peer] = job.clients.get(peer, 0) + 1
            else:
                job.clients = {peer: 1}
        send = self.send if background else self.send_later
        send(peer, HEADER.pack(_JOB_CREATED, len(job.handle)) + job.handle)

    def _enqueue(self, job: ServerJob) -> None:
        """Queue a job, and have a worker woken for it when the turn ends."""
        self.queues.append(job)
        function = job.function
        if function.sleepers:
            self.scheduler.to_wake[function] = None

    def _come_due(self, job: ServerJob) -> None:
        job.when = 0
        job.sequence = self.scheduler.newest
        self._enqueue(job)

    def assign(self, peer: Peer, job: ServerJob, now: float) -> None:
        """Give a job to a worker."""
        if job.queue is not None:
            self.queues.remove(job)
        self.queues.served(job, peer)
        job.holder = peer
        job.function.running += 1
        self.running += 1
        peer.assigned[job.handle] = job
        ability = peer.abilities.get(job.name)
        if ability is not None and ability.timeout:
            end = now + ability.timeout
            self._timeouts[job] = self.timers.at(end, lambda due: self._time_out(job, due))

    def _time_out(self, job: ServerJob, now: float) -> None:
        self.counters.timed_out += 1
        self.log.warning("%r ran too long on %r", job, job.holder)
        self.requeue(job, now)

    def _release(self, job: ServerJob) -> None:
        """Take a job from the worker that has it."""
        peer = job.holder
        if peer is None:
            return
        if self._timeouts:
            timer = self._timeouts.pop(job, None)
            if timer is not None:
                self.timers.cancel(timer)
        peer.assigned.pop(job.handle, None)
        job.holder = None
        job.function.running -= 1
        self.running -= 1

    def requeue(self, job: ServerJob, now: float) -> None:
        """Take a job from its worker and queue it again, or end it when it was tried enough."""
        worker = job.holder
        self._release(job)
        job.retries += 1
        job.numerator = job.denominator = b"0"
        if not job.has_owner:
            self._abandon(job)
            return
        limit = self.settings.job_retries
        if limit == UNLIMITED or job.retries < limit:
            # A job that kills its workers kills one after the other: that must be seen.
            self.log.warning(
                "Requeued %r (attempt %d): %r was lost or too slow", job, job.retries + 1, worker
            )
            self.counters.requeued += 1
            job.sequence = self.scheduler.newest
            self._enqueue(job)
            return
        self.counters.exhausted += 1
        self.log.warning(
            "Failed %r: no attempts left after %d; %r was lost or too slow",
            job, job.retries, worker,
        )  # fmt: skip
        self.fail(job)

    def _abandon(self, job: ServerJob) -> None:
        self.log.info("Discarded %r: no client waits for it any more", job)
        self.counters.abandoned += 1
        self.remove(job)

    def fail(self, job: ServerJob) -> None:
        """End a job without a result."""
        self.tell(job, WORK_FAIL, job.handle)
        self.remove(job)

    def stop(self) -> None:
        """Give out no more jobs, since the server ends.

        Clients of jobs that are running hear WORK_FAIL, if the settings say so.
        """
        self.scheduler.paused = True
        if self.settings.tell_abandoned:
            for job in [job for job in self.jobs.values() if job.holder is not None]:
                self.fail(job)

    def cancel(self, job: ServerJob) -> None:
        """Take a job back; a worker that has it goes on alone.

        Its clients hear that it failed, as from gearmand, or nothing, as from gear 0.16's server.
        """
        self.counters.cancelled += 1
        if self.settings.tell_cancelled:
            self.tell(job, WORK_FAIL, job.handle)
        if job.holder is None:
            self.remove(job)
            return
        for client in job.clients:
            client.submitted.pop(job.handle, None)
        if job.clients:
            job.clients = {}
        job.background = False
        # A later submission of the same unique must not join a job that was taken back.
        if job.unique:
            self.uniques.remove(job)

    def tell(self, job: ServerJob, key: int, body: bytes) -> None:
        """Send a packet to all that wait for a job, once for each of their submissions."""
        if job.clients:
            self.send_to_all(job.clients, key, body)

    def forward(self, job: ServerJob, frame: Frame) -> None:
        """Send a worker's packet to all that wait for its job, as it came."""
        self.tell(job, RESPONSE_MAGIC << 32 | frame.type, frame.body)

    def remove(self, job: ServerJob) -> None:
        """Forget a job, wherever it is."""
        if job.queue is not None:
            self.queues.remove(job)
        self._release(job)
        if self.epochs.jobs:
            self.epochs.remove(job)
        del self.jobs[job.handle]
        job.function.total -= 1
        if job.unique:
            self.uniques.remove(job)
        for client in job.clients:
            client.submitted.pop(job.handle, None)

    # Workers

    def register(self, peer: Peer, name: bytes, timeout: float = 0.0) -> None:
        """Note that a worker can do a function."""
        self.scheduler.register(peer, self.queues.function(name), timeout)
