"""Bytes to send to each connection, gathered until a turn ends."""

import collections
import logging
from typing import Final

from gear_server.engine.state import Peer
from gear_wire.codec import encode
from gear_wire.enums import Magic
from gear_wire.framing import HEADER
from gear_wire.packets import BasePacket, Error

LARGE: Final = 65536
"""Bytes from which a payload is kept apart in an outbox, rather than copied."""
PATIENCE: Final = 3
"""Turns for which an answer may be deferred while the server is busy."""


class Outboxes:
    """Queues bytes for connections, and tracks which connections have some.

    A system call costs more than everything else that a job needs. So writes that can wait are
    batched with later ones to the same peer: they are sent with the next bytes that cannot wait,
    after `PATIENCE` turns, or as soon as the server is no longer busy.

    Args:
        log: The logger of the server.

    Attributes:
        turn: How many turns have ended.
    """

    def __init__(self, log: logging.Logger) -> None:
        self.turn: int = 0
        self._log = log
        self._needing_flush: list[Peer] = []
        self._deferred: collections.deque[tuple[int, Peer]] = collections.deque()

    @property
    def deferred(self) -> bool:
        """Whether writes are deferred."""
        return bool(self._deferred)

    def send(self, peer: Peer, data: bytes) -> None:
        """Queue bytes for a connection."""
        if not peer.needs_flush:
            peer.needs_flush = True
            self._needing_flush.append(peer)
        peer.outbox.append(data)

    def send_later(self, peer: Peer, data: bytes) -> None:
        """Queue bytes for a connection; the write may be deferred."""
        if not peer.needs_flush and not peer.deferred:
            peer.deferred = True
            self._deferred.append((self.turn, peer))
        peer.outbox.append(data)

    def send_payload(self, peer: Peer, key: int, head: bytes, payload: bytes) -> None:
        """Queue a packet for a connection; a large payload is sent as it is, uncopied.

        Args:
            peer: The connection.
            key: The packet's first eight bytes, as a number.
            head: Its arguments before the payload, with the NULs that end them.
            payload: The last argument.
        """
        header = HEADER.pack(key, len(head) + len(payload)) + head
        if len(payload) < LARGE:
            self.send(peer, header + payload)
        else:
            self.send(peer, header)
            peer.outbox.append(payload)
            peer.bulky = True

    def send_to_all(self, peers: dict[Peer, int], key: int, body: bytes) -> None:
        """Queue a packet about a job for all of its clients.

        The write to a client that waits for other jobs too may be deferred.

        Args:
            peers: The clients, with how often each gets the packet.
            key: The packet's first eight bytes, as a number.
            body: The rest of it.
        """
        header = HEADER.pack(key, len(body))
        if len(body) < LARGE:
            data = header + body
            for peer, times in peers.items():
                send = self.send if len(peer.submitted) < 2 else self.send_later
                send(peer, data if times == 1 else data * times)
        else:
            for peer, times in peers.items():
                self.send(peer, header)
                peer.outbox += ([body, header] * times)[:-1]
                peer.bulky = True

    def send_packet(self, peer: Peer, packet: BasePacket) -> None:
        """Queue a packet for a connection."""
        self.send(peer, encode(packet, Magic.RES))

    def send_error(self, peer: Peer, code: bytes, text: bytes) -> None:
        """Queue an ERROR for a connection, which stays open."""
        self._log.info("Error for %r: %r %r", peer, code, text)
        self.send_packet(peer, Error(code, text))

    def close(self, peer: Peer) -> None:
        """Mark a connection to be closed once its outbox is sent."""
        peer.closing = True
        if not peer.needs_flush:
            peer.needs_flush = True
            self._needing_flush.append(peer)

    def end_turn(self, busy: bool) -> list[Peer]:
        """End a turn, and return the peers with something to send, or to close.

        Args:
            busy: Whether deferred writes are left for later turns, for as long as they may be.
        """
        peers, self._needing_flush = self._needing_flush, []
        if self._deferred:
            self._add_deferred(peers, busy)
        for peer in peers:
            peer.needs_flush = peer.deferred = False
        self.turn += 1
        return peers

    def _add_deferred(self, peers: list[Peer], busy: bool) -> None:
        waiting = self._deferred
        while waiting and (not busy or waiting[0][0] <= self.turn - PATIENCE):
            peer = waiting.popleft()[1]
            if peer.deferred and not peer.needs_flush:
                peer.needs_flush = True
                peers.append(peer)
