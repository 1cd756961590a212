"""A large packet that is read to where it stays; who reads it is in the faces."""

import io
from collections.abc import Iterable
from typing import Final

from gear_wire.framing import Frame

MOST_AT_ONCE: Final = 1 << 20
"""Bytes that are read at once: more would not be faster, and keep others waiting."""


class LargeFrame:
    """Takes in the rest of one packet without copying a byte of it.

    Bytes that come in pieces are copied twice more, out of the buffer of each read and into one
    piece: with packets of a megabyte that is a quarter of all work.

    Args:
        key: The packet's first eight bytes, as a number.
        size: How many bytes of data it has.
        begun: What has come of that.
    """

    def __init__(self, key: int, size: int, begun: Iterable[bytes | memoryview]) -> None:
        self._key = key
        self._size = size
        # Its buffer becomes a bytes object as it is, which that of a bytearray cannot. Nor has it
        # been touched: memory is taken for what has come, and not for what was announced.
        self._data = io.BytesIO(bytes(size))
        self._held = 0
        with self._data.getbuffer() as room:
            for piece in begun:
                room[self._held : self._held + len(piece)] = piece
                self._held += len(piece)

    @property
    def held(self) -> int:
        """How many bytes of the data have come."""
        return self._held

    def room(self) -> memoryview:
        """Return where the next bytes belong, for one read; empty when none are missing."""
        # No view is kept: a buffer that is given up could not be closed under it.
        return self._data.getbuffer()[self._held : self._held + MOST_AT_ONCE]

    def fill(self, size: int) -> bool:
        """Note that so many bytes came; True when none are missing."""
        self._held += size
        return self._held == self._size

    def frame(self) -> Frame:
        """Return the packet, once it is whole and nobody holds what `room` gave."""
        return Frame(self._key, self._data.getvalue())
