"""The demonstration as a program: what it prints, and that it leaves nothing running."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import gear

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "docs" / "examples" / "demo.py"
WAIT = 60


def start(*arguments: str | Path) -> subprocess.Popen[str]:
    """Start it, as the first of a group of processes."""
    return subprocess.Popen(
        [sys.executable, str(DEMO), *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def check_nothing_is_left(process: subprocess.Popen[str]) -> None:
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)


def run(*arguments: str | Path) -> tuple[int, str, str]:
    process = start(*arguments)
    output, errors = process.communicate(timeout=WAIT)
    check_nothing_is_left(process)
    return process.returncode, output, errors


def row(output: str, name: str) -> list[str]:
    """Return the columns of the table for a file."""
    (line,) = [line for line in output.splitlines() if line.startswith(f"{name}  ")]
    return re.split(r"  +", line)


def test_it_counts_the_words_of_files(tmp_path: Path) -> None:
    first, second, empty = (tmp_path / name for name in ("first", "second", "empty"))
    first.write_text("The gears turn. The GEARS turn,\nthe gears-wheel stands; 4 times 4.\n")
    second.write_text("naïve naïve été\n" * 20_000)
    empty.write_text("")
    code, output, errors = run(first, second, empty)
    assert (code, errors) == (0, "")
    assert "100% 3 of 3 jobs done" in output
    assert row(output, str(first))[1:4] == ["11", "6", "gears (3)"]
    assert row(output, str(second))[1:4] == ["60000", "2", "naïve (40000)"]
    assert row(output, str(empty))[1:4] == ["0", "0", "-"]
    assert "3 files, 60011 words" in output


def test_its_own_documents_by_default() -> None:
    code, output, errors = run()
    assert (code, errors) == (0, "")
    for name in ("README.md", "docs/tutorial.md", "docs/how-to/threads.md"):
        assert int(row(output, name)[1]) > 100


def test_it_names_a_file_that_is_not_there(tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    code, output, errors = run(DEMO, missing)
    assert (code, output) == (2, "")
    assert errors == f"demo: cannot read {missing}: No such file or directory\n"


def test_help() -> None:
    code, output, _ = run("--help")
    assert code == 0
    assert "FILE" in output


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("whole_group", [True, False], ids=["terminal", "kill"])
def test_it_stops_all_that_it_started(
    tmp_path: Path, number: signal.Signals, whole_group: bool
) -> None:
    """A terminal sends a signal to the server too, `kill` to the program alone."""
    large = tmp_path / "large"
    large.write_bytes(b"one two three four five six seven eight nine ten eleven twelve\n" * 300_000)
    process = start(large)
    assert process.stdout is not None
    port = re.search(r"geard listens at 127.0.0.1 port (\d+)", process.stdout.readline())
    assert port is not None
    with gear.AdminClient("127.0.0.1", int(port[1])) as admin:
        while not any(row.running for row in admin.status()):  # it has no event for that
            assert process.poll() is None
    if whole_group:
        os.killpg(process.pid, number)
    else:
        process.send_signal(number)
    output, errors = process.communicate(timeout=WAIT)
    assert process.returncode == 128 + number
    assert errors == "\ndemo: interrupted; everything is stopped\n"
    assert "words in" not in output
    check_nothing_is_left(process)
