"""`BackgroundRunner`: an app run in a thread of its own, for tests and programs with threads."""

import asyncio
import concurrent.futures
import threading
from types import TracebackType
from typing import Self

from gear_wire.functions.app import App
from gear_worker.runner.runner import Runner
from gear_worker.runner.settings import RunnerSettings
from gear_worker.runner.status import RunnerStatus


class BackgroundRunner:
    """Runs an app in a thread of its own until it is stopped; a context manager.

    Args:
        app: The app; with processes, one that a module has as a global variable.
        settings: How it is run; the defaults if None.
    """

    def __init__(self, app: App, settings: RunnerSettings | None = None) -> None:
        self._runner = Runner(app, settings)
        self._started: concurrent.futures.Future[asyncio.AbstractEventLoop]
        self._started = concurrent.futures.Future()
        self._ended: concurrent.futures.Future[bool] = concurrent.futures.Future()

    def start(self, timeout: float | None = 10.0) -> Self:
        """Start it, and wait until it is connected to all of its servers.

        Args:
            timeout: Seconds to wait for them; None for no limit.

        Raises:
            ConfigurationError: The app has no function to run, or one that cannot be run so.
            TimeoutError: A server was not connected in time.
        """
        threading.Thread(
            target=self._run, args=(timeout,), name="gear.Runner background", daemon=True
        ).start()
        self._started.result()
        return self

    def _run(self, timeout: float | None) -> None:
        try:
            self._ended.set_result(asyncio.run(self._main(timeout)))
        except BaseException as error:
            for future in (self._started, self._ended):
                if not future.done():
                    future.set_exception(error)

    async def _main(self, timeout: float | None) -> bool:
        await self._runner.start()
        try:
            await self._runner.wait_for_servers(timeout)
        except BaseException:
            self._runner.stop(0)
            await self._runner.wait()
            raise
        self._started.set_result(asyncio.get_running_loop())
        return await self._runner.wait()

    def stop(self, grace: float | None = None) -> bool:
        """Stop it, and return whether all jobs that were taken have ended.

        Args:
            grace: Seconds for jobs that run; as set if None.
        """
        loop = self._started.result()
        try:
            loop.call_soon_threadsafe(self._runner.stop, grace)
        except RuntimeError:
            pass  # it has stopped
        return self._ended.result()

    def status(self) -> RunnerStatus:
        """Return how it is at the moment."""
        return self._runner.status()

    def __enter__(self) -> Self:
        """Start it, unless it was."""
        return self if self._started.done() else self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop it."""
        self.stop()
