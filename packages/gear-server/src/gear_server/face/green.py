"""Threads that gevent or eventlet have put in the place of real ones."""

import asyncio
import sys

from gear_wire.errors import ConfigurationError


def patched_by() -> str | None:
    """Return what has replaced this process's threads, as far as it is known; None for nothing."""
    gevent = sys.modules.get("gevent.monkey")
    if gevent is not None and gevent.is_module_patched("threading"):
        return "gevent"
    eventlet = sys.modules.get("eventlet.patcher")
    if eventlet is not None and eventlet.is_monkey_patched("thread"):
        return "eventlet"
    return None


def check_loops(patcher: str) -> None:
    """Check that a loop may run in a thread that is none; all of them are one to asyncio.

    Raises:
        ConfigurationError: A loop runs already.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise ConfigurationError(
        f"after {patcher}'s monkey patching all threads are one, in which an event loop, maybe of "
        "another gear.Server, runs already: run geard instead, or leave threads unpatched"
    )
