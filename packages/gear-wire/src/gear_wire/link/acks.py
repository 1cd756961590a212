"""Acknowledges what has come of a large packet at once."""

import contextlib
import socket
from typing import Final, Protocol

_QUICKACK: Final[int | None] = getattr(socket, "TCP_QUICKACK", None)


class Settable(Protocol):
    """A socket, as far as its options go."""

    def setsockopt(self, level: int, option: int, value: int, /) -> None:
        """Set an option."""


def acknowledge(sock: Settable) -> None:
    """Have the kernel acknowledge now what was read, where it can.

    Call it after each read of a packet that goes on: the kernel soon delays again. libgearman and
    gearmand have send buffers of 32 KiB, no more than a segment or two on the loopback interface;
    each delayed acknowledgement costs them 40 ms.
    """
    if _QUICKACK is not None:
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)
