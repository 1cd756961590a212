"""The server without a network: packets in, bytes out; what each packet does is in `rules`.

One thread at a time may call it, and tells it the time. Whoever moves the bytes has it `take` all
that can be read, then calls `end_turn` and sends the outboxes of the peers which that returns.
"""

from collections.abc import Callable
from typing import Final

from gear_server.engine import abilities
from gear_server.engine.acl import ACL
from gear_server.engine.counters import Counters
from gear_server.engine.grabs import Grabs
from gear_server.engine.identity import ANONYMOUS, Identity
from gear_server.engine.jobs import ServerJob
from gear_server.engine.peers import Peer
from gear_server.engine.timers import Timer
from gear_server.engine.uniques import Uniques
from gear_server.settings import UNLIMITED, ServerSettings
from gear_wire.enums import Magic, PacketType, Precedence
from gear_wire.framing import HEADER, RESPONSE_MAGIC, Event, Frame, TextLine
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


class Engine(Grabs):
    """All of a job server's state.

    Args:
        settings: What it is told.
        rules: What to do for each packet, by the first eight bytes of a frame.
        text_rules: What to answer to each text command, by its first word.
        acl: Who may do what; None when all may.
        identity: What it says of itself.

    Attributes:
        peers: The connections.
        uniques: The jobs that have a unique.
        jobs: Every job by handle.
        running: How many jobs workers have.
        counters: What happened since the start.
        closed: Whether no more jobs are taken.
        guarded: Whether a submission must be looked at before it is taken.
        unknown: The rule for packets that have none.
        on_line: Takes in a text command; replaced by servers that have some of their own.
    """

    number: int
    draining: bool

    def __init__(
        self,
        settings: ServerSettings,
        rules: dict[int, Rule],
        text_rules: dict[bytes, TextRule],
        acl: ACL | None = None,
        identity: Identity = ANONYMOUS,
    ) -> None:
        self.settings: ServerSettings = settings
        self.identity: Identity = identity
        self.rules: dict[int, Rule] = rules
        self.text_rules: dict[bytes, TextRule] = text_rules
        self.acl: ACL | None = acl
        super().__init__(settings.worker_wakeup)
        self.peers: dict[Peer, None] = {}
        self.uniques: Uniques = Uniques()
        self.jobs: dict[bytes, ServerJob] = {}
        self.running: int = 0
        self.counters: Counters = Counters()
        self.guarded: bool = acl is not None
        self.closed: bool = False
        self.unknown: Rule = refuse
        self.on_line: Callable[[Peer, bytes, float], None] = self.text
        self._timed: dict[bytes, Timer] = {}
        self._prefix = identity.handle_prefix + b":"

    # Connections and messages

    def add(self, peer: Peer) -> None:
        """Take in a connection."""
        peer.exceptions = self.settings.exceptions
        self.peers[peer] = None

    def take(self, peer: Peer, events: list[Event], now: float) -> None:
        """Take in what one read brought, up to what closes the connection."""
        rules, unknown = self.rules, self.unknown
        for event in events:
            if peer.asking is not None:
                self.answer(peer, now)
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

    def gone(self, peer: Peer, now: float) -> None:
        """Take note that a connection is lost: its jobs go to others, its wishes end."""
        if peer not in self.peers:
            return
        del self.peers[peer]
        peer.sleeping = False
        self.forget(peer)
        self.came(peer)
        for job in list(peer.assigned.values()):
            self.requeue(job, now)
        for name in list(peer.abilities):
            abilities.unregister(peer, name)
        for job in peer.submitted.values():
            del job.clients[peer]
            if not job.wanted and job.holder is None:
                self._abandon(job)
        peer.submitted.clear()
        peer.outbox.clear()

    def tick(self, now: float) -> None:
        """Do what is due."""
        for due in self.timers.due(now):
            due(now)

    # A job's life

    def submit(
        self,
        peer: Peer,
        name: bytes,
        unique: bytes,
        arguments: bytes,
        precedence: Precedence,
        background: bool,
    ) -> ServerJob | None:
        """Take a submission and answer it with JOB_CREATED or ERROR.

        Returns:
            The job when it is new, and must be queued; None when the submission joined a job with
            the same unique, or was refused.
        """
        if self.guarded and not self._admits(peer, name):
            return None
        if len(unique) > UNIQUE_SIZE:
            self.error(peer, b"ARGUMENT_TOO_LARGE", b"Unique value too large")
            return None
        function = self.queues.functions.get(name) or self.queues.function(name)
        if unique:
            known = self.uniques.find(function, unique, arguments)
            if known is not None:
                self._join(known, peer, background)
                return None
        if function.limits is not None and function.full(precedence):
            self.error(peer, b"QUEUE_ERROR", b"Job queue is full")
            return None
        self.number += 1
        handle = b"%b%d" % (self._prefix, self.number)
        job = ServerJob(handle, function, unique or None, arguments, precedence, background)
        self.jobs[handle] = job
        function.total += 1
        self.counters.submitted += 1
        if unique:
            self.uniques.add(job)
        created = HEADER.pack(_JOB_CREATED, len(handle)) + handle
        if background:
            self.send(peer, created)
        else:
            job.clients = {peer: 1}
            peer.submitted[handle] = job
            self.send_later(peer, created)
        return job

    def _admits(self, peer: Peer, name: bytes) -> bool:
        """Tell whether a submission is taken at all, and answer it if not."""
        if self.acl is not None and not self.acl.canInvoke(peer.subject, name):
            self.error(peer, b"PERMISSION_DENIED", b"Permission denied to invoke " + name)
            return False
        if self.closed:
            self.error(peer, b"QUEUE_ERROR", b"Server is shutting down")
            return False
        return True

    def drain(self, queued: bool) -> None:
        """Take no more jobs; those that run go on.

        Args:
            queued: Whether jobs that are queued are still given out.
        """
        self.closed = self.guarded = True
        self.draining = not queued

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

    def enqueue(self, job: ServerJob, now: float) -> None:
        """Queue a job, now or when its time comes, and wake a worker for it."""
        if job.when > now:
            self._timed[job.handle] = self.timers.at(job.when, lambda due: self._come(job, due))
            return
        self.queues.append(job)
        function = job.function
        if function.sleepers:
            self.stirred[function] = None

    def _come(self, job: ServerJob, now: float) -> None:
        del self._timed[job.handle]
        job.when = 0
        job.requeued = self.number
        self.enqueue(job, now)

    def assign(self, peer: Peer, job: ServerJob, now: float) -> None:
        """Give a job to a worker."""
        self.queues.remove(job)
        self.queues.served(job, peer)
        job.holder = peer
        job.function.running += 1
        self.running += 1
        peer.assigned[job.handle] = job
        ability = peer.abilities.get(job.name)
        if ability is not None and ability.timeout:
            end = now + ability.timeout
            self._timed[job.handle] = self.timers.at(end, lambda due: self._run_out(job, due))

    def _run_out(self, job: ServerJob, now: float) -> None:
        self.log.warning("Job %r ran too long on %r", job, job.holder)
        self.requeue(job, now)

    def _stop_timer(self, job: ServerJob) -> None:
        timer = self._timed.pop(job.handle, None)
        if timer is not None:
            self.timers.cancel(timer)

    def _release(self, job: ServerJob) -> None:
        """Take a job from the worker that has it."""
        peer = job.holder
        if peer is None:
            return
        if self._timed:
            self._stop_timer(job)
        peer.assigned.pop(job.handle, None)
        job.holder = None
        job.function.running -= 1
        self.running -= 1

    def requeue(self, job: ServerJob, now: float) -> None:
        """Take a job from its worker and queue it again, or end it when it was tried enough."""
        self._release(job)
        job.retries += 1
        job.numerator = job.denominator = b"0"
        if not job.wanted:
            self._abandon(job)
            return
        limit = self.settings.job_retries
        if limit == UNLIMITED or job.retries < limit:
            self.log.info("Job %r comes back, for the %s. time", job, job.retries)
            self.counters.requeued += 1
            job.requeued = self.number
            self.enqueue(job, now)
            return
        self.counters.exhausted += 1
        self.log.warning("Job %r ends: tried %s times, no more retries", job, job.retries)
        self.fail(job)

    def _abandon(self, job: ServerJob) -> None:
        self.log.info("Job %r ends: nobody waits for it any more", job)
        self.counters.abandoned += 1
        self.remove(job)

    def fail(self, job: ServerJob) -> None:
        """End a job without a result."""
        self.tell(job, WORK_FAIL, job.handle)
        self.remove(job)

    def cancel(self, job: ServerJob) -> None:
        """Take a job back: its clients hear that it failed; a worker that has it goes on alone."""
        self.counters.cancelled += 1
        if job.holder is None:
            self.fail(job)
            return
        self.tell(job, WORK_FAIL, job.handle)
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
        self.queues.remove(job)
        self._release(job)
        if self._timed:
            self._stop_timer(job)
        del self.jobs[job.handle]
        job.function.total -= 1
        if job.unique:
            self.uniques.remove(job)
        for client in job.clients:
            client.submitted.pop(job.handle, None)

    # Workers

    def register(self, peer: Peer, name: bytes, timeout: float = 0.0) -> None:
        """Note that a worker can do a function."""
        function = self.queues.function(name)
        abilities.register(peer, function, timeout)
        if peer.sleeping and function.queued():
            # gearmand lets it sleep on until the next job of the function is submitted.
            self.wake_peer(peer)

    def unregister(self, peer: Peer, name: bytes, now: float) -> None:
        """Note that a worker can no longer do a function; its jobs of it go to others."""
        function = abilities.unregister(peer, name)
        if function is not None:
            if peer.woken_for is function:
                self.came(peer)
            for job in [job for job in peer.assigned.values() if job.function is function]:
                self.requeue(job, now)
