"""A server from which nothing comes, not even the answer to a connection."""

import contextlib
import socket
from collections.abc import Iterator


@contextlib.contextmanager
def swallowing_port() -> Iterator[int]:
    """A port whose packets are swallowed: its backlog is full, and nobody takes from it."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        swallowed = False
        while not swallowed:
            sock = stack.enter_context(socket.socket())
            sock.settimeout(0.2)
            swallowed = sock.connect_ex(listener.getsockname()) != 0
        yield listener.getsockname()[1]
