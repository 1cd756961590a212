"""Has a selector ignore a socket for a moment, while another thread reads it (`reading`)."""

from __future__ import annotations

import os
import select
import selectors
import socket

from gear_wire.link.inherited import let_go_when_forked


class Pauses:
    """Changes what a selector watches behind its back, at half the cost of registering.

    A second descriptor of the selector's list of sockets is all that it takes. A socket that is
    paused still wakes the selector when its connection breaks.

    Args:
        selector: Any; but only with one made of epoll, as on Linux, anything is ever paused.
    """

    def __init__(self, selector: selectors.BaseSelector) -> None:
        self._epoll: select.epoll | None = None
        # gevent takes both of these names away.
        kind = getattr(selectors, "EpollSelector", None)
        if kind is not None and isinstance(selector, kind) and hasattr(select, "epoll"):
            self._epoll = select.epoll.fromfd(os.dup(selector.fileno()))
            let_go_when_forked(selector, self)

    def pause(self, sock: socket.socket) -> bool:
        """Have a registered socket left alone, at once; False where that is not possible."""
        if self._epoll is None:
            return False
        self._epoll.modify(sock, 0)
        return True

    def resume(self, sock: socket.socket, events: int) -> None:
        """Have a socket watched again, for events of the selector's."""
        if self._epoll is not None:
            reads = select.EPOLLIN if events & selectors.EVENT_READ else 0
            writes = select.EPOLLOUT if events & selectors.EVENT_WRITE else 0
            self._epoll.modify(sock, reads | writes)

    def fileno(self) -> int:
        """Return the second descriptor; -1 when there is none."""
        return -1 if self._epoll is None or self._epoll.closed else self._epoll.fileno()

    def close(self) -> None:
        """Give the second descriptor back."""
        if self._epoll is not None:
            self._epoll.close()
