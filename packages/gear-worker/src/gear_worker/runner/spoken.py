"""What a runner and the processes of its pool say to each other: length, then MessagePack."""

import struct
from collections.abc import Iterator
from typing import Final, Generic, TypeVar

import msgspec

from gear_worker.runner.calls import Ending

T = TypeVar("T")
_LENGTH: Final = struct.Struct("!Q")


class Begin(msgspec.Struct, frozen=True, tag=1):
    """Run a function.

    Attributes:
        function: Its name.
        handle: The job handle.
        unique: The job's unique.
        arguments: The payload.
        attempt: The number of the try, from 1.
        time_left: Seconds until the runner ends the process; None without a timeout.
    """

    function: str
    handle: bytes
    unique: bytes | None
    arguments: bytes
    attempt: int
    time_left: float | None


class Ready(msgspec.Struct, frozen=True, tag=1):
    """The process can run functions."""


class Broken(msgspec.Struct, frozen=True, tag=2):
    """The process could not be made ready, and ends.

    Attributes:
        error: Why.
    """

    error: str


class Status(msgspec.Struct, frozen=True, tag=3):
    """A WORK_STATUS."""

    numerator: bytes
    denominator: bytes


class Warn(msgspec.Struct, frozen=True, tag=4):
    """A WORK_WARNING."""

    payload: bytes


class Data(msgspec.Struct, frozen=True, tag=5):
    """A WORK_DATA."""

    payload: bytes


class Ended(msgspec.Struct, frozen=True, tag=6):
    """The function has ended.

    Attributes:
        ending: How.
        spent: Whether the process ends now, since it has run enough jobs or has grown too large.
    """

    ending: Ending
    spent: bool


Said = Ready | Broken | Status | Warn | Data | Ended
"""What a process says."""


def pack(message: msgspec.Struct) -> bytes:
    """Return a message as it is sent."""
    data = msgspec.msgpack.encode(message)
    return _LENGTH.pack(len(data)) + data


class Unpacker(Generic[T]):
    """Makes messages of the bytes that come.

    Args:
        decoder: Knows what may come.
    """

    def __init__(self, decoder: msgspec.msgpack.Decoder[T]) -> None:
        self._decode = decoder.decode
        self._parts: list[bytes] = []
        self._size = 0
        self._needed = _LENGTH.size

    def feed(self, data: bytes) -> Iterator[T]:
        """Take in bytes, and yield the messages that are whole."""
        self._parts.append(data)
        self._size += len(data)
        if self._size < self._needed:
            return
        whole = b"".join(self._parts)
        start = 0
        while True:
            self._needed = _LENGTH.size
            if len(whole) - start >= _LENGTH.size:
                self._needed += _LENGTH.unpack_from(whole, start)[0]
            if len(whole) - start < self._needed or self._needed == _LENGTH.size:
                break
            yield self._decode(whole[start + _LENGTH.size : start + self._needed])
            start += self._needed
        rest = whole[start:]
        self._parts = [rest]
        self._size = len(rest)
