"""Bytes to send to each connection, gathered until a turn ends."""

import collections
import logging
from collections.abc import Callable, Iterator
from typing import Final

from gear_server.engine.rights import PACKETS, Right
from gear_server.engine.state import BOUNDLESS, NOWHERE, LongAnswer, Peer
from gear_wire.codec import encode
from gear_wire.enums import Magic, PacketType
from gear_wire.framing import HEADER
from gear_wire.packets import BasePacket, Error
from gear_wire.table import frame_key

SMALL: Final = 512
"""Bytes up to which a packet is not counted when it is queued: a turn makes few of them."""
LARGE: Final = 65536
"""Bytes from which a payload is kept apart in an outbox, rather than copied."""
PATIENCE: Final = 3
"""Turns for which an answer may be deferred while the server is busy."""
CROWDED: Final = 8 << 20
"""Unsent bytes from which a connection's requests wait, except for submissions."""
UNANSWERED: Final = frozenset(
    frame_key(Magic.REQ, number) for number in PacketType if number.name.startswith("WORK_")
)
"""Packets that the server never answers, except for wrong ones."""
SUBMISSIONS: Final = frozenset(
    frame_key(Magic.REQ, number) for number, right in PACKETS.items() if right is Right.INVOKE
)
"""Packets of which a client may send very many before it reads the first answer."""


class Outboxes:
    """Queues bytes for connections, and tracks which connections have some.

    A system call costs more than everything else that a job needs. So writes that can wait are
    batched with later ones to the same peer: they are sent with the next bytes that cannot wait,
    after `PATIENCE` turns, or as soon as the server is no longer busy.

    What is not `SMALL` is counted as it is queued. If `CROWDED` bytes wait for a connection, its
    requests wait too, and from `limit` bytes its submissions; then it is cut off when more comes.
    So a turn takes little memory, and one packet may be larger than the limit.

    Args:
        log: The logger of the server.
        limit: Bytes that may wait for a connection.
        on_cut_off: Called with a connection that is cut off.

    Attributes:
        turn: How many turns have ended.
        limit: As given.
        crowded: Bytes that may wait before requests do.
        dropped: The connections that were cut off in this turn, with their unsent bytes.
    """

    def __init__(self, log: logging.Logger, limit: int, on_cut_off: Callable[[Peer], None]) -> None:
        self.turn: int = 0
        self.limit: int = limit
        self.crowded: int = min(CROWDED, limit // 2)
        self.dropped: dict[Peer, int] = {}
        self._room_to_halt = limit - self.crowded
        self._on_cut_off = on_cut_off
        self._log = log
        self._needing_flush: list[Peer] = []
        self._deferred: collections.deque[tuple[int, Peer]] = collections.deque()

    @property
    def deferred(self) -> bool:
        """Whether writes are deferred."""
        return bool(self._deferred)

    def send(self, peer: Peer, data: bytes) -> None:
        """Queue a few bytes for a connection."""
        if not peer.needs_flush:
            peer.needs_flush = True
            self._needing_flush.append(peer)
        peer.outbox.append(data)

    def send_later(self, peer: Peer, data: bytes) -> None:
        """Queue a few bytes for a connection; the write may be deferred."""
        if not peer.needs_flush and not peer.deferred:
            peer.deferred = True
            self._deferred.append((self.turn, peer))
        peer.outbox.append(data)

    def _count(self, peer: Peer, size: int, copies: int = 1) -> None:
        """Count what was queued; halt a connection for which much waits, or cut it off.

        Args:
            peer: The connection.
            size: Bytes of a packet.
            copies: How often it was queued.
        """
        peer.room = room = peer.room - size * copies
        if room < self._room_to_halt:
            peer.halted = True
            if room + size <= 0:
                self.cut_off(peer)

    def send_piece(self, peer: Peer, data: bytes) -> None:
        """Queue bytes for a connection, few or many."""
        self.send(peer, data)
        self._count(peer, len(data))

    def cut_off(self, peer: Peer) -> None:
        """Disconnect a connection that does not read what it is sent, which is dropped."""
        if peer.outbox is NOWHERE:
            return
        self.dropped[peer] = self.limit - peer.room
        self.close(peer)
        self.forget(peer)
        self._on_cut_off(peer)

    def forget(self, peer: Peer) -> None:
        """Drop what is queued for a connection, and what will be."""
        peer.outbox = peer.sendable = NOWHERE
        peer.held_size = 0
        peer.room = BOUNDLESS

    def sent(self, peer: Peer, waiting: int) -> None:
        """Note that what may be sent was handed over.

        Args:
            peer: The connection.
            waiting: Bytes of it that its transport still holds; 0 if they are few.
        """
        self._count_held(peer)
        unsent = waiting + peer.held_size
        if peer.room <= 0 and unsent > self.limit - peer.room:
            # What is small was not counted, and came to what was too much already.
            self.cut_off(peer)
            return
        peer.room = self.limit - unsent
        peer.halted = peer.closing or peer.answer is not None or self.crowds(peer)

    def crowds(self, peer: Peer) -> bool:
        """Return whether so much waits for a connection that what it asked for waits too."""
        if peer.answer is not None and peer.answer.place is peer.sendable:
            return peer.room + peer.held_size < self._room_to_halt  # the rest waits for the answer
        return peer.room < self._room_to_halt

    def is_full(self, peer: Peer) -> bool:
        """Return whether so much waits for a connection that its submissions wait too.

        What waits for the store will be sent without the connection reading anything before.
        """
        return peer.room <= 0 or (peer.held and self.crowds(peer))

    def send_payload(self, peer: Peer, key: int, head: bytes, payload: bytes) -> None:
        """Queue a packet for a connection; a large payload is sent as it is, uncopied.

        Args:
            peer: The connection.
            key: The packet's first eight bytes, as a number.
            head: Its arguments before the payload, with the NULs that end them.
            payload: The last argument.
        """
        header = HEADER.pack(key, len(head) + len(payload)) + head
        if len(payload) <= SMALL:
            self.send(peer, header + payload)
        elif len(payload) < LARGE:
            self.send_piece(peer, header + payload)
        else:
            self._send_shared(peer, header, payload, 1)

    def _send_shared(self, peer: Peer, header: bytes, body: bytes, times: int) -> None:
        """Queue a large packet, or several that are equal, without copying it."""
        self._flush_later(peer)
        peer.outbox.extend(([header, body] if header else [body]) * times)
        peer.bulky = True
        self._count(peer, len(header) + len(body), times)

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
                if times == 1:
                    send = self.send if len(peer.submitted) < 2 else self.send_later
                    send(peer, data)
                    if len(data) > SMALL:
                        self._count(peer, len(data))
                else:
                    self._send_shared(peer, b"", data, times)
        else:
            for peer, times in peers.items():
                self._send_shared(peer, header, body, times)

    def send_packet(self, peer: Peer, packet: BasePacket) -> None:
        """Queue a packet for a connection."""
        self.send(peer, encode(packet, Magic.RES))

    def send_error(self, peer: Peer, code: bytes, text: bytes) -> None:
        """Queue an ERROR for a connection, which stays open."""
        self._log.info("Error for %r: %r %r", peer, code, text)
        self.send_packet(peer, Error(code, text))

    def hold(self, peer: Peer, parts: list[bytes]) -> None:
        """Keep back what is queued for a connection from now on.

        Args:
            peer: The connection.
            parts: The list that gathers it, for `release`.
        """
        self._count_held(peer)
        peer.outbox = parts
        peer.counted = 0

    def _count_held(self, peer: Peer) -> None:
        """Count what was kept back since the last time."""
        if peer.held:
            peer.held_size += sum(map(len, peer.outbox[peer.counted :]))
            peer.counted = len(peer.outbox)

    def replace(self, peer: Peer, parts: list[bytes], place: int, data: bytes) -> None:
        """Replace bytes that are kept back."""
        if parts is not peer.outbox or place < peer.counted:
            peer.held_size += len(data) - len(parts[place])
        parts[place] = data

    def release(self, peer: Peer, parts: list[bytes]) -> None:
        """Send bytes that were kept back.

        Args:
            peer: The connection.
            parts: The bytes, which follow those that may be sent already.
        """
        self._count_held(peer)
        peer.held_size -= sum(map(len, parts))
        peer.sendable.extend(parts)
        if any(len(part) >= LARGE for part in parts):
            peer.bulky = True
        if peer.outbox is parts:
            peer.outbox = peer.sendable
        if peer.answer is not None and peer.answer.place is parts:
            peer.answer.place = peer.sendable
        peer.halted = True  # until it is flushed, and what it holds is known again
        self._flush_later(peer)

    def begin_answer(self, peer: Peer, slices: Iterator[bytes]) -> LongAnswer:
        """Begin a long answer to a connection; what else is queued for it from now on follows."""
        answer = peer.answer = LongAnswer(slices, peer.outbox)
        self.hold(peer, answer.after)
        return answer

    def send_slice(self, peer: Peer, answer: LongAnswer, data: bytes) -> None:
        """Queue a slice of a long answer."""
        answer.place.append(data)
        if answer.place is not peer.sendable:
            peer.held_size += len(data)
        self._flush_later(peer)
        self._count(peer, len(data))

    def end_answer(self, peer: Peer, answer: LongAnswer) -> None:
        """Queue what follows a long answer that has ended."""
        peer.answer = None
        if answer.place is peer.sendable:
            self.release(peer, answer.after)
        else:
            self._count_held(peer)
            answer.place.extend(answer.after)
            if peer.outbox is answer.after:
                peer.outbox = answer.place
                peer.counted = len(answer.place)
        peer.halted = peer.closing or self.crowds(peer)

    def close(self, peer: Peer) -> None:
        """Mark a connection to be closed once its outbox is sent."""
        if peer.answer is not None:
            self.end_answer(peer, peer.answer)
        peer.closing = peer.halted = True
        self._flush_later(peer)

    def _flush_later(self, peer: Peer) -> None:
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
