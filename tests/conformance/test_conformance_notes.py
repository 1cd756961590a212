"""Every difference between the two servers has a note, and every note its difference."""

import importlib
import re
from pathlib import Path

DIRECTORY = Path(__file__).parent
NOTE = re.compile(r"^- \*\*([\w-]+)\*\*: .", re.MULTILINE)


def test_notes_are_complete() -> None:
    used: set[str] = set()
    for path in DIRECTORY.glob("test_conformance_*.py"):
        for scenario in getattr(
            importlib.import_module(f"conformance.{path.stem}"), "SCENARIOS", ()
        ):
            used |= scenario.notes
    written = NOTE.findall((DIRECTORY / "NOTES.md").read_text())
    assert sorted(written) == sorted(used)
