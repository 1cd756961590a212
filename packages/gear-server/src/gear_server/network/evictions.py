"""Which connections are dropped, and why: they take too long, or hold too much."""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Hashable
from typing import Final, Protocol

from gear_server.engine.engine import Engine
from gear_server.network.memory import Memory
from gear_server.network.patience import Patience
from gear_server.network.peer import StreamPeer
from gear_server.network.stream import Stream
from gear_server.settings import ServerSettings
from gear_wire.loglimit import LogLimit

CLOSE_TIMEOUT: Final = 60.0
"""Seconds in which a connection that is closed must take a part of what is left for it."""


class Sender(Hashable, Protocol):
    """A connection of which more may have come than the engine has taken."""

    @property
    def peer(self) -> StreamPeer | None:
        """Who is connected; None before and if nobody is."""

    @property
    def untaken(self) -> int:
        """How many bytes have come that the engine has not taken."""


def _unfinished(stream: Stream) -> int:
    return stream.unfinished


def _sent(peer: StreamPeer) -> int:
    """Return a number that grows as the bytes that are left are sent."""
    return 0 if peer.transport is None else -peer.transport.get_write_buffer_size()


class Evictions:
    """Drops connections that take too long, and those that hold the most when all hold too much.

    Args:
        loop: The event loop.
        engine: The engine.
        settings: The limits.
        lock: Held around every call into the engine.
        end: Ends a connection once it is flushed.
        log: Logs who was dropped, and why.

    Attributes:
        silent: Waits for the first byte of connections.
        unfinished: Waits for the rest of packets and lines.
        closing: Waits for connections that are closed to take what is left for them.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        engine: Engine,
        settings: ServerSettings,
        lock: threading.RLock,
        end: Callable[[StreamPeer], object],
        log: logging.Logger,
    ) -> None:
        self.silent: Patience[Stream] = Patience(
            loop, settings.first_byte_timeout, _unfinished, self._drop_silent
        )
        self.unfinished: Patience[Stream] = Patience(
            loop, settings.packet_timeout, _unfinished, self._drop_unfinished
        )
        self.closing: Patience[StreamPeer] = Patience(
            loop, CLOSE_TIMEOUT, _sent, self._drop_closing
        )
        self._engine = engine
        self._lock = lock
        self._end = end
        self._memory: Memory[StreamPeer, Sender] = Memory(settings.max_memory, engine.limits)
        self._overdue = LogLimit(log, "Connections that took too long")
        self._large = LogLimit(log, "Connections that sent too much")

    def finish(self) -> None:
        """Log how many were dropped that were not logged."""
        self._overdue.finish()
        self._large.finish()

    # Who holds too much

    def note_unsent(self, peer: StreamPeer, size: int) -> None:
        """Note how many bytes are kept for a peer; called with the lock held."""
        self._memory.unsent.note(peer, size)
        slowest = self._memory.slowest_reader()
        if slowest is not None:
            self._engine.outboxes.cut_off(slowest)
            self._memory.unsent.note(slowest, 0)

    def note_untaken(self, sender: Sender) -> None:
        """Note how many bytes have come of a connection that the engine has not taken."""
        self._memory.untaken.note(sender, sender.untaken)
        largest = self._memory.largest_sender()
        if largest is not None:
            self._memory.untaken.note(largest, 0)
            self._drop_large(largest)

    def forget(self, sender: Sender) -> None:
        """Forget how many bytes have come of a connection that is lost."""
        self._memory.untaken.note(sender, 0)

    def forget_peer(self, peer: StreamPeer) -> None:
        """Forget a peer that is lost."""
        self.closing.end(peer)
        self._memory.unsent.note(peer, 0)

    def _drop_large(self, sender: Sender) -> None:
        self._engine.counters.senders_dropped += 1
        if sender.peer is not None and sender.peer.transport is not None:
            self._large.log(
                time.monotonic(), logging.WARNING,
                "Dropping %r: %d bytes of it have come, of all connections more than memory allows",
                sender.peer, sender.untaken,
            )  # fmt: skip
            sender.peer.transport.abort()

    # Who takes too long

    def _drop_silent(self, stream: Stream) -> None:
        self._drop(stream, "Dropping %r: it sent nothing in %g s", self.silent.seconds)

    def _drop_unfinished(self, stream: Stream) -> None:
        if stream.paused:
            self.unfinished.begin(stream)  # it is the server that does not read on
            return
        what = "packet" if stream.in_packet else "line"
        if stream.peer is not None:
            text = f"{what} unfinished after {self.unfinished.seconds:g} s"
            with self._lock:
                if stream.in_packet:
                    self._engine.send_error(stream.peer, b"TIMEOUT", text.encode())
                else:
                    self._engine.send(
                        stream.peer, f"ERR TIMEOUT {text.replace(' ', '+')}\r\n".encode()
                    )
        self._drop(
            stream,
            "Dropping %r: %d bytes of a %s came, and then too little in %g s",
            stream.unfinished,
            what,
            self.unfinished.seconds,
        )

    def _drop(self, stream: Stream, message: str, *arguments: object) -> None:
        if stream.peer is not None:
            self._note_overdue(message, stream.peer, *arguments)
            self._end(stream.peer)

    def _drop_closing(self, peer: StreamPeer) -> None:
        if peer.transport is not None:
            self._note_overdue(
                "Dropping slow consumer %r: %d bytes unsent when it was closed",
                peer, peer.undelivered(),
            )  # fmt: skip
            peer.transport.abort()

    def _note_overdue(self, message: str, *arguments: object) -> None:
        self._engine.counters.connections_overdue += 1
        self._overdue.log(time.monotonic(), logging.WARNING, message, *arguments)
