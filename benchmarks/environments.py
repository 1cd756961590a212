"""Environments of their own for what is measured, built on an interpreter as users have it."""

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
BUILD = Path(__file__).parent / ".build"
DEBIAN_PYTHON = "/usr/bin/python3"
OURS = ("gear", "gear-wire", "gear-client", "gear-worker", "gear-admin", "gear-server")
GEAR016 = "gear==0.16.0"
PYTHON3_GEARMAN = "python3-gearman==0.1.0"
PSYCOPG = "psycopg[binary]>=3.2"
FRAMEWORKS = (
    "celery[redis]==5.7.0", "rq==3.0.0", "dramatiq[redis]==2.2.1", "taskiq==0.13.0",
    "taskiq-redis==1.2.4", "redis[hiredis]==8.1.0", "uvloop==0.23.0",
)  # fmt: skip
"""The job libraries that need Redis, and what makes them fast."""


class SetupError(Exception):
    """Something that the benchmarks need is not here."""


def default_python() -> str:
    """Return the interpreter of the system where there is one, else the one that runs this."""
    return DEBIAN_PYTHON if Path(DEBIAN_PYTHON).exists() else sys.executable


def build_ours(python: str) -> Path:
    """Return the interpreter of a fresh environment with the distributions of this checkout."""
    packages = [str(path) for path in sorted((ROOT / "packages").iterdir()) if path.is_dir()]
    # A built wheel that lies in the cache may be older than the source.
    refresh = [option for name in OURS for option in ("--refresh-package", name)]
    return build("gear", python, [*refresh, *packages, str(ROOT), PSYCOPG])


def build(name: str, python: str, arguments: list[str]) -> Path:
    """Return the interpreter of a fresh environment.

    Args:
        name: Of its folder.
        python: The interpreter to build it on.
        arguments: What to install, as uv's ``pip install`` takes it.

    Raises:
        SetupError: uv is not here, or the installation failed.
    """
    uv = shutil.which("uv")
    if uv is None:
        raise SetupError("uv is not here: run the benchmarks by `hatch run bench`")
    folder = BUILD / name
    interpreter = folder / "bin" / "python"
    run([uv, "venv", "--quiet", "--clear", "--python", python, str(folder)])
    install = [uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", str(interpreter)]
    run([*install, *arguments])
    return interpreter


def run(command: list[str]) -> str:
    """Return what a command printed.

    Raises:
        SetupError: It failed; with what it said.
    """
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        raise SetupError(f"{' '.join(command)} failed:\n{result.stdout}{result.stderr}")
    return result.stdout
