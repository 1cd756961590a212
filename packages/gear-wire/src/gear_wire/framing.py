"""Cuts a stream of bytes into frames and lines of text; what they mean is in `codec` and `text`.

A message whose first byte is NUL is a packet: magic, type and length of twelve bytes, then the
data. Any other is a line of the administrative protocol. Both may be mixed on a connection and
split at any byte.
"""

import struct
import sys
from typing import Final

import msgspec

from gear_wire.enums import Magic, PacketType

HEADER: Final = struct.Struct(">QI")
HEADER_SIZE: Final = HEADER.size
MAX_PACKET_SIZE: Final = 1 << 30
"""The largest packet accepted unless told otherwise, in bytes of data."""
MAX_LINE_SIZE: Final = 8192
"""The longest line of a request accepted, as gearmand's read buffer."""

REQUEST_MAGIC: Final = int.from_bytes(Magic.REQ.value)
RESPONSE_MAGIC: Final = int.from_bytes(Magic.RES.value)
_MAGICS: Final = {REQUEST_MAGIC: Magic.REQ, RESPONSE_MAGIC: Magic.RES}
# Nearly all packets are of these: one look tells that their magic is right.
_KNOWN: Final = frozenset(magic << 32 | number for magic in _MAGICS for number in PacketType)
# gear 0.16's server tells with a request that a worker was lost; all else from servers is response.
_FROM_SERVERS: Final = frozenset(
    [RESPONSE_MAGIC << 32 | number for number in PacketType]
    + [REQUEST_MAGIC << 32 | PacketType.WORK_FAIL]
)
_SMALL: Final = 4096
"""Bytes below which pieces are joined: one of a few bytes costs ten times as many."""


class Frame(msgspec.Struct, frozen=True, gc=False):
    """One packet as it came: its first eight bytes as an integer, and its data."""

    key: int
    body: bytes

    @property
    def magic(self) -> Magic:
        """Which side sent it."""
        return _MAGICS[self.key >> 32]

    @property
    def type(self) -> int:
        """The packet's number, known or not."""
        return self.key & 0xFFFFFFFF

    def to_bytes(self) -> bytes:
        """Return the frame as it was on the wire."""
        return HEADER.pack(self.key, len(self.body)) + self.body


class TextLine(msgspec.Struct, frozen=True, gc=False):
    """One line of the administrative protocol, with the line ending it came with."""

    line: bytes


class Malformed(msgspec.Struct, frozen=True, gc=False):
    """The stream is not valid Gearman from here on; nothing after it can be read."""

    reason: str


Event = Frame | TextLine | Malformed


class FrameReader:
    """Turns the bytes of a connection into events, in one pass over each read.

    Bytes of an unfinished packet are kept as they came and joined once, when it is whole: time
    grows with the size of a packet, not with its square.

    Args:
        max_packet_size: Data longer than this, in bytes, is `Malformed`; nothing is allocated
            for it.
        max_line_size: A line longer than this, in bytes, is `Malformed`; None for no limit.
        most: How many events one call returns at most; `read_on` returns the next.
        from_server: Whether a server sends the stream: a request is `Malformed` then.

    Attributes:
        most: As given; it may be changed.
    """

    def __init__(
        self,
        max_packet_size: int = MAX_PACKET_SIZE,
        max_line_size: int | None = MAX_LINE_SIZE,
        most: int = sys.maxsize,
        from_server: bool = False,
    ) -> None:
        self._max_packet_size = max_packet_size
        self._max_line_size = max_line_size
        self.most: int = most
        self._known = _FROM_SERVERS if from_server else _KNOWN
        self._magics = frozenset({RESPONSE_MAGIC}) if from_server else frozenset(_MAGICS)
        self._unread = b""
        self._position = 0
        self._chunks: list[bytes] = []
        self._held = 0
        self._needed = 0
        self._key = 0
        self._in_line = False
        self._broken = False

    @property
    def held(self) -> int:
        """How many bytes of an unfinished message are kept."""
        return self._held

    @property
    def awaited(self) -> int:
        """How many bytes the unfinished packet lacks, as far as its header has come."""
        return max(0, self._needed - self._held) if self._held else 0

    @property
    def more(self) -> bool:
        """Whether bytes that were fed are left for `read_on`."""
        return bool(self._unread)

    @property
    def uncut(self) -> int:
        """How many bytes are left for `read_on`."""
        return len(self._unread) - self._position if self._unread else 0

    @property
    def in_line(self) -> bool:
        """Whether the unfinished message is a line of text."""
        return self._in_line and bool(self._held)

    def feed(self, data: bytes) -> list[Event]:
        """Take the next bytes of the stream and return what they complete.

        A `Malformed` event is the last; feeding more after it returns nothing. While there is
        `more`, what is fed waits behind it.
        """
        if self._broken:
            return []
        if self._unread:
            self._unread = self._unread[self._position :] + data
            self._position = 0
            return []
        if self._held:
            self._keep(data)
            if self._in_line and b"\n" not in data:
                return self._check_line()
            if self._held < self._needed:
                return []
            if self._key:
                return self._finish(self._key)
            data = b"".join(self._chunks)
            self._chunks.clear()
        return self._start(data)

    def read_on(self) -> list[Event]:
        """Return the next events of what was fed before."""
        data, self._unread = self._unread, b""
        return self._start(data, self._position)

    def _keep(self, data: bytes) -> None:
        """Keep more bytes of what is unfinished."""
        self._held += len(data)
        if len(self._chunks[-1]) < _SMALL:
            self._chunks[-1] += data
        else:
            self._chunks.append(data)

    def _check_line(self) -> list[Event]:
        """Return what the unfinished line makes of the stream, if it is too long."""
        events: list[Event] = []
        if self._max_line_size is not None and self._held > self._max_line_size:
            self._refuse_line(events)
        return events

    def hand_over(self, least: int) -> tuple[int, int, list[bytes | memoryview]] | None:
        """Give away the packet that has begun, if so many bytes are still to come of it.

        Only one of which an eighth has come: nobody may have much set aside by announcing it.

        Args:
            least: Bytes that must be missing.

        Returns:
            Its first eight bytes as a number, the size of its data, and what has come of that; None
            when it stays here. What is fed next must be what follows the packet.
        """
        if self._broken or not self._key or not least <= self.awaited <= self._held * 7:
            return None
        key, size = self._key, self._needed - HEADER_SIZE
        begun: list[bytes | memoryview] = [*self._chunks]
        begun[0] = memoryview(self._chunks[0])[HEADER_SIZE:]
        self._chunks.clear()
        self._key = self._held = 0
        return key, size, begun

    def _start(self, data: bytes, position: int = 0) -> list[Event]:
        """Cut what begins with a message, and keep what is unfinished at its end."""
        events, position = self._cut(data, position)
        if len(events) >= self.most and position < len(data) and not self._broken:
            self._unread, self._position = data, position
            self._held = 0
            return events
        rest = len(data) - position
        self._held = rest
        if rest:
            self._chunks.append(data[position:] if position else data)
        return events

    def _finish(self, key: int) -> list[Event]:
        """Join the data of the packet that is whole now, once, and go on behind it."""
        last = self._chunks[-1]
        end = len(last) - (self._held - self._needed)
        parts: list[bytes | memoryview] = [*self._chunks]
        parts[-1] = memoryview(last)[:end]
        parts[0] = memoryview(parts[0])[HEADER_SIZE:]
        frame = Frame(key, b"".join(parts))
        self._chunks.clear()
        self._key = self._held = 0
        return [frame, *self._start(last[end:])]

    def _cut(self, data: bytes, position: int) -> tuple[list[Event], int]:
        events: list[Event] = []
        append = events.append
        unpack = HEADER.unpack_from
        limit = self._max_packet_size
        most = self.most
        known = self._known
        size = len(data)
        while position < size and len(events) < most:
            if data[position]:
                end = data.find(b"\n", position) + 1
                if not end:
                    self._expect_line(size - position, events)
                    break
                if self._max_line_size is not None and end - position > self._max_line_size:
                    self._refuse_line(events)
                    break
                append(TextLine(data[position:end]))
                position = end
                continue
            start = position + HEADER_SIZE
            if start > size:
                self._expect_header(data[position:], events)
                break
            key, length = unpack(data, position)
            if key not in known and key >> 32 not in self._magics:
                self._refuse(f"magic {data[position : position + 4]!r}", events)
                break
            end = start + length
            if end > size:
                self._expect_body(key, length, events)
                break
            if length > limit:
                self._refuse(f"a packet of {length} bytes", events)
                break
            append(Frame(key, data[start:end]))
            position = end
        return events, position

    def _expect_line(self, held: int, events: list[Event]) -> None:
        self._needed = 0
        self._in_line = True
        if self._max_line_size is not None and held > self._max_line_size:
            self._refuse_line(events)

    def _expect_header(self, head: bytes, events: list[Event]) -> None:
        self._in_line = False
        # What begins with another magic is refused at once, and not when a header is whole.
        self._needed = HEADER_SIZE if len(head) >= 4 else 0
        if not any(magic.value.startswith(head[:4]) for magic in Magic):
            self._refuse(f"magic {head[:4]!r}", events)

    def _expect_body(self, key: int, length: int, events: list[Event]) -> None:
        self._in_line = False
        self._key = key
        self._needed = HEADER_SIZE + length
        if length > self._max_packet_size:
            self._refuse(f"a packet of {length} bytes", events)

    def _refuse_line(self, events: list[Event]) -> None:
        self._refuse(f"a line of over {self._max_line_size} bytes", events)

    def _refuse(self, what: str, events: list[Event]) -> None:
        self._broken = True
        events.append(Malformed(f"{what} is not acceptable"))
