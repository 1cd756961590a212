"""A library under measurement: a program that calls it, run by an interpreter that has it."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

PATIENCE = 150.0
"""Seconds after which a run that goes on is ended; it ends itself long before."""


class LibraryError(Exception):
    """A library did less than it was asked to, or failed."""


@dataclass(frozen=True)
class Library:
    """Where a library is and who calls it.

    Attributes:
        python: The interpreter.
        program: One of ``libraries/``, or that of ``frameworks/`` and whom it measures.
    """

    python: Path
    program: tuple[str, ...]

    def run(
        self, role: str, port: int, jobs: int, seconds: float, core: int | None
    ) -> dict[str, float]:
        """Run the program once and return what it found: ``jobs`` in ``seconds``, and the like.

        Args:
            role: What it does.
            port: Of the server.
            jobs: At most so many.
            seconds: At most so long.
            core: The one core that it may use; None for all.

        Raises:
            LibraryError: It failed.
        """
        pinned = [] if core is None else ["taskset", "--cpu-list", str(core)]
        words = [str(self.python), *self.program, role, str(port), str(jobs), str(seconds)]
        try:
            result = subprocess.run(
                pinned + words, capture_output=True, text=True, check=False, timeout=PATIENCE
            )
        except subprocess.TimeoutExpired as error:
            raise LibraryError(f"does not end: {' '.join(words)}") from error
        if result.returncode:
            raise LibraryError(result.stderr.strip())
        found: dict[str, float] = json.loads(result.stdout)
        return found

    def rate(self, role: str, port: int, jobs: int, seconds: float, core: int | None) -> float:
        """Run the program once and return jobs per second; see `run`.

        Raises:
            LibraryError: It failed, or ended before jobs or time were used up.
        """
        said = self.run(role, port, jobs, seconds, core)
        if said["jobs"] < jobs and said["seconds"] < seconds:
            raise LibraryError(f"short count: {said['jobs']} of {jobs} jobs")
        return said["jobs"] / said["seconds"]
