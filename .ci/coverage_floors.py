"""Compares how much of each distribution the tests cover with the floors in coverage_floors.toml.

Run the tests with `--cov --cov-report=` before.
"""

import json
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent


def covered() -> dict[str, float]:
    """Return the share of lines and branches that is covered, in per cent, by distribution."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [sys.executable, "-m", "coverage", "json", "-q", "-o", str(report)]
        subprocess.run(command, cwd=ROOT, check=True)
        files = json.loads(report.read_text())["files"]
    sums: dict[str, list[int]] = {}
    for name, file in files.items():
        parts = Path(name).parts
        distribution = parts[parts.index("packages") + 1] if "packages" in parts else "gear"
        summary, known = file["summary"], sums.setdefault(distribution, [0, 0])
        known[0] += summary["covered_lines"] + summary["covered_branches"]
        known[1] += summary["num_statements"] + summary["num_branches"]
    return {name: 100 * done / total for name, (done, total) in sums.items() if total}


def main() -> int:
    """Print a line for each distribution; returns 1 when one is below its floor."""
    floors = tomllib.loads((ROOT / ".ci" / "coverage_floors.toml").read_text())["floors"]
    found = covered()
    low = [name for name, floor in floors.items() if found.get(name, 0.0) < floor]
    for name, floor in floors.items():
        mark = "  BELOW" if name in low else ""
        print(f"{name:12} {found.get(name, 0.0):5.1f} %  floor {floor} %{mark}")
    return 1 if low else 0


if __name__ == "__main__":
    sys.exit(main())
