"""What both programs say to a command line."""

import subprocess
import sys
from dataclasses import dataclass

import pytest

from support.fix_peers import require_program

CHECK = "--check-args"


@dataclass(frozen=True)
class CommandLine:
    """Arguments, and the code with which each program ends.

    Attributes:
        arguments: The command line.
        geard: geard's code.
        gearmand: The code of gearmand 1.1.20.
        note: The note that says why they differ.
        says: What geard says.
    """

    arguments: tuple[str, ...]
    geard: int
    gearmand: int
    note: str | None = None
    says: str = ""

    @property
    def notes(self) -> set[str]:
        """The notes that it refers to."""
        return {self.note} if self.note else set()


SCENARIOS = [
    CommandLine(("--version",), 0, 0),
    CommandLine(("--help",), 0, 0),
    CommandLine((CHECK,), 0, 0),
    CommandLine((CHECK, "--nonsense"), 1, 1),
    CommandLine((CHECK, "positional"), 1, 1),
    CommandLine((CHECK, "--verbose", "LOUD"), 1, 1),
    CommandLine((CHECK, "--config-file", "/no/such/file"), 1, 1),
    CommandLine((CHECK, "-b", "5", "-R", "-t", "2", "-w", "3", "--exceptions"), 0, 0),
    CommandLine((CHECK, "--keepalive", "--keepalive-idle", "5", "--coredump"), 0, 0),
    CommandLine((CHECK, "-q", "builtin"), 0, 0),
    CommandLine((CHECK, "-q", "redis"), 1, 0, "no-store"),
    CommandLine((CHECK, "-r", "http"), 0, 0),
    CommandLine((CHECK, "--hashtable-buckets", "0"), 0, 1, "no-hash-tables"),
    CommandLine((CHECK, "--job-handle-prefix", "x" * 63), 0, 0),
    CommandLine(("--job-handle-prefix", "x" * 64), 1, 1),
    CommandLine((CHECK, "--job-retries", "255"), 0, 0),
    CommandLine((CHECK, "--job-retries", "-1"), 0, 0),
    CommandLine((CHECK, "--job-retries", "many"), 1, 1),
    CommandLine(
        (CHECK, "--job-retries", "300"),
        1,
        0,
        "job-retries",
        "job-retries must be -1 (no limit), 0 (no retries), or between 1 and 255",
    ),
]


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)


def name(line: CommandLine) -> str:
    return " ".join(line.arguments)


@pytest.mark.parametrize("line", SCENARIOS, ids=name)
def test_geard(line: CommandLine) -> None:
    done = run(sys.executable, "-m", "gear_server.geard.cli", *line.arguments)
    assert done.returncode == line.geard
    assert line.says in done.stderr


@pytest.mark.peer
@pytest.mark.parametrize("line", SCENARIOS, ids=name)
def test_gearmand(line: CommandLine) -> None:
    program = require_program("gearmand", "gearman-job-server")
    assert run(program, *line.arguments).returncode == line.gearmand
