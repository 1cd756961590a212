"""Random packets, lines and cuts for hypothesis, and settings that make all runs the same."""

import itertools

from hypothesis import settings
from hypothesis import strategies as st

from gear_wire.packets import BasePacket
from gear_wire.table import BY_STRUCT, PacketInfo

repeatable = settings(derandomize=True, deadline=None, database=None)

payloads = st.binary(max_size=80)
arguments = st.binary(max_size=24).map(lambda value: value.replace(b"\0", b"."))
words = st.text("abcdefghijklmnopqrstuvwxyzABC0123456789_-/:.%äß", min_size=1, max_size=12).map(
    str.encode
)
numbers = st.integers(0, 1 << 40)


def packets_of(info: PacketInfo) -> st.SearchStrategy[BasePacket]:
    """Give packets of one struct, with any arguments that it may have."""
    fields = {name: payloads if name == "payload" else arguments for name in info.arguments}
    return st.builds(info.struct, **fields)


packets: st.SearchStrategy[BasePacket] = st.one_of(
    [packets_of(info) for info in BY_STRUCT.values()]
)
lines = st.lists(words, min_size=1, max_size=5).flatmap(
    lambda line: st.sampled_from([b"\n", b"\r\n"]).map(lambda end: b" ".join(line) + end)
)
marks = st.lists(st.integers(0, 1 << 20), max_size=30)


def cut(data: bytes, places: list[int]) -> list[bytes]:
    """Return the pieces of a stream that is cut at the given places, each modulo its length."""
    positions = sorted({place % (len(data) + 1) for place in places} | {0, len(data)})
    return [data[start:end] for start, end in itertools.pairwise(positions)]
