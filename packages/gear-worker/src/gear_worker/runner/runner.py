"""`Runner`: an app that is being run, on one asyncio loop."""

import contextlib
from collections.abc import AsyncIterator

from gear_wire.functions.app import App
from gear_worker.runner.settings import RunnerSettings
from gear_worker.runner.status import RunnerStatus


class Runner:
    """Runs the functions of an app, as jobs come from servers.

    Args:
        app: The app; with processes, one that a module has as a global variable.
        settings: How it is run; the defaults if None.

    Attributes:
        app: As given.
        settings: As given.
    """

    def __init__(self, app: App, settings: RunnerSettings | None = None) -> None:
        self.app: App = app
        self.settings: RunnerSettings = settings or RunnerSettings()

    def status(self) -> RunnerStatus:
        """Return how it is at the moment."""
        raise NotImplementedError

    async def start(self) -> None:
        """Enter the app's lifespan, start threads or processes and connect in the background.

        Raises:
            ConfigurationError: The app has no function to run, or one that cannot be run so.
        """
        raise NotImplementedError

    def stop(self, grace: float | None = None) -> None:
        """Take no more jobs; those that run have some time to end, and go back to their servers.

        It returns at once; `wait` returns when all is done. A second call can only shorten the
        time: with 0, all ends at once.

        Args:
            grace: Seconds for running jobs; as set if None.
        """
        raise NotImplementedError

    async def wait(self) -> bool:
        """Wait until it has stopped, and return whether all jobs that were taken have ended."""
        raise NotImplementedError


@contextlib.asynccontextmanager
async def running(app: App, settings: RunnerSettings | None = None) -> AsyncIterator[Runner]:
    """Run an app beside other things on this loop; leaving the block stops it gracefully.

    Signals are left alone.

    Args:
        app: The app; with processes, one that a module has as a global variable.
        settings: How it is run; the defaults if None.

    Raises:
        ConfigurationError: The app has no function to run, or one that cannot be run so.
    """
    runner = Runner(app, settings)
    await runner.start()
    try:
        yield runner
    finally:
        runner.stop()
        await runner.wait()
