"""The server without a network: packets in, bytes out; what each packet does is in `rules`.

One thread at a time may call it, and tells it the time. What it has to say is in the outboxes of
the peers that `take_dirty` returns; whoever moves the bytes sends each of them once a turn.
"""

import logging
from collections.abc import Callable
from typing import Final

import msgspec

from gear_server import abilities
from gear_server.acl import ACL
from gear_server.jobs import ServerJob
from gear_server.peers import Peer
from gear_server.queues import Function, Queues
from gear_server.stats import Counters
from gear_server.timers import Timer, Timers
from gear_server.uniques import Uniques
from gear_wire.codec import encode
from gear_wire.enums import Magic, Precedence
from gear_wire.framing import HEADER, RESPONSE_MAGIC, Frame
from gear_wire.packets import BasePacket, Error, Noop, WorkFail
from gear_wire.types import Handle

WAKE_DELAY: Final = 0.1
"""Seconds that a woken worker has to take a job before the next are woken, as Perl's server."""
UNLIMITED: Final = -1
WORKLOAD: Final = b"-"
"""The unique of jobs that are one when their function and their arguments are the same."""
MAX_WORDS: Final = 5
"""The most words of a command, as in gearmand."""

Rule = Callable[["Engine", Peer, Frame, float], None]
TextRule = Callable[["Engine", Peer, list[bytes], float], bytes]
_NOOP: Final = encode(Noop(), Magic.RES)


class EngineSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What can be set.

    Attributes:
        handle_prefix: What job handles begin with, before ``:`` and a number.
        job_retries: How often a job that comes back is given out; 0 for once, -1 for no limit.
        worker_wakeup: How many sleepers a new job wakes at first; 0 for all.
        exceptions: Whether every client hears of exceptions without asking.
        cancel_running: Whether ``cancel job`` takes jobs that workers have, as gearmand's does:
            their clients hear WORK_FAIL, and the worker's result goes nowhere. gear 0.16 does not
            know such jobs.
        version: What ``version`` says.
        verbose: What ``verbose`` says.
        pid: What ``getpid`` says.
    """

    handle_prefix: bytes = b"H:localhost"
    job_retries: int = UNLIMITED
    worker_wakeup: int = 1
    exceptions: bool = False
    cancel_running: bool = True
    version: bytes = b"1.0.0"
    verbose: bytes = b"ERROR"
    pid: int = 0


def refuse(engine: "Engine", peer: Peer, frame: Frame, now: float) -> None:
    """Close a connection that sent a packet of no known type, as gearmand does."""
    engine.log.warning("%r sent a packet of unknown type %s", peer, frame.type)
    engine.close(peer)


class Engine:
    """All of a job server's state.

    Args:
        settings: What can be set.
        rules: What to do for each packet, by the first eight bytes of a frame.
        text_rules: What to answer to each text command, by its first word.
        acl: Who may do what; None when all may.

    Attributes:
        peers: The connections.
        queues: The functions and their queued jobs.
        uniques: The jobs that have a unique.
        jobs: Every job by handle.
        running: How many jobs workers have.
        counters: What happened since the start.
        draining: Whether no more jobs are given out.
        choose: Returns the job that is next for a worker; replaced by servers that hold jobs back.
        unknown: The rule for packets that have none.
    """

    def __init__(
        self,
        settings: EngineSettings,
        rules: dict[int, Rule],
        text_rules: dict[bytes, TextRule],
        acl: ACL | None = None,
    ) -> None:
        self.settings: EngineSettings = settings
        self.rules: dict[int, Rule] = rules
        self.text_rules: dict[bytes, TextRule] = text_rules
        self.acl: ACL | None = acl
        self.log: logging.Logger = logging.getLogger("gear.Server")
        self.peers: dict[Peer, None] = {}
        self.queues: Queues = Queues()
        self.uniques: Uniques = Uniques()
        self.jobs: dict[bytes, ServerJob] = {}
        self.running: int = 0
        self.counters: Counters = Counters()
        self.draining: bool = False
        self.choose: Callable[[Peer, bool], ServerJob | None] = self.next_job
        self.unknown: Rule = refuse
        self._timers = Timers()
        self._timed: dict[bytes, Timer] = {}
        self._dirty: list[Peer] = []
        self._prefix = settings.handle_prefix + b":"
        self._number = 0

    # Connections and messages

    def add(self, peer: Peer) -> None:
        """Take in a connection."""
        peer.exceptions = self.settings.exceptions
        self.peers[peer] = None

    def receive(self, peer: Peer, frame: Frame, now: float) -> None:
        """Take in a packet."""
        rule = self.rules.get(frame.key, self.unknown)
        rule(self, peer, frame, now)

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
        for job in list(peer.assigned.values()):
            self.requeue(job, now)
        for name in list(peer.abilities):
            abilities.unregister(peer, name)
        for job in peer.submitted.values():
            job.clients = tuple(client for client in job.clients if client is not peer)
            if not job.wanted and job.holder is None:
                self.counters.abandoned += 1
                self.remove(job)
        peer.submitted.clear()
        peer.outbox.clear()

    def tick(self, now: float) -> float | None:
        """Do what is due, and return when the next thing will be."""
        for due in self._timers.due(now):
            due(now)
        return self._timers.next

    @property
    def deadline(self) -> float | None:
        """When `tick` must be called; None when nothing is due."""
        return self._timers.next

    # Saying something

    def send(self, peer: Peer, data: bytes) -> None:
        """Queue bytes for a connection."""
        if not peer.dirty:
            peer.dirty = True
            self._dirty.append(peer)
        peer.outbox.append(data)

    def say(self, peer: Peer, packet: BasePacket) -> None:
        """Queue a packet for a connection."""
        self.send(peer, encode(packet, Magic.RES))

    def error(self, peer: Peer, code: bytes, text: bytes) -> None:
        """Queue an ERROR for a connection, which goes on."""
        self.log.info("Error for %r: %r %r", peer, code, text)
        self.say(peer, Error(code, text))

    def close(self, peer: Peer) -> None:
        """Have a connection closed, once what is queued for it is sent."""
        peer.closing = True
        if not peer.dirty:
            peer.dirty = True
            self._dirty.append(peer)

    def take_dirty(self) -> list[Peer]:
        """Return the peers with something to send or to close, and forget them."""
        dirty = self._dirty
        if dirty:
            self._dirty = []
            for peer in dirty:
                peer.dirty = False
        return dirty

    # A job's life

    def submit(
        self,
        peer: Peer,
        name: bytes,
        unique: bytes,
        arguments: bytes,
        precedence: Precedence,
        background: bool,
    ) -> tuple[ServerJob, bool] | None:
        """Take a job, or let the submission join one with the same unique.

        Returns:
            The job, and whether it is new and must be queued; None when the function has as many
            jobs as it may.
        """
        function = self.queues.function(name)
        job = self._find(function, unique, arguments) if unique else None
        new = job is None
        if job is not None:
            self.counters.joined += 1
            if background:
                # Or the job would be lost when its foreground clients leave, as in gearmand.
                job.background = True
        elif function.limits is not None and function.full(precedence):
            return None
        else:
            job = self._new_job(function, unique, arguments, precedence, background)
        if not background:
            job.clients += (peer,)
            peer.submitted[job.handle] = job
        return job, new

    def _find(self, function: Function, unique: bytes, arguments: bytes) -> ServerJob | None:
        if unique == WORKLOAD:
            return function.workloads.get(arguments)
        return self.uniques.find(function, unique)

    def _remember(self, job: ServerJob, unique: bytes) -> None:
        """Let later submissions join a job."""
        if unique == WORKLOAD:
            if job.arguments:
                job.function.workloads[job.arguments] = job
        else:
            self.uniques.add(job, unique)

    def _forget(self, job: ServerJob, unique: bytes) -> None:
        """Let no more submissions join a job."""
        if unique == WORKLOAD:
            if job.function.workloads.get(job.arguments) is job:
                del job.function.workloads[job.arguments]
        else:
            self.uniques.remove(job, unique)

    def _new_job(
        self,
        function: Function,
        unique: bytes,
        arguments: bytes,
        precedence: Precedence,
        background: bool,
    ) -> ServerJob:
        self._number += 1
        handle = b"%b%d" % (self._prefix, self._number)
        job = ServerJob(handle, function, unique or None, arguments, precedence, background)
        self.jobs[handle] = job
        function.total += 1
        if unique:
            self._remember(job, unique)
        self.counters.submitted += 1
        return job

    def enqueue(self, job: ServerJob, now: float) -> None:
        """Queue a job, now or when its time comes, and wake a worker for it."""
        if job.when > now:
            self._timed[job.handle] = self._timers.at(job.when, lambda due: self._come(job, due))
            return
        self.queues.append(job)
        function = job.function
        if function.sleepers:
            self.wake(function, now)

    def _come(self, job: ServerJob, now: float) -> None:
        del self._timed[job.handle]
        job.when = 0
        job.requeued = self._number
        self.enqueue(job, now)

    def next_job(self, peer: Peer, peek: bool = False) -> ServerJob | None:
        """Return the job that is next for a worker, and take it from its queue unless `peek`."""
        job = self.queues.choose(peer)
        if job is not None and not peek:
            self.queues.remove(job)
        return job

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
            self._timed[job.handle] = self._timers.at(end, lambda due: self._run_out(job, due))

    def _run_out(self, job: ServerJob, now: float) -> None:
        self.log.warning("Job %r ran too long on %r", job, job.holder)
        self.requeue(job, now)

    def _stop_timer(self, job: ServerJob) -> None:
        timer = self._timed.pop(job.handle, None)
        if timer is not None:
            self._timers.cancel(timer)

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
            self.counters.abandoned += 1
            self.remove(job)
            return
        limit = self.settings.job_retries
        if limit == UNLIMITED or job.retries < limit:
            self.counters.requeued += 1
            job.requeued = self._number
            self.enqueue(job, now)
            return
        self.counters.exhausted += 1
        self.log.warning("Job %r ends: tried %s times, no more retries", job, job.retries)
        self.fail(job)

    def fail(self, job: ServerJob) -> None:
        """End a job without a result."""
        for client in job.clients:
            self.say(client, WorkFail(Handle(job.handle)))
        self.remove(job)

    def cancel(self, job: ServerJob) -> None:
        """Take a job back: its clients hear that it failed; a worker that has it goes on alone."""
        self.counters.cancelled += 1
        if job.holder is None:
            self.fail(job)
            return
        for client in job.clients:
            self.say(client, WorkFail(Handle(job.handle)))
            client.submitted.pop(job.handle, None)
        job.clients = ()
        job.background = False
        # A later submission of the same unique must not join a job that was taken back.
        if job.unique:
            self._forget(job, job.unique)

    def forward(self, job: ServerJob, frame: Frame) -> None:
        """Send a worker's packet to all that wait for its job, as it came."""
        if job.clients:
            body = frame.body
            data = HEADER.pack(RESPONSE_MAGIC << 32 | frame.type, len(body)) + body
            for client in job.clients:
                self.send(client, data)

    def remove(self, job: ServerJob) -> None:
        """Forget a job, wherever it is."""
        self.queues.remove(job)
        self._release(job)
        if self._timed:
            self._stop_timer(job)
        del self.jobs[job.handle]
        job.function.total -= 1
        if job.unique:
            self._forget(job, job.unique)
        for client in job.clients:
            client.submitted.pop(job.handle, None)

    # Workers

    def grab(self, peer: Peer, now: float) -> ServerJob | None:
        """Return the job that a worker gets, or None; it is awake now either way."""
        peer.sleeping = False
        if self.draining:
            return None
        job = self.choose(peer, False)
        if job is not None:
            self.assign(peer, job, now)
        return job

    def sleep(self, peer: Peer) -> None:
        """Note that a worker waits for a NOOP, or send it at once if there is a job for it."""
        if not self.draining and self.choose(peer, True) is not None:
            self.send(peer, _NOOP)
            return
        abilities.fall_asleep(peer)

    def wake(self, function: Function, now: float) -> None:
        """Send a NOOP to as many sleepers of a function as a new job wakes.

        If none of them has taken a job after a while, all others are woken: one that hangs must
        not hold up a job while others are free.
        """
        wanted = self.settings.worker_wakeup or len(function.sleepers)
        woken = self._wake_sleepers(function, wanted)
        if woken and function.sleepers and not function.checking:
            function.checking = True
            self._timers.at(now + WAKE_DELAY, lambda due: self._wake_more(function, due))

    def _wake_more(self, function: Function, now: float) -> None:
        function.checking = False
        if function.has_jobs():
            self._wake_sleepers(function, len(function.sleepers))

    def _wake_sleepers(self, function: Function, wanted: int) -> int:
        woken = 0
        while woken < wanted:
            peer = abilities.next_sleeper(function)
            if peer is None:
                break
            self.wake_peer(peer)
            woken += 1
        return woken

    def wake_peer(self, peer: Peer) -> None:
        """Send a NOOP to a worker that sleeps."""
        if peer.sleeping:
            peer.sleeping = False
            self.send(peer, _NOOP)

    def register(self, peer: Peer, name: bytes, timeout: float = 0.0) -> None:
        """Note that a worker can do a function."""
        function = self.queues.function(name)
        abilities.register(peer, function, timeout)
        if peer.sleeping and function.has_jobs():
            # gearmand lets it sleep on until the next job of the function is submitted.
            self.wake_peer(peer)

    def unregister(self, peer: Peer, name: bytes, now: float) -> None:
        """Note that a worker can no longer do a function; its jobs of it go to others."""
        function = abilities.unregister(peer, name)
        if function is not None:
            for job in [job for job in peer.assigned.values() if job.function is function]:
                self.requeue(job, now)
