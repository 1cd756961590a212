"""`hatch run audit`: what it asks about, and that what was not audited never passes for good."""

import json
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).parents[2]
# Answers as pip-audit does for what it is asked about, with what is known of some.
ANSWER = """\
import json, re, sys
asked = open(sys.argv[-1]).read()
known = json.loads({known!r})
names = re.findall("(.*)==", asked)
open({copy!r}, "w").write(asked)
rows = [{{"name": name, **known.get(name, {{"vulns": []}})}} for name in names]
print(json.dumps({{"dependencies": rows, "fixes": []}}))
"""


def audit(folder: Path, script: str) -> subprocess.CompletedProcess[str]:
    """Audit with a program in the place of pip-audit."""
    program = folder / "pip-audit"
    program.write_text(f"#!{sys.executable}\n{script}\n")
    program.chmod(0o755)
    return subprocess.run(
        [sys.executable, ROOT / ".ci" / "audit.py"],
        capture_output=True, text=True, check=False,
        env=os.environ | {"PATH": f"{folder}:{os.environ['PATH']}"},
    )  # fmt: skip


def answer(folder: Path, **known: object) -> str:
    return ANSWER.format(copy=str(folder / "asked"), known=json.dumps(known))


def test_all_dependencies_are_audited(tmp_path: Path) -> None:
    result = audit(tmp_path, answer(tmp_path))
    assert result.returncode == 0, result.stdout + result.stderr
    asked = (tmp_path / "asked").read_text().splitlines()
    assert f"msgspec=={version('msgspec')}" in asked
    assert not [line for line in asked if line.startswith("gear")]
    assert f"msgspec {version('msgspec')}: no known vulnerability\n" in result.stdout


def test_vulnerability_is_named(tmp_path: Path) -> None:
    result = audit(tmp_path, answer(tmp_path, msgspec={"vulns": [{"id": "PYSEC-0000-1"}]}))
    assert result.returncode == 1
    assert f"msgspec {version('msgspec')}: PYSEC-0000-1\n" in result.stdout


def test_dependency_that_is_not_known_does_not_pass(tmp_path: Path) -> None:
    result = audit(tmp_path, answer(tmp_path, msgspec={"skip_reason": "it is not found"}))
    assert result.returncode == 2
    assert f"msgspec {version('msgspec')}: not audited: it is not found\n" in result.stdout
    assert "not all was audited" in result.stderr


def test_without_network_nothing_passes(tmp_path: Path) -> None:
    result = audit(tmp_path, "import sys\nsys.exit('ConnectionError: no route')")
    assert result.returncode == 2
    assert result.stderr == ("not audited, is the network reachable? ConnectionError: no route\n")
