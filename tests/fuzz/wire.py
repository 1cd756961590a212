"""What any bytes may do to framing, codec and the parsers of text."""

from gear_wire.codec import decode, to_frame
from gear_wire.errors import InvalidDataError, ProtocolError, ServerError
from gear_wire.framing import Event, Frame, FrameReader, Malformed
from gear_wire.large import LargeFrame
from gear_wire.table import BY_STRUCT
from gear_wire.text import (
    is_refusal,
    parse_connection,
    parse_function_counters,
    parse_function_queue,
    parse_function_status,
    parse_job,
    parse_line,
    parse_rows,
    parse_unique,
)

MAX_PACKET_SIZE = 1000
MAX_LINE_SIZE = 100
ALL = 1 << 20
PARSERS = [
    parse_function_status,
    parse_function_queue,
    parse_connection,
    parse_function_counters,
    parse_job,
    parse_unique,
]


def _read(data: bytes, pieces: list[int], at_once: int) -> list[Event]:
    """Return the events of a stream that comes in pieces, some packets in place."""
    reader = FrameReader(MAX_PACKET_SIZE, MAX_LINE_SIZE, at_once)
    events: list[Event] = []
    large: LargeFrame | None = None
    for number, size in enumerate([*pieces, len(data)]):
        piece, data = data[:size], data[size:]
        if large is not None:
            room = large.room()
            fits = min(len(room), len(piece))
            room[:fits] = piece[:fits]
            room.release()
            if not large.fill(fits):
                continue
            events.append(large.frame())
            large, piece = None, piece[fits:]
        events += reader.feed(piece)
        while reader.more:
            events += reader.read_on()
        assert reader.held <= MAX_PACKET_SIZE + 12
        unfinished = reader.hand_over(1 + number)
        large = LargeFrame(*unfinished) if unfinished is not None else None
    # A wrong byte is seen earlier if it comes alone, and called by another name.
    return [Malformed("") if isinstance(event, Malformed) else event for event in events]


def framing(data: bytes) -> None:
    """However a stream is cut, its messages are the same, and their bytes are those of it."""
    cuts, stream = list(data[:4]), data[4:]
    whole = _read(stream, [], ALL)
    assert _read(stream, cuts, ALL) == whole
    assert _read(stream, cuts, 2) == whole
    assert all(not isinstance(event, Malformed) for event in whole[:-1])
    position = 0
    for event in whole:
        if not isinstance(event, Malformed):
            said = event.to_bytes() if isinstance(event, Frame) else event.line
            assert stream[position : position + len(said)] == said
            position += len(said)


def codec(data: bytes) -> None:
    """What decodes is encoded to the same packet; what does not raises a ProtocolError."""
    for event in FrameReader(max_line_size=None).feed(data):
        if isinstance(event, Frame):
            try:
                packet = decode(event)
            except ProtocolError:
                continue
            frame = to_frame(packet, event.magic)
            assert decode(frame) == packet
            info = BY_STRUCT[type(packet)]
            if info.greedy:
                assert frame == event


def text(data: bytes) -> None:
    """A reply is read, or raises one of two errors."""
    is_refusal(data)
    for parse in PARSERS:
        try:
            parse(data)
        except InvalidDataError:
            pass
        try:
            parse_rows(data, parse)
        except (InvalidDataError, ServerError):
            pass
    try:
        parse_line(data)
    except ServerError:
        pass
