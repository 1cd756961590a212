"""Tests that a document names, as ``test_file.py::test_name``."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
REFERENCE = re.compile(r"\b(test_\w+\.py)::(test_\w+)\b")


def sources() -> dict[str, str]:
    """Return the sources of all test files by name."""
    folders = [ROOT / "tests", *(ROOT / "packages").glob("*/tests")]
    return {path.name: path.read_text() for folder in folders for path in folder.rglob("test_*.py")}


TESTS = sources()


def check_named_tests(text: str) -> None:
    """Check that a text names tests, and that these exist."""
    references = REFERENCE.findall(text)
    assert references, "no test shows this"
    for file, name in references:
        assert file in TESTS, f"there is no {file}"
        assert re.search(rf"^(async )?def {name}\(", TESTS[file], re.M), f"{file} has no {name}"
