"""Moves bytes between sockets and the engine on an asyncio loop."""

import asyncio
import collections
import contextlib
import datetime
import functools
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final, Protocol

from gear_server.engine.engine import Engine
from gear_server.network.acceptor import Acceptor
from gear_server.network.busypoll import BusyPoll
from gear_server.network.doors import Admission, Doors
from gear_server.network.evictions import Evictions
from gear_server.network.holdings import FEW
from gear_server.network.keeper import Keeper
from gear_server.network.pace import BULK_TIME, MOST, READ_TIME, Pace
from gear_server.network.peer import StreamPeer
from gear_server.network.stream import Stream
from gear_server.network.subject import subject_of
from gear_server.network.traffic import Traffic
from gear_server.queue.store import Store
from gear_server.settings import ServerSettings
from gear_wire.framing import Event, Frame
from gear_wire.table import BY_TYPE

if TYPE_CHECKING:
    from gear_server.network.certificates import Certificates
    from gear_server.network.handshakes import Handshakes

TICK: Final = 0.001
"""Seconds to which libuv rounds timers: less would be zero, and the loop would spin."""
DELIVERY_CHECK: Final = 0.02
"""Seconds between checks for undelivered data while the server drains."""
FLUSH_TIMEOUT: Final = 1.0
"""Seconds to flush what is queued when connections are closed."""
DAY: Final = 86400.0


class Owner(Protocol):
    """The owner of an `AsyncServer`: makes its peers, and is called back."""

    def make_peer(self, host: str, port: int, descriptor: int, subject: str | None) -> StreamPeer:
        """Return the peer of a new connection."""

    def on_lost(self, peer: StreamPeer) -> None:
        """Called before a lost connection is forgotten."""

    def on_turn(self) -> None:
        """Called at the end of each turn of the loop."""

    def on_batch(self, seconds: float) -> None:
        """Called after each attempt to store something, with how long it took."""

    def on_failure(self, error: BaseException) -> None:
        """Called when nothing can be stored any more: the server must end."""

    def dropped_lines(self) -> int:
        """Return how many lines of the log could not be written."""


class AsyncServer:
    """A job server on the running loop.

    Args:
        engine: The engine.
        settings: Limits and keepalive.
        lock: Held around every call into the engine.
        owner: Makes the peers, and is called back.
        certificates: Those of the TLS server; None for plaintext.
        store: The store of the queue; None if there is none.

    Attributes:
        lock: As given.
        busy_reads: How many reads of this turn brought much.
        most: How many messages of a read are taken at once.
        evictions: Drops connections that take too long or hold too much.
        traffic: How many bytes were read and sent.
        turns: How many turns of the engine have ended.
        turn_time: Seconds that they took, each from its first read until its answers were written.
    """

    def __init__(
        self,
        engine: Engine,
        settings: ServerSettings,
        lock: threading.RLock,
        owner: Owner,
        certificates: "Certificates | None" = None,
        store: Store | None = None,
    ) -> None:
        self.engine: Engine = engine
        self.settings: ServerSettings = settings
        self._certificates = certificates
        self._certificate_check: asyncio.TimerHandle | None = None
        self._keepalive = settings.probes()
        self.log: logging.Logger = logging.getLogger("gear.Server")
        self.lock: threading.RLock = lock
        self._owner: Owner = owner
        self._loop = asyncio.get_running_loop()
        self._doors = Doors(settings, engine.counters, self.log)
        self._acceptors: list[Acceptor] = []
        self._handshakes: list[Handshakes] = []
        self._peers: set[StreamPeer] = set()
        self._gone = asyncio.Event()
        self._flushing = False
        self._halted: collections.deque[Stream] = collections.deque()
        self._parked: dict[StreamPeer, Stream] = {}
        self._pace = Pace()
        self.busy_reads: int = 0
        self.most: int = MOST
        self._reads = 0
        self.traffic: Traffic = Traffic()
        self.turns: int = 0
        self.turn_time: float = 0.0
        self._turn_began = 0.0  # 0 between turns
        self._busy = False
        self._deferred = False
        self._draining = False
        self._checking = False
        self.evictions: Evictions = Evictions(
            self._loop, engine, settings, lock, self.ended, self.log
        )
        self._busy_poll = BusyPoll(self._loop.call_soon, settings.busy_poll / 1e6)
        self._timer: asyncio.TimerHandle | None = None
        self._deadline = 0.0
        self._store = store
        self._keeper: Keeper | None = None

    async def start(self, sockets: list[socket.socket]) -> None:
        """Start accepting connections on listening sockets, and the writer of the queue."""
        if self._certificates is not None:
            self._check_certificates(self._certificates)
        self.accept(sockets, functools.partial(Stream, self))
        if self._store is not None:
            self._keeper = Keeper(
                self.engine, self._store, self.lock, self.schedule_flush, self._owner
            )

    def accept(
        self,
        sockets: Iterable[socket.socket],
        make_protocol: Callable[[Admission], asyncio.BaseProtocol],
    ) -> None:
        """Start accepting connections on listening sockets, with the limits and the TLS of all.

        Args:
            sockets: The sockets.
            make_protocol: Returns the protocol for a connection, which ends its admission.
        """
        counters = self.engine.counters
        handshakes = None
        if self._certificates is not None:
            from gear_server.network.handshakes import Handshakes

            handshakes = Handshakes(self._certificates, make_protocol, counters, self.log)
            self._handshakes.append(handshakes)
        self._acceptors += [
            Acceptor(sock, self._doors, make_protocol, handshakes, counters, self.log)
            for sock in sockets
        ]

    def _check_certificates(self, certificates: "Certificates") -> None:
        """Have it logged today, and every day, if the certificate ends soon."""
        certificates.check(datetime.datetime.now(datetime.UTC))
        self._certificate_check = self._loop.call_later(DAY, self._check_certificates, certificates)

    def stop_listening(self) -> None:
        """Stop accepting connections."""
        for acceptor in self._acceptors:
            acceptor.close()

    def descriptors(self) -> list[int]:
        """Return the descriptors of all connections that are not being closed."""
        return [
            peer.descriptor
            for peer in list(self._peers)
            if peer.transport is not None and not peer.transport.is_closing()
        ]

    @property
    def dropped_lines(self) -> int:
        """How many lines of the log could not be written."""
        return self._owner.dropped_lines()

    @property
    def open_connections(self) -> int:
        """How many connections are open, of all ports."""
        return self._doors.open

    def undelivered(self) -> int:
        """Return the number of bytes waiting to be sent to peers."""
        return sum(peer.undelivered() for peer in list(self._peers))

    def drain(self) -> None:
        """Stop accepting connections, and take a turn whenever more has been delivered."""
        self.stop_listening()
        self._draining = True
        self.schedule_flush()

    def _check_deliveries(self) -> None:
        self._checking = False
        self.schedule_flush()

    async def close(self) -> None:
        """Flush and close all connections."""
        self.stop_listening()
        for acceptor in self._acceptors:
            await acceptor.wait_closed()
        with self.lock:
            self.engine.stop()
        self._flush()
        if self._keeper is not None:
            await self._keeper.close()
            self._flush()
        self._busy_poll.end()
        if self._timer is not None:
            self._timer.cancel()
        for peer in list(self._peers):
            if peer.transport is not None:
                peer.transport.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FLUSH_TIMEOUT):
                await self._all_gone()
        for peer in list(self._peers):
            if peer.transport is not None:
                self.log.warning(
                    "Dropping slow consumer %r at shutdown: %d bytes unsent",
                    peer, peer.undelivered(),
                )  # fmt: skip
                peer.transport.abort()
        await self._all_gone()
        if self._certificate_check is not None:
            self._certificate_check.cancel()
        for handshakes in self._handshakes:
            handshakes.close()
        self._doors.close()
        self.evictions.finish()
        if self._timer is not None:
            self._timer.cancel()

    async def _all_gone(self) -> None:
        while self._peers:
            self._gone.clear()
            await self._gone.wait()

    # Connections

    def connected(self, transport: asyncio.Transport, admission: Admission) -> StreamPeer:
        """Add a connection."""
        sock = transport.get_extra_info("socket")
        descriptor = -1
        if sock is not None:
            descriptor = sock.fileno()
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._keepalive.apply(sock)
        subject = subject_of(transport.get_extra_info("peercert"))
        peer = self._owner.make_peer(admission.host, admission.port, descriptor, subject)
        transport.set_write_buffer_limits(FEW, FEW)
        peer.transport = transport
        peer.traffic = self.traffic
        self._peers.add(peer)
        with self.lock:
            self.engine.add(peer)
        self.log.debug("Accepted %r", peer)
        self.schedule_flush()
        return peer

    def receive(self, peer: StreamPeer, events: list[Event]) -> None:
        """Receive what one read returned."""
        if self.log.isEnabledFor(logging.DEBUG):
            self._log(peer, events)
        with self.lock:
            try:
                now = time.monotonic()
                self._begin_turn(now)
                self.engine.receive(peer, events, now)
            except Exception:
                self._close_after_exception(peer)
        self._reads += 1
        self.schedule_flush()

    def go_on(self, peer: StreamPeer) -> None:
        """Go on with what a peer was halted in."""
        with self.lock:
            try:
                self.engine.go_on(peer, time.monotonic())
            except Exception:
                self._close_after_exception(peer)

    def _close_after_exception(self, peer: StreamPeer) -> None:
        self.log.exception("Exception while handling what %r sent", peer)
        self.engine.close(peer)

    def halted(self, stream: Stream) -> None:
        """Have a connection that is not read on take its turns."""
        self._halted.append(stream)
        self.schedule_flush()

    def congested(self, peer: StreamPeer) -> None:
        """Note that a transport holds more than a few bytes."""
        if peer.transport is not None:
            self._note_unsent(peer, peer.transport.get_write_buffer_size())

    def _have_answered(self, peer: StreamPeer) -> None:
        """Have a long answer to a peer go on, which may have begun in any thread."""
        stream = None if peer.transport is None else peer.transport.get_protocol()
        if isinstance(stream, Stream):
            stream.wait_for_answer()

    def resumed(self, peer: StreamPeer) -> None:
        """Go on with a peer whose transport has sent most of what it held."""
        self._note_unsent(peer, 0)
        stream = self._parked.pop(peer, None)
        if stream is not None:
            self.halted(stream)

    def _blocked(self, peer: StreamPeer) -> bool:
        """Return whether what a peer asked for waits for its network, or for the store."""
        if peer.answer is not None and peer.congested:
            return True
        waits = peer.answer is not None or bool(peer.backlog)
        return waits and (peer.congested or peer.held) and self.crowds(peer)

    def _note_unsent(self, peer: StreamPeer, size: int) -> None:
        """Note how many bytes the transport of a peer holds."""
        with self.lock:
            self.engine.outboxes.sent(peer, size)
            self.evictions.note_unsent(peer, size + peer.held_size)
            if self.engine.outboxes.dropped:
                self.schedule_flush()

    def crowds(self, peer: StreamPeer) -> bool:
        """Return whether so much waits for a peer that its requests wait too."""
        return self.engine.outboxes.crowds(peer)

    def must_pause(self, size: int) -> bool:
        """Return whether a connection of which so much was read at once makes others wait."""
        now = time.monotonic()
        if not self._pace.company(now):
            return False
        self._pace.rest(now, size * BULK_TIME)
        return True

    def _go_on(self, began: float) -> bool:
        """Go on with halted connections for a while, one after another; False while they rest."""
        end = self._pace.end(began)
        if end <= began:
            self.schedule_flush()
            return False
        company = self._pace.company(began)
        now = began
        for _ in range(len(self._halted)):
            if now >= end:
                break
            stream = self._halted.popleft()
            peer = stream.peer
            if peer is None or peer.closing or peer.transport is None:
                continue
            if peer.transport.is_closing():
                continue
            if self._blocked(peer):
                self._parked[peer] = stream
            elif not stream.go_on(peer, end):
                self._halted.append(stream)
            elif stream.resting:
                stream.resting = False
                if company:
                    break  # what it reads next takes a while
            now = time.monotonic()
        if self._halted:
            self.schedule_flush()
        return True

    def _log(self, peer: StreamPeer, events: list[Event]) -> None:
        for event in events:
            if isinstance(event, Frame):
                info = BY_TYPE.get(event.type)
                name = event.type if info is None else info.number.name
                self.log.debug("Received %s of %s bytes from %r", name, len(event.body), peer)
            else:
                self.log.debug("Received %r from %r", event, peer)

    def ended(self, peer: StreamPeer) -> bool:
        """Give no more jobs to a peer that has closed its side.

        Returns:
            Whether to keep ours open until it is flushed; otherwise, the loop closes it. With TLS
            the loop closes it anyway.
        """
        with self.lock:
            self.engine.close(peer)
        self.schedule_flush()
        return peer.held and self._certificates is None

    def lost(self, peer: StreamPeer) -> None:
        """Remove a lost connection."""
        with self.lock:
            self._owner.on_lost(peer)
            self.engine.connection_lost(peer, time.monotonic())
        peer.transport = None
        self._parked.pop(peer, None)
        self.evictions.forget_peer(peer)
        self._peers.discard(peer)
        self._gone.set()
        self.schedule_flush()

    # Once a turn of the loop

    def schedule_flush(self) -> None:
        """Schedule a flush at the end of this turn of the loop."""
        if not self._flushing:
            self._flushing = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._flushing = False
        began = now = time.monotonic()
        self._begin_turn(now)
        reads = self._reads
        if reads > self.busy_reads:
            self._pace.others_at = now
        worked = False
        if self.busy_reads or self._halted:
            self._pace.rest(now, self.busy_reads * READ_TIME)
            self.busy_reads = 0
            self.most = self._pace.most(now)
            worked = bool(self._halted) and self._go_on(now)
            now = time.monotonic()
        self._reads = 0
        # After a few reads there is nothing to batch: answer at once.
        self._busy = reads > 2 or (reads > 0 and self._deferred)
        if self._end_turn(now) or worked:
            # What the others sent in this turn counts as well, which does them no harm.
            end = time.monotonic()
            self._pace.rest(end, end - began)
        if reads:
            self._busy_poll.begin()
        self._count_turn()

    def _begin_turn(self, now: float) -> None:
        """Note when a turn begins, unless it has begun already."""
        if not self._turn_began:
            self._turn_began = now

    def _count_turn(self) -> None:
        """Count a turn that ends."""
        self.turns += 1
        self.turn_time += time.monotonic() - self._turn_began
        self._turn_began = 0.0

    def _end_turn(self, now: float) -> bool:
        """End a turn of the engine; returns whether it did long work."""
        engine = self.engine
        chores = engine.chores.waiting
        working = bool(chores)
        resting = working and self._pace.end(now) <= now
        with self.lock:
            for peer in engine.end_turn(now, self._busy, resting):
                if isinstance(peer, StreamPeer):
                    waiting = peer.flush()
                    if waiting or peer.halted or peer.held:
                        self._note_unsent(peer, waiting)
                    if peer.closing and peer.transport is not None:
                        self.evictions.closing.begin(peer)
                    if peer.answer is not None:
                        self._have_answered(peer)
                    if peer in self._parked and not self._blocked(peer):
                        self.halted(self._parked.pop(peer))
            self._owner.on_turn()
            if self._keeper is not None:
                self._keeper.write()
            deadline, self._deferred = engine.deadline, engine.outboxes.deferred
        if self._deferred or chores:
            self.schedule_flush()
        if deadline is not None:
            self._schedule_tick(deadline)
        if self._draining and not self._checking and self.undelivered():
            self._checking = True
            self._loop.call_later(DELIVERY_CHECK, self._check_deliveries)
        return working and not resting

    def _schedule_tick(self, deadline: float) -> None:
        if self._timer is not None:
            if self._deadline <= deadline:
                return
            self._timer.cancel()
        self._deadline = deadline
        self._timer = self._loop.call_later(max(TICK, deadline - time.monotonic()), self._tick)

    def _tick(self) -> None:
        self._timer = None
        now = time.monotonic()
        self._begin_turn(now)
        with self.lock:
            self.engine.tick(now)
        # Timers run before reads: that there are no reads yet means nothing.
        self._end_turn(now)
        self._count_turn()
