"""Packets as bytes, right ones and wrong ones; this needs no gear, which is what is attacked."""

import enum
import struct

REQUEST = b"\0REQ"
RESPONSE = b"\0RES"
HEADER = struct.Struct(">4sII")
PROMISE = 128 << 20
"""Bytes of data that an unfinished packet announces: as much as geard accepts by default."""


class Kind(enum.IntEnum):
    """Types of packets."""

    CAN_DO = 1
    RESET_ABILITIES = 3
    PRE_SLEEP = 4
    NOOP = 6
    SUBMIT_JOB = 7
    JOB_CREATED = 8
    GRAB_JOB = 9
    NO_JOB = 10
    JOB_ASSIGN = 11
    WORK_COMPLETE = 13
    WORK_FAIL = 14
    GET_STATUS = 15
    ECHO_REQ = 16
    SUBMIT_JOB_BG = 18
    ERROR = 19
    SET_CLIENT_ID = 22
    CAN_DO_TIMEOUT = 23
    WORK_DATA = 28
    SUBMIT_JOB_EPOCH = 36
    GET_STATUS_UNIQUE = 41


def packet(kind: int, *arguments: bytes, magic: bytes = REQUEST) -> bytes:
    """Return a packet."""
    body = b"\0".join(arguments)
    return HEADER.pack(magic, kind, len(body)) + body


def unfinished(kind: int, *arguments: bytes, promise: int = PROMISE) -> bytes:
    """Return the beginning of a packet that promises more data than it has."""
    return HEADER.pack(REQUEST, kind, promise) + b"\0".join(arguments)


class Splitter:
    """Cuts a stream into packets."""

    def __init__(self) -> None:
        self._data = bytearray()

    def feed(self, data: bytes) -> list[tuple[int, bytes]]:
        """Return the type and the body of each packet that is complete now."""
        self._data += data
        found = []
        place = 0
        while len(self._data) - place >= HEADER.size:
            _, kind, size = HEADER.unpack_from(self._data, place)
            end = place + HEADER.size + size
            if end > len(self._data):
                break
            found.append((kind, bytes(self._data[place + HEADER.size : end])))
            place = end
        del self._data[:place]
        return found
