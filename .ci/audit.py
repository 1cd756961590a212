"""Asks pip-audit for known vulnerabilities of everything that the six distributions install.

Exits with 0 if there are none, 1 if there are some, and 2 if that could not be found out.
"""

import importlib.metadata
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

OURS = ("gear", "gear-admin", "gear-client", "gear-server", "gear-wire", "gear-worker")
PROGRAM = ["pip-audit", "--progress-spinner", "off", "--no-deps", "--disable-pip", "-f", "json"]


def dependencies() -> dict[str, str]:
    """Return the installed versions of all dependencies of ours, and of their dependencies."""
    found: dict[str, str] = {}
    waiting = list(OURS)
    while waiting:
        name = canonicalize_name(waiting.pop())
        if name in found:
            continue
        try:
            distribution = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue  # of an extra that is not installed, or for another system
        found[name] = distribution.version
        for requirement in map(Requirement, distribution.requires or ()):
            # Extras of ours count where they are installed, those of others do not.
            if name in OURS or not requirement.marker or requirement.marker.evaluate():
                waiting.append(requirement.name)
    return {name: version for name, version in sorted(found.items()) if name not in OURS}


def ask(found: dict[str, str]) -> list[dict[str, object]] | str:
    """Return what pip-audit says of each dependency, or why it says nothing."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "requirements.txt"
        file.write_text("".join(f"{name}=={version}\n" for name, version in found.items()))
        result = subprocess.run(
            [*PROGRAM, "-r", str(file)], capture_output=True, text=True, check=False
        )
    try:
        rows: list[dict[str, object]] = json.loads(result.stdout)["dependencies"]
    except ValueError:
        return result.stderr.strip().rpartition("\n")[2]
    return rows


def main() -> int:
    """Print what is known of each dependency; returns the exit code."""
    found = dependencies()
    rows = ask(found)
    if isinstance(rows, str):
        print(f"not audited, is the network reachable? {rows}", file=sys.stderr)
        return 2
    vulnerable, unknown = False, False
    for name, version in found.items():
        row = next((row for row in rows if row["name"] == name), {})
        faults = row.get("vulns")
        if not isinstance(faults, list):
            print(f"{name} {version}: not audited: {row.get('skip_reason', 'no answer')}")
            unknown = True
        elif faults:
            print(f"{name} {version}: {', '.join(fault['id'] for fault in faults)}")
            vulnerable = True
        else:
            print(f"{name} {version}: no known vulnerability")
    if unknown:
        print("not all was audited: is the database of vulnerabilities reachable?", file=sys.stderr)
    return 1 if vulnerable else 2 if unknown else 0


if __name__ == "__main__":
    sys.exit(main())
