"""A poll loop for tests, and how to wait for it."""

import contextlib
import logging
import threading
from collections.abc import Iterator

from gear_wire.link.threads.loop import PollLoop


@contextlib.contextmanager
def poll_loop() -> Iterator[PollLoop]:
    """Give a loop, and stop it at the end."""
    loop = PollLoop("test loop", logging.getLogger("gear.test.loop"))
    yield loop
    loop.stop()


def settle(loop: PollLoop) -> None:
    """Return when the loop has done all that it was asked for before."""
    done = threading.Event()
    assert loop.call(done.set)
    assert done.wait(10)
