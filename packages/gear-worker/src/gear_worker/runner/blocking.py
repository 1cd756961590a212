"""`run`: an app run until a signal comes."""

import contextlib
from collections.abc import Callable

from gear_wire.functions.app import App
from gear_worker.runner.runner import Runner
from gear_worker.runner.settings import RunnerSettings

Beside = Callable[[Runner], contextlib.AbstractAsyncContextManager[object]]
"""Given a runner that has started, returns what to enter while it runs."""


def run(app: App, settings: RunnerSettings | None = None, *, beside: Beside | None = None) -> bool:
    """Run an app until SIGTERM or SIGINT.

    The first signal lets running jobs end, for `RunnerSettings.grace` seconds at the most, and
    gives the rest back to their servers; a second one ends at once. In another thread than the main
    one, signals are left alone.

    Args:
        app: The app; with processes, one that a module has as a global variable.
        settings: How it is run; the defaults if None.
        beside: What else to enter on the same loop while it runs, such as a health check.

    Returns:
        Whether all jobs that were taken have ended.

    Raises:
        ConfigurationError: The app has no function to run, or one that cannot be run so.
    """
    raise NotImplementedError
