"""The benchmarks run: a short one against geard alone, and what it writes."""

import json
import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from support import fix_peers as peers

pytestmark = pytest.mark.peer

ROOT = Path(__file__).parents[2]


def test_quick_run_of_one_question_writes_figures_and_chart(tmp_path: Path) -> None:
    peers.require_program("cc", "gcc")
    figures, chart = tmp_path / "figures.json", tmp_path / "chart.svg"
    words = [
        "--quick",
        "--only",
        "2",
        "--entrants",
        "gear",
        "--installed",
        f"gear={sys.executable}",
    ]
    result = subprocess.run(
        [sys.executable, "-m", "benchmarks.run", *words, "--json", figures, "--svg", chart],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if "libssl-dev" in result.stderr and not os.environ.get("GEAR_REQUIRE_PEERS"):
        pytest.skip(result.stderr)
    assert result.returncode == 0, result.stderr
    assert "2. background submits" in result.stdout
    assert ElementTree.parse(chart).getroot().tag.endswith("svg")
    assert "@media (prefers-color-scheme: dark)" in chart.read_text()

    found = json.loads(figures.read_text())
    assert set(found) == {"machine", "gearmand", "redis", "pythons", "options", "results"}
    assert found["options"]["quick"] is True
    assert [(row["question"], row["measure"], row["unit"]) for row in found["results"]] == [
        (2, "2", "jobs/s"),
        (2, "2-8", "jobs/s"),
    ]
    for row in found["results"]:
        (series,) = row["series"]["gear"]
        assert series["failures"] == []
        assert row["figures"]["gear"] == series["figures"][0] > 0


def test_quick_run_beside_a_bare_loop() -> None:
    peers.require_program("cc", "gcc")
    words = ["--quick", "--only", "13", "--entrants", "gear,bare"]
    result = subprocess.run(
        [sys.executable, "-m", "benchmarks.run", *words, "--installed", f"gear={sys.executable}"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if "libssl-dev" in result.stderr and not os.environ.get("GEAR_REQUIRE_PEERS"):
        pytest.skip(result.stderr)
    assert result.returncode == 0, result.stderr
    assert "FAILED" not in result.stderr
    for measure in ("13", "13-p50", "13-threads", "13-tasks"):
        assert f"\n{measure} round 1 gear free: " in f"\n{result.stderr}"


def test_unknown_question_is_refused() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "benchmarks.run", "--only", "99"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert result.returncode == 1
    assert result.stderr == "there is no question 99\n"
