"""gear 0.16 in a virtual environment of its own, made once and kept in pytest's cache."""

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
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
        # Apart, and moved into its place when it is whole: whoever ran out of time here may have
        # left a program that still writes.
        parent = self._directory.parent
        with tempfile.TemporaryDirectory(dir=parent, ignore_cleanup_errors=True) as folder:
            fresh = Path(folder) / "environment"
            for command in (
                (sys.executable, "-m", "venv", fresh),
                (fresh / "bin" / "python", "-I", "-m", "pip", "install", "--quiet", REQUIREMENT),
            ):
                made, errors = _run(*command)
                if not made:
                    self._failure = errors.strip()[-500:]
                    return
            shutil.rmtree(self._directory, ignore_errors=True)
            fresh.rename(self._directory)


def _run(*command: str | Path) -> tuple[bool, str]:
    ran = subprocess.run(command, check=False, capture_output=True, text=True)
    return ran.returncode == 0, ran.stderr
