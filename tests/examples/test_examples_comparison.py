"""The application of the comparison: what is printed of it is counted, and it runs."""

import ast
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.fix_documents import WAIT, Ground
from support.names import leading

DOCS = Path(__file__).parents[2] / "docs"
EXAMPLE = DOCS / "examples" / "comparison"
PAGE = DOCS / "topics" / "comparison.md"
SHARED = "work.py"
"""The same for every system that is compared, and counted for none."""


def lines_of(source: str) -> int:
    """Return how many lines are neither blank nor comment nor docstring."""
    said: set[int] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            first = node.body[0]
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                said.update(range(first.lineno, (first.end_lineno or first.lineno) + 1))
    return sum(
        number not in said and bool(line.strip()) and not line.lstrip().startswith("#")
        for number, line in enumerate(source.splitlines(), 1)
    )


@pytest.fixture
def ground(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ground]:
    shutil.copytree(EXAMPLE, tmp_path, dirs_exist_ok=True)
    ground = Ground(tmp_path)
    monkeypatch.setattr("socket.getaddrinfo", leading(ground.ports))
    yield ground
    ground.close()


def test_it_has_as_many_files_and_lines_as_is_printed() -> None:
    sources = [path.read_text() for path in EXAMPLE.glob("*.py") if path.name != SHARED]
    printed = re.search(r"^\| gear \| (\d+) \| (\d+) \|", PAGE.read_text(), re.MULTILINE)
    assert printed is not None
    assert [int(number) for number in printed.groups()] == [
        len(sources), sum(map(lines_of, sources)),
    ]  # fmt: skip


def test_it_runs_as_is_printed(ground: Ground) -> None:
    started = re.search(r"^\| gear \|.*?\| (`.*?) \|", PAGE.read_text(), re.MULTILINE)
    assert started is not None
    for command in re.findall(r"`(.*?)`", started[1]):
        words = command.split()
        ground.command(["geard", "-d"] if words == ["geard"] else words, [])
    ground.command(
        ["python", "submit.py"], ["...200/200", "200 results in ... s", "cancelled True"]
    )
    ground.check()


def test_its_own_test_passes(tmp_path: Path) -> None:
    shutil.copytree(EXAMPLE, tmp_path, dirs_exist_ok=True)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_jobs.py"]
    ended = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=WAIT
    )
    assert ended.returncode == 0, ended.stdout
