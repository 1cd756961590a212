"""COMPATIBILITY.md: each of its lines names tests that exist, and what is dropped is gone."""

import importlib.util
import re
import tomllib
from pathlib import Path

import pytest

import gear
from support.named_tests import REFERENCE, ROOT, check_named_tests

DOCUMENT = (ROOT / "COMPATIBILITY.md").read_text()


def lines() -> list[str]:
    """Return the lines of the lists, each with the lines that go on with it."""
    return [
        " ".join(item.split()) for item in re.findall(r"^- (?:.+\n)(?:  .+\n)*", DOCUMENT, re.M)
    ]


@pytest.mark.parametrize("line", lines(), ids=lambda line: line[:60])
def test_every_line_names_tests_that_exist(line: str) -> None:
    check_named_tests(line)


def test_every_file_of_these_tests_is_named() -> None:
    named = {file for file, _ in REFERENCE.findall(DOCUMENT)}
    own = {path.name for path in Path(__file__).parent.glob("test_*.py")}
    assert own - named == set()


def test_every_bullet_is_looked_at() -> None:
    assert len(lines()) == len([line for line in DOCUMENT.splitlines() if line.startswith("- ")])
    assert len(REFERENCE.findall(DOCUMENT)) == DOCUMENT.count("::test_")


# What is dropped

CLASSES = """
    BaseClientServer NonBlockingConnection Task SubmitJobTask OptionReqTask RetryIOError
    BaseBinaryJob TextJobArguments TextJobUnique create_ssl_context best_tls_version
"""
MEMBERS = {
    gear.Server: "connectLoop readFromConnection writeToConnection handlePassthrough",
    gear.ServerConnection: "connect readPacket echo sendAdminRequest",
    gear.ServerJob: "data exception",
}


def test_what_is_dropped_is_gone() -> None:
    """Should one come back, its line must go."""
    assert [name for name in CLASSES.split() if hasattr(gear, name)] == []
    for owner, names in MEMBERS.items():
        assert [name for name in names.split() if hasattr(owner, name)] == []
        assert all(name in DOCUMENT for name in names.split())
    assert importlib.util.find_spec("gear.cmd") is None


def test_python_is_3_11_or_later() -> None:
    files = [ROOT / "pyproject.toml", *(ROOT / "packages").glob("*/pyproject.toml")]
    needed = {tomllib.loads(file.read_text())["project"]["requires-python"] for file in files}
    assert needed == {">=3.11"}
