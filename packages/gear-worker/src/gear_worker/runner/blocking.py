"""`run`: an app run until a signal comes."""

import asyncio
import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Final

from gear_wire.errors import InterruptedError
from gear_wire.functions.app import App
from gear_worker.runner.assignment import Setup
from gear_worker.runner.runner import Runner
from gear_worker.runner.settings import RunnerSettings

Beside = Callable[[Runner], contextlib.AbstractAsyncContextManager[object]]
"""Given a runner that has started, returns what to enter while it runs."""
_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


def run(
    app: App,
    settings: RunnerSettings | None = None,
    *,
    beside: Beside | None = None,
    setup: Setup | None = None,
) -> bool:
    """Run an app until SIGTERM or SIGINT.

    The first signal lets running jobs end, for `RunnerSettings.grace` seconds at the most, and
    gives the rest back to their servers; a second one ends at once. In another thread than the main
    one, signals are left alone.

    Args:
        app: The app; with processes, one that a module has as a global variable.
        settings: How it is run; the defaults if None.
        beside: What else to enter on the same loop while it runs, such as a health check.
        setup: What each process of the pool calls first, such as to configure logging; a function
            of a module.

    Returns:
        Whether all jobs that were taken have ended.

    Raises:
        ConfigurationError: The app has no function to run, or one that cannot be run so.
    """
    return asyncio.run(_run(Runner(app, settings, setup=setup), beside))


async def _run(runner: Runner, beside: Beside | None) -> bool:
    with _signals(runner):
        try:
            await runner.start()
        except InterruptedError:
            return True
        try:
            async with contextlib.AsyncExitStack() as stack:
                if beside is not None:
                    await stack.enter_async_context(beside(runner))
                return await runner.wait()
        finally:
            runner.stop()
            await runner.wait()


@contextlib.contextmanager
def _signals(runner: Runner) -> Iterator[None]:
    """Have signals stop a runner, the second one at once."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    seen = 0

    def stop() -> None:
        nonlocal seen
        seen += 1
        runner.stop(None if seen == 1 else 0)

    for number in _SIGNALS:
        loop.add_signal_handler(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            loop.remove_signal_handler(number)
            signal.signal(number, handler)
