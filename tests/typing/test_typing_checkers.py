"""What mypy and pyright make of programs that use gear."""

import collections
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PROGRAMS = sorted(HERE.glob("user_*.py"))
MISTAKES = sorted(HERE.glob("wrong_*.txt"))
Findings = dict[tuple[str, int], set[str]]
"""The names of the errors that a checker found, by file and line."""


def mypy(files: list[Path]) -> Findings:
    command = [
        sys.executable, "-m", "mypy", "--strict", "--config-file=", "--no-error-summary",
        "--no-pretty", "--hide-error-context", "--cache-dir", str(ROOT / ".mypy_cache" / "users"),
    ]  # fmt: skip
    done = subprocess.run([*command, *files], capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    found: Findings = collections.defaultdict(set)
    for line in done.stdout.splitlines():
        match = re.fullmatch(r"(.*?):(\d+): error: .*\[([a-z-]+)\]", line)
        if match is not None:
            found[Path(match[1]).name, int(match[2])].add(match[3])
    return found


def pyright(files: list[Path]) -> Findings:
    command = [sys.executable, "-m", "pyright", "--pythonpath", sys.executable, "--outputjson"]
    done = subprocess.run([*command, *files], capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    found: Findings = collections.defaultdict(set)
    for diagnostic in json.loads(done.stdout)["generalDiagnostics"]:
        if diagnostic["severity"] == "error":
            line = diagnostic["range"]["start"]["line"] + 1
            found[Path(diagnostic["file"]).name, line].add(diagnostic["rule"])
    return found


Checker = Callable[[list[Path]], Findings]
CHECKERS: list[tuple[Checker, int]] = [(mypy, 0), (pyright, 1)]


@pytest.mark.parametrize(("check", "place"), CHECKERS)
def test_right_programs_have_no_errors_and_all_mistakes_are_found(
    check: Checker, place: int, tmp_path: Path
) -> None:
    assert len(PROGRAMS) == 6
    programs = PROGRAMS[:]
    expected: Findings = {}
    for mistakes in MISTAKES:
        program = tmp_path / f"{mistakes.stem}.py"
        program.write_text(mistakes.read_text())
        programs.append(program)
        for number, line in enumerate(mistakes.read_text().splitlines(), start=1):
            _, comment, names = line.partition("  # ")
            if comment:
                expected[program.name, number] = {*names.split()[place].split("+")}
        assert len([name for name, _ in expected if name == program.name]) > 30
    assert check(programs) == expected


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.stem)
def test_a_program_finds_all_that_it_imports(program: Path) -> None:
    code = f"import runpy; runpy.run_path({str(program)!r})"
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)
