"""Without the extra of HTTP, a server that is to serve it says which one is missing."""

import subprocess
import sys

import pytest

SAYS = "serving HTTP requires aiohttp: pip install 'gear-server[http]'"
WITHOUT = """
import sys

sys.modules["aiohttp"] = None  # as if it were not installed
"""
PROGRAM = (
    WITHOUT
    + """
from gear_server.geard.cli import main

sys.exit(main(sys.argv[1:]))
"""
)
IN_A_PROGRAM = (
    WITHOUT
    + """
import gear
from gear_server.settings import ServerSettings

with gear.Server(0, host="127.0.0.1"):
    pass
try:
    gear.Server(0, host="127.0.0.1", settings=ServerSettings(http="0"))
except gear.ConfigurationError as error:
    print(error)
"""
)


def run(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", script, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("more", [[], ["--check-args"]])
def test_geard_says_what_is_missing(more: list[str]) -> None:
    done = run(PROGRAM, "-p", "0", "--http", "0", *more)
    assert done.returncode == 1
    assert done.stderr.startswith(f"geard: {SAYS}") and done.stderr.count("\n") == 1


def test_geard_does_without_it() -> None:
    assert run(PROGRAM, "-p", "0", "--check-args").returncode == 0


def test_a_server_says_what_is_missing() -> None:
    done = run(IN_A_PROGRAM)
    assert done.stdout.startswith(SAYS), done.stderr
