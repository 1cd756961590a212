"""FrameReader over literal bytes; random streams are in tests/properties."""

import tracemalloc

import pytest

from gear_wire.enums import Magic
from gear_wire.framing import (
    MAX_LINE_SIZE,
    MAX_PACKET_SIZE,
    Event,
    Frame,
    FrameReader,
    Malformed,
    TextLine,
)
from gear_wire.table import frame_key

NOOP = b"\0RES\0\0\0\x06\0\0\0\0"
ECHO = b"\0REQ\0\0\0\x10\0\0\0\x03a\0b"


def feed_each(reader: FrameReader, *pieces: bytes) -> list[Event]:
    return [event for piece in pieces for event in reader.feed(piece)]


def test_a_frame_keeps_magic_type_and_data() -> None:
    (frame,) = FrameReader().feed(ECHO)
    assert isinstance(frame, Frame)
    assert (frame.magic, frame.type, frame.body) == (Magic.REQ, 16, b"a\0b")
    assert frame.key == frame_key(Magic.REQ, 16)
    assert frame.to_bytes() == ECHO


def test_packets_and_lines_in_one_read() -> None:
    reader = FrameReader()
    events = reader.feed(NOOP + b"status\r\n" + ECHO + b"version\n" + NOOP)
    assert events == [
        Frame(frame_key(Magic.RES, 6), b""),
        TextLine(b"status\r\n"),
        Frame(frame_key(Magic.REQ, 16), b"a\0b"),
        TextLine(b"version\n"),
        Frame(frame_key(Magic.RES, 6), b""),
    ]
    assert reader.held == 0


def test_byte_by_byte() -> None:
    stream = ECHO + b"version\n" + NOOP
    reader = FrameReader()
    events = feed_each(reader, *(stream[at : at + 1] for at in range(len(stream))))
    assert events == FrameReader().feed(stream)
    assert reader.held == 0


def test_a_message_that_is_not_whole_is_held() -> None:
    reader = FrameReader()
    assert reader.feed(NOOP + ECHO[:5]) == [Frame(frame_key(Magic.RES, 6), b"")]
    assert reader.held == 5
    assert reader.feed(ECHO[5:14]) == []
    assert reader.held == 14
    assert reader.feed(ECHO[14:] + b"ver") == [Frame(frame_key(Magic.REQ, 16), b"a\0b")]
    assert reader.held == 3
    assert reader.feed(b"") == []
    assert reader.feed(b"sion\n") == [TextLine(b"version\n")]


def test_an_empty_line_is_a_line() -> None:
    assert FrameReader().feed(b"\n\r\n") == [TextLine(b"\n"), TextLine(b"\r\n")]


@pytest.mark.parametrize(
    "pieces", [(b"\0XXX" + bytes(8),), (b"\0X",), (b"\0RE", b"X"), (b"\0", b"\0")]
)
def test_another_magic_ends_the_stream_at_once(pieces: tuple[bytes, ...]) -> None:
    reader = FrameReader()
    events = feed_each(reader, *pieces)
    assert len(events) == 1
    assert isinstance(events[0], Malformed)
    assert "magic" in events[0].reason
    assert reader.feed(NOOP) == []


def test_what_came_before_the_malformed_is_given() -> None:
    events = FrameReader().feed(NOOP + b"\0BAD" + bytes(8) + NOOP)
    assert [type(event) for event in events] == [Frame, Malformed]


@pytest.mark.parametrize("whole", [True, False])
def test_a_packet_over_the_limit(whole: bool) -> None:
    reader = FrameReader(max_packet_size=2)
    events = reader.feed(ECHO if whole else ECHO[:12])
    assert events == [Malformed("a packet of 3 bytes is not acceptable")]
    assert FrameReader(max_packet_size=3).feed(ECHO) == FrameReader().feed(ECHO)


@pytest.mark.parametrize(
    "pieces", [(b"x" * 9 + b"\n",), (b"x" * 9,), (b"xxxxx", b"xxxxx"), (b"x" * 8, b"\n")]
)
def test_a_line_over_the_limit(pieces: tuple[bytes, ...]) -> None:
    reader = FrameReader(max_line_size=8)
    assert feed_each(reader, *pieces) == [Malformed("a line of over 8 bytes is not acceptable")]
    assert reader.feed(NOOP) == []


def test_a_line_of_the_limit() -> None:
    line = b"x" * (MAX_LINE_SIZE - 1) + b"\n"
    assert FrameReader().feed(line) == [TextLine(line)]


def allocated_by(reader: FrameReader, data: bytes) -> int:
    """Return the most bytes that were allocated at once while the reader took some in."""
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        reader.feed(data)
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("length", [MAX_PACKET_SIZE, 0xFFFFFFFF])
def test_a_header_alone_allocates_nothing(length: int) -> None:
    header = b"\0REQ\0\0\0\x10" + length.to_bytes(4)
    assert allocated_by(FrameReader(), header) < 4096


@pytest.mark.parametrize("start", [b"\0REQ\0\0\0\x10\x10\0\0\0", b"x"], ids=["a packet", "a line"])
def test_what_is_held_is_not_copied_with_each_read(start: bytes) -> None:
    reader = FrameReader(max_line_size=None)
    reader.feed(start)
    piece = b"x" * (1 << 16)
    for _ in range(15):
        reader.feed(piece)
    assert reader.held == len(start) + 15 * len(piece)
    assert allocated_by(reader, piece) < len(piece)


def test_a_long_line_without_limit() -> None:
    reader = FrameReader(max_line_size=None)
    pieces = [b"x" * (1 << 16)] * 16
    assert feed_each(reader, *pieces) == []
    assert reader.feed(b"\n" + NOOP) == [
        TextLine(b"".join(pieces) + b"\n"),
        Frame(frame_key(Magic.RES, 6), b""),
    ]
