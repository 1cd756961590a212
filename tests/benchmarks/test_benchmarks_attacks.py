"""The attacks run: two short ones against geard, and what is printed of them."""

import subprocess
import sys
from pathlib import Path

import pytest

from support import fix_peers as peers

ROOT = Path(__file__).parents[2]


def attack(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "benchmarks.attacks.run", *words],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.peer
def test_quick_run_prints_a_row_for_each_attack() -> None:
    peers.require_program("prlimit", "util-linux")
    words = ("--quick", "--installed", sys.executable, "--only", "endless-line,tls-plain")
    result = attack(*words)
    assert result.returncode == 0, result.stdout + result.stderr
    _, head, first, second, *_ = result.stdout.splitlines()
    assert head.split()[:5] == ["attack", "alone", "neighbour", "disturbed", "ratio"]
    assert (first.split()[0], second.split()[0]) == ("endless-line", "tls-plain")
    for row in (first, second):
        name, alone, neighbour, disturbed, *_ = row.split()
        rates = [int(figure.replace(",", "")) for figure in (alone, neighbour, disturbed)]
        assert min(rates) > 0, name
        refused, lost, memory = row.split()[7:10]
        assert (refused, lost) == ("0", "0")
        assert 10 < int(memory) < 1024


def test_unknown_attack_is_refused() -> None:
    result = attack("--only", "kindness")
    assert result.returncode == 1
    assert result.stderr == "there is no attack kindness\n"
