"""Packets that are handed over by the reader, and read to where they stay."""

import gc
import tracemalloc
import weakref
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from gear_wire.enums import Magic
from gear_wire.framing import HEADER, Event, Frame, FrameReader
from gear_wire.large import MOST_AT_ONCE, LargeFrame
from gear_wire.table import frame_key
from support.wire_strategies import repeatable

ECHO = frame_key(Magic.REQ, 16)
LEAST = 100
SIZE = 1000


def packet(body: bytes) -> bytes:
    return HEADER.pack(ECHO, len(body)) + body


def body_of(size: int) -> bytes:
    return bytes(index % 251 for index in range(size))


def begun(reader: FrameReader, came: int) -> LargeFrame | None:
    reader.feed(packet(body_of(SIZE))[:came])
    unfinished = reader.hand_over(LEAST)
    return None if unfinished is None else LargeFrame(*unfinished)


def test_a_packet_is_read_to_its_end() -> None:
    reader = FrameReader()
    large = begun(reader, 300)
    assert large is not None
    assert reader.held == reader.awaited == 0
    rest = packet(body_of(SIZE))[300:]
    assert len(large.room()) == len(rest)
    large.room()[:500] = rest[:500]
    assert not large.fill(500)
    large.room()[:] = rest[500:]
    assert large.fill(len(rest) - 500)
    assert len(large.room()) == 0
    assert large.frame() == Frame(ECHO, body_of(SIZE))
    assert reader.feed(packet(b"next")) == [Frame(ECHO, b"next")]


def test_one_that_is_given_up_goes_without_a_word() -> None:
    """As part of a circle of references, as with a connection that is lost."""
    large = begun(FrameReader(), 300)
    assert large is not None
    large.room()[:1] = b"x"
    buffer = weakref.ref(large._data)
    vars(large)["itself"] = large
    del large
    gc.collect()  # an exception in here fails the test
    assert buffer() is None


def test_it_is_handed_over_when_an_eighth_has_come_and_enough_is_missing() -> None:
    whole = SIZE + HEADER.size
    assert begun(FrameReader(), whole // 8) is None
    assert begun(FrameReader(), whole // 8 + 1) is not None
    assert begun(FrameReader(), whole - LEAST) is not None
    assert begun(FrameReader(), whole - LEAST + 1) is None


def test_what_has_not_begun_stays() -> None:
    for data in (b"", packet(b"x"), packet(b"x") + packet(body_of(SIZE))[:11], b"status"):
        reader = FrameReader()
        reader.feed(data)
        assert reader.hand_over(0) is None


def test_too_large_a_packet_is_not_handed_over() -> None:
    reader = FrameReader(max_packet_size=SIZE - 1)
    reader.feed(packet(body_of(SIZE))[:500])
    assert reader.hand_over(LEAST) is None


def test_nothing_is_copied_but_what_had_come() -> None:
    size = 8 << 20
    whole = packet(bytes(size))
    reader = FrameReader()
    reader.feed(whole[: size // 4])
    unfinished = reader.hand_over(LEAST)
    assert unfinished is not None
    rest = memoryview(whole)[size // 4 :]
    tracemalloc.start()
    try:
        large = LargeFrame(*unfinished)
        while rest:
            room = large.room()
            assert len(room) <= MOST_AT_ONCE
            room[:] = rest[: len(room)]
            large.fill(len(room))
            rest = rest[len(room) :]
            room.release()
        frame = large.frame()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(frame.body) == size
    assert peak < size * 1.3


@repeatable
@given(
    st.lists(st.integers(0, 3000), min_size=1, max_size=4),
    st.lists(st.integers(1, 10_000), max_size=20),
)
def test_handed_over_or_not_the_packets_are_the_same(sizes: list[int], places: list[int]) -> None:
    stream = b"".join(packet(body_of(size)) for size in sizes)
    cuts = sorted({0, len(stream), *(place % len(stream) for place in places)})
    reader, events = FrameReader(), list[Event]()
    large: LargeFrame | None = None
    for start, end in pairwise(cuts):
        data = stream[start:end]
        if large is not None:
            taken = min(len(data), len(large.room()))
            large.room()[:taken] = data[:taken]
            if not large.fill(taken):
                continue
            events.append(large.frame())
            large, data = None, data[taken:]
        events += reader.feed(data)
        unfinished = reader.hand_over(LEAST)
        if unfinished is not None:
            large = LargeFrame(*unfinished)
    assert events == FrameReader().feed(stream)
