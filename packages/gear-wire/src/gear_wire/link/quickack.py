"""Acknowledges the parts of a large packet at once."""

import contextlib
import socket
from typing import Final, Protocol

ENOUGH: Final = 131072
"""Bytes of one read that show that the sender does not wait for an acknowledgement."""
_QUICKACK: Final[int | None] = getattr(socket, "TCP_QUICKACK", None)


class Settable(Protocol):
    """A socket, as far as its options go."""

    def setsockopt(self, level: int, option: int, value: int, /) -> None:
        """Set an option."""


def acknowledge(sock: Settable, size: int) -> None:
    """Make the kernel acknowledge now what was read, where it can.

    Call it after each read of a packet that goes on: the kernel soon delays again. libgearman and
    gearmand have send buffers of 32 KiB, no more than a segment or two on the loopback interface;
    each delayed acknowledgement costs them 40 ms.

    Args:
        sock: The socket.
        size: How many bytes were read at once.
    """
    if _QUICKACK is not None and size < ENOUGH:
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)
