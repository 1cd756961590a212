"""Sockets that a process forked from this one inherits, and must let go of."""

import os
import socket
import weakref
from collections.abc import Iterable

_sockets: weakref.WeakSet[socket.socket] = weakref.WeakSet()


def let_go_when_forked(sock: socket.socket) -> None:
    """Have a socket taken from whichever child this process forks, and left alone here.

    The child's descriptor is made one of the null device: so the child holds no connection, cannot
    write to it or shut it down, and closes nothing else when it drops what it inherited.

    Args:
        sock: The socket; it is not kept alive.
    """
    _sockets.add(sock)


def let_go(descriptors: Iterable[int]) -> None:
    """Make descriptors of a forked child ones of the null device; negative ones are no descriptors.

    Args:
        descriptors: The descriptors, which the parent has as well and uses further.
    """
    null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    try:
        for descriptor in descriptors:
            if descriptor >= 0:
                os.dup2(null, descriptor, inheritable=False)
    finally:
        os.close(null)


def _let_go() -> None:
    descriptors = [sock.fileno() for sock in _sockets]
    _sockets.clear()
    let_go(descriptors)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_let_go)
