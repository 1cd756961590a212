"""Tells supervisors how a worker is: as pages for probes, or as a file whose time they look at."""

import asyncio
import contextlib
from pathlib import Path
from typing import Final, Protocol

from gear_worker.cli.http import Page, Pages
from gear_worker.runner.status import RunnerStatus

BEAT: Final = 2.0
"""Seconds between two looks at whether the file is to be touched."""


class Watched(Protocol):
    """What a health check is about."""

    def status(self) -> RunnerStatus:
        """Return how it is at the moment."""


def why_unready(status: RunnerStatus) -> str:
    """Return why a worker takes no jobs; empty when it does."""
    if status.stopping:
        return "stopping"
    if not any(status.servers.values()):
        return f"not connected to {', '.join(status.servers)}"
    return ""


def health_pages(runner: Watched) -> Pages:
    """Return the pages of a health check.

    ``/healthz`` is answered while the worker lives at all: to start it again would bring back no
    server. ``/readyz`` tells whether it takes jobs.
    """

    def ready() -> Page:
        why = why_unready(runner.status())
        return Page(503, f"{why}\n".encode()) if why else Page(200, b"ready\n")

    return {"/healthz": lambda: Page(200, b"alive\n"), "/readyz": ready}


class HealthFile:
    """A file that is touched while a worker takes jobs, and removed with the end of its block.

    Args:
        path: The file.
        runner: The worker.
    """

    def __init__(self, path: str, runner: Watched) -> None:
        self._path = Path(path)
        self._runner = runner

    async def __aenter__(self) -> None:
        """Begin to touch it; OSError if that is impossible."""
        self._path.touch()
        self._path.unlink()
        self._task = asyncio.create_task(self._keep())

    async def __aexit__(self, *error: object) -> None:
        """Remove it."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)

    async def _keep(self) -> None:
        while True:
            # One that cannot be touched grows old, which is what it is for.
            with contextlib.suppress(OSError):
                if not why_unready(self._runner.status()):
                    self._path.touch()
            await asyncio.sleep(BEAT)
