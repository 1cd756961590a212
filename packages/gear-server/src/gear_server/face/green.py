"""Detects threads that gevent or eventlet have replaced."""

import asyncio
import sys

from gear_wire.errors import ConfigurationError


def patched_by() -> str | None:
    """Return the name of the library that has replaced this process's threads; None for none."""
    gevent = sys.modules.get("gevent.monkey")
    if gevent is not None and gevent.is_module_patched("threading"):
        return "gevent"
    eventlet = sys.modules.get("eventlet.patcher")
    if eventlet is not None and eventlet.is_monkey_patched("thread"):
        return "eventlet"
    return None


def check_loops(patcher: str) -> None:
    """Check that no event loop is running: to asyncio, all green threads are one.

    Raises:
        ConfigurationError: A loop is running.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise ConfigurationError(
        "an event loop is already running, perhaps that of another gear.Server; with threads "
        f"patched by {patcher} there can be only one: run geard instead, or do not patch threads"
    )
