"""gear 0.16 in a virtual environment of its own, made once and kept in pytest's cache."""

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

REQUIREMENT = "gear==0.16.0"


class Environment:
    """A Python that has gear 0.16.

    Args:
        cache: Where it is kept; several processes may ask for it at once.
    """

    def __init__(self, cache: Path) -> None:
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        self._directory = cache / f"gear-0.16-python-{version}"
        self._interpreter = self._directory / "bin" / "python"
        self._failure = ""
        with (cache / "gear-0.16.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not self._works():
                self._make()

    def require(self) -> str:
        """Return the interpreter; without it the test is skipped, or fails if it must not be."""
        if not self._failure:
            return str(self._interpreter)
        message = f"gear 0.16 cannot be installed: {self._failure}"
        if os.environ.get("GEAR_REQUIRE_PEERS"):
            pytest.fail(message)
        pytest.skip(message)

    def _works(self) -> bool:
        return self._interpreter.exists() and _run(self._interpreter, "-I", "-c", "import gear")[0]

    def _make(self) -> None:
        for command in (
            (sys.executable, "-m", "venv", "--clear", self._directory),
            (self._interpreter, "-I", "-m", "pip", "install", "--quiet", REQUIREMENT),
        ):
            made, errors = _run(*command)
            if not made:
                self._failure = errors.strip()[-500:]
                return


def _run(*command: str | Path) -> tuple[bool, str]:
    ran = subprocess.run(command, check=False, capture_output=True, text=True)
    return ran.returncode == 0, ran.stderr
