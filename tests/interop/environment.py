"""gear 0.16 in a virtual environment of its own, made once and kept in pytest's cache."""

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

REQUIREMENT = "gear==0.16.0"


def require_gear016(cache: Path) -> str:
    """Return the interpreter that has gear 0.16; without an index the test is skipped or fails."""
    directory = cache / f"gear-0.16-python-{sys.version_info.major}.{sys.version_info.minor}"
    interpreter = directory / "bin" / "python"
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "gear-0.16.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _works(interpreter):
            _make(directory, interpreter)
    return str(interpreter)


def _works(interpreter: Path) -> bool:
    return interpreter.exists() and _run(interpreter, "-I", "-c", "import gear").returncode == 0


def _make(directory: Path, interpreter: Path) -> None:
    for command in (
        (sys.executable, "-m", "venv", "--clear", directory),
        (interpreter, "-I", "-m", "pip", "install", "--quiet", REQUIREMENT),
    ):
        made = _run(*command)
        if made.returncode != 0:
            message = f"gear 0.16 cannot be installed: {made.stderr[-500:]}"
            if os.environ.get("GEAR_REQUIRE_PEERS"):
                pytest.fail(message)
            pytest.skip(message)


def _run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, check=False, capture_output=True, text=True)
