"""Frames and packets: whatever is sent comes out the same, wherever the stream is cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gear_wire.codec import decode, encode, to_frame
from gear_wire.enums import Magic
from gear_wire.errors import InvalidDataError, ProtocolError
from gear_wire.framing import Event, Frame, FrameReader, Malformed, TextLine
from gear_wire.packets import BasePacket
from gear_wire.table import BY_KEY, BY_STRUCT, BY_TYPE, PacketInfo
from support.wire_strategies import arguments, cut, lines, marks, packets, payloads, repeatable

magics = st.sampled_from(Magic)
infos = st.sampled_from(list(BY_STRUCT.values()))
# Bytes that are often a header, or the beginning of one.
streams = st.lists(
    st.one_of(
        st.binary(max_size=20),
        st.sampled_from([b"\0", b"\0REQ", b"\0RES", b"\0REX", b"\n", b"\0\0\0\x01", b"\xff" * 4]),
        packets.map(encode),
        lines,
    ),
    max_size=8,
).map(b"".join)


def read(reader: FrameReader, data: bytes, places: list[int]) -> list[Event]:
    return [event for piece in cut(data, places) for event in reader.feed(piece)]


def without_reasons(events: list[Event]) -> list[Event]:
    """Return events without what is said of a malformed end: it quotes what has come of it."""
    return [Malformed("") if isinstance(event, Malformed) else event for event in events]


@repeatable
@given(packets, magics)
def test_a_packet_is_the_same_after_encode_and_decode(packet: BasePacket, magic: Magic) -> None:
    (frame,) = FrameReader().feed(encode(packet, magic))
    assert frame == to_frame(packet, magic)
    assert isinstance(frame, Frame)
    assert (frame.magic, decode(frame)) == (magic, packet)


@repeatable
@given(st.lists(packets, max_size=12), magics, marks)
def test_packets_come_out_of_a_stream_in_pieces(
    sent: list[BasePacket], magic: Magic, places: list[int]
) -> None:
    reader = FrameReader()
    events = read(reader, b"".join(encode(packet, magic) for packet in sent), places)
    assert [decode(event) for event in events if isinstance(event, Frame)] == sent
    assert len(events) == len(sent)
    assert reader.held == 0


@repeatable
@given(st.lists(packets | lines, max_size=12), marks)
def test_packets_and_lines_are_mixed(sent: list[BasePacket | bytes], places: list[int]) -> None:
    data = b"".join(what if isinstance(what, bytes) else encode(what) for what in sent)
    expected = [TextLine(what) if isinstance(what, bytes) else to_frame(what) for what in sent]
    assert read(FrameReader(), data, places) == expected


@repeatable
@given(packets, st.data())
def test_bytes_of_a_packet_are_held_until_it_is_whole(
    packet: BasePacket, data: st.DataObject
) -> None:
    stream, reader = encode(packet), FrameReader()
    end = data.draw(st.integers(0, len(stream) - 1))
    assert reader.feed(stream[:end]) == []
    assert reader.held == end
    assert reader.feed(stream[end:]) == [to_frame(packet)]


@repeatable
@given(infos, st.data())
def test_a_nul_is_refused_in_every_argument_but_the_payload(
    info: PacketInfo, data: st.DataObject
) -> None:
    values = [data.draw(payloads if name == "payload" else arguments) for name in info.arguments]
    for index, name in enumerate(info.arguments):
        if name == "payload":
            continue
        before, after = data.draw(arguments), data.draw(arguments)
        forged = [*values[:index], before + b"\0" + after, *values[index + 1 :]]
        with pytest.raises(InvalidDataError, match=f"^{name} of {info.number.name} must not"):
            encode(info.struct(*forged))


@repeatable
@given(streams, marks, st.integers(0, 40), st.integers(1, 40) | st.none())
def test_any_bytes_are_events_and_nothing_comes_after_the_malformed(
    data: bytes, places: list[int], largest: int, longest: int | None
) -> None:
    reader = FrameReader(max_packet_size=largest, max_line_size=longest)
    events = read(reader, data, places)
    assert all(isinstance(event, Frame | TextLine) for event in events[:-1])
    if events and isinstance(events[-1], Malformed):
        assert reader.feed(encode(BY_TYPE[6].struct())) == []
    for event in events:
        if isinstance(event, Frame):
            assert len(event.body) <= largest
        elif isinstance(event, TextLine):
            assert longest is None or len(event.line) <= longest


@repeatable
@given(streams, marks, st.integers(0, 40), st.integers(1, 40) | st.none())
def test_the_cuts_change_nothing(
    data: bytes, places: list[int], largest: int, longest: int | None
) -> None:
    whole = FrameReader(largest, longest).feed(data)
    pieces = read(FrameReader(largest, longest), data, places)
    assert without_reasons(pieces) == without_reasons(whole)


@repeatable
@given(streams, marks, st.integers(1, 5))
def test_slices_of_few_events_are_the_same_events(
    data: bytes, places: list[int], most: int
) -> None:
    reader = FrameReader(most=most)
    events = []
    for piece in cut(data, places):
        slices = [reader.feed(piece)]
        while reader.more:
            slices.append(reader.read_on())
        # A packet that had begun comes in addition.
        assert all(len(some) <= most + 1 for some in slices)
        events += [event for some in slices for event in some]
    assert events == read(FrameReader(), data, places)


@repeatable
@given(streams, marks)
def test_what_is_fed_before_the_rest_was_read_comes_behind_it(
    data: bytes, places: list[int]
) -> None:
    reader = FrameReader(most=1)
    events = read(reader, data, places)
    while reader.more:
        events += reader.read_on()
    assert without_reasons(events) == without_reasons(FrameReader().feed(data))


@repeatable
@given(streams, marks)
def test_what_is_held_and_what_came_out_is_all_that_went_in(data: bytes, places: list[int]) -> None:
    reader = FrameReader(max_line_size=None)
    events = read(reader, data, places)
    if events and isinstance(events[-1], Malformed):
        return
    out = b"".join(
        event.to_bytes() if isinstance(event, Frame) else event.line
        for event in events
        if not isinstance(event, Malformed)
    )
    assert out + data[len(data) - reader.held :] == data


@repeatable
@given(st.sampled_from(sorted(BY_KEY)) | st.integers(0, (1 << 64) - 1), st.binary(max_size=60))
def test_any_frame_is_decoded_or_refused(key: int, body: bytes) -> None:
    try:
        packet = decode(Frame(key, body))
    except ProtocolError:
        assert key not in BY_KEY or body.count(b"\0") < len(BY_KEY[key].arguments) - 1
        return
    info = BY_KEY[key]
    assert type(packet) is info.struct
    # What was read can be sent again, and is the same then.
    assert decode(to_frame(packet)) == packet
    if info.greedy:
        assert to_frame(packet).body == body
