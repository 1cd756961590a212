"""What the server says, kept until it is sent; who sends it is in `aio`."""

import collections
import logging
from typing import Final

from gear_server.engine.peers import Peer
from gear_wire.codec import encode
from gear_wire.enums import Magic
from gear_wire.framing import HEADER
from gear_wire.packets import BasePacket, Error

LARGE: Final = 65536
"""Bytes from which on a payload is worth a place of its own in an outbox."""
PATIENCE: Final = 3
"""Turns that an answer may wait for others to the same peer, while the server is busy."""


class Outboxes:
    """Queues bytes for connections, and remembers which connections have some.

    A write is the dearest thing that a job costs. So what its receiver can do without for a while
    waits for company: it goes with the next bytes that cannot wait, after `PATIENCE` turns, or
    as soon as the server has nothing better to do.

    Attributes:
        log: The logger of the server.
        turn: How many turns have ended.
    """

    def __init__(self) -> None:
        self.log: logging.Logger = logging.getLogger("gear.Server")
        self.turn: int = 0
        self._dirty: list[Peer] = []
        self._late: collections.deque[tuple[int, Peer]] = collections.deque()

    @property
    def postponed(self) -> bool:
        """Whether bytes wait for the end of this turn, or of a later one."""
        return bool(self._late)

    def send(self, peer: Peer, data: bytes) -> None:
        """Queue bytes for a connection."""
        if not peer.dirty:
            peer.dirty = True
            self._dirty.append(peer)
        peer.outbox.append(data)

    def send_later(self, peer: Peer, data: bytes) -> None:
        """Queue bytes for a connection that can wait for others."""
        if not peer.dirty and not peer.late:
            peer.late = True
            self._late.append((self.turn, peer))
        peer.outbox.append(data)

    def send_packet(self, peer: Peer, key: int, head: bytes, payload: bytes) -> None:
        """Queue a packet for a connection.

        Args:
            peer: The connection.
            key: The packet's first eight bytes, as a number.
            head: Its arguments before the payload, with the NULs that end them.
            payload: The last argument; a large one is sent as it is, without being copied.
        """
        header = HEADER.pack(key, len(head) + len(payload)) + head
        if len(payload) < LARGE:
            self.send(peer, header + payload)
        else:
            self.send(peer, header)
            peer.outbox.append(payload)
            peer.bulky = True

    def send_to_all(self, peers: dict[Peer, int], key: int, body: bytes) -> None:
        """Queue a packet about a job for all that wait for it, for each as often as it says.

        Who waits for other jobs too has something to go on with: it can wait for this one.
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

    def take_dirty(self, busy: bool) -> list[Peer]:
        """End a turn: return the peers with something to send or to close, and forget them.

        Args:
            busy: Whether those whose bytes can wait are left for later turns, as long as they may.
        """
        dirty, self._dirty = self._dirty, []
        if self._late:
            self._take_late(dirty, busy)
        for peer in dirty:
            peer.dirty = peer.late = False
        self.turn += 1
        return dirty

    def _take_late(self, dirty: list[Peer], busy: bool) -> None:
        late = self._late
        while late and (not busy or late[0][0] <= self.turn - PATIENCE):
            peer = late.popleft()[1]
            if peer.late and not peer.dirty:
                peer.dirty = True
                dirty.append(peer)
