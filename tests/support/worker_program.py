"""``gear-worker`` in a process of its own, and what a test wants to know of it."""

import contextlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import gear
from support.geard_program import TIMEOUT, wait_until

COMMAND = (sys.executable, "-m", "gear_worker.cli")
PATIENCE = 2.0
"""Seconds until a worker whose test is over is told to end in another way."""


def clean_environment() -> dict[str, str]:
    """Return this process's environment without what gear-worker reads."""
    prefixes = ("GEAR_WORKER_", "GEARMAN_")
    return {name: value for name, value in os.environ.items() if not name.startswith(prefixes)}


class GearWorker:
    """``gear-worker`` in a process of its own; it ends with the `with` block, willing or not.

    Args:
        folder: Its current directory; what it logs goes there too.
        words: Its command line.
        environ: Variables of its environment.
    """

    def __init__(self, folder: Path, *words: str, environ: Mapping[str, str] | None = None) -> None:
        self._log = folder / f"worker-{len(list(folder.glob('worker-*')))}.log"
        with self._log.open("w") as log:
            self.process = subprocess.Popen(
                [*COMMAND, *words], cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env=clean_environment() | dict(environ or {}),
            )  # fmt: skip

    @property
    def log(self) -> str:
        """What it has logged so far."""
        return self._log.read_text()

    def logged(self, pattern: str) -> re.Match[str] | None:
        """Return the first match in the log."""
        return re.search(pattern, self.log, re.MULTILINE)

    def wait_for_log(self, pattern: str) -> re.Match[str]:
        """Wait for a match in the log, and return it."""
        wait_until(
            lambda: self.logged(pattern) is not None or self.process.poll() is not None,
            f"no line {pattern!r}: {self.log}",
        )
        found = self.logged(pattern)
        assert found is not None, self.log
        return found

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def end(self) -> int:
        """Wait for its end, and return its exit code."""
        return self.process.wait(TIMEOUT)

    def stop(self) -> int:
        """Tell it to end; see `end`."""
        self.signal(signal.SIGTERM)
        return self.end()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.finish()

    def finish(self) -> None:
        """Have it end, willing or not."""
        for number in (signal.SIGTERM, signal.SIGTERM, signal.SIGKILL):
            self.signal(number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(PATIENCE)
                return
        self.process.wait()


def wait_for_workers(port: int, function: str, number: int = 1) -> None:
    """Wait until so many workers of a function are connected to a server."""
    with gear.AdminClient("127.0.0.1", port) as admin:

        def there() -> bool:
            rows = {bytes(row.function).decode(): row.workers for row in admin.status()}
            return rows.get(function, 0) == number

        wait_until(there, f"there are not {number} workers of {function}")
