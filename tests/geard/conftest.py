"""Fixtures of the tests of the program geard."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(params=["uvloop", "asyncio"])
def environ(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, str]:
    """The environment of a geard on either kind of loop."""
    if request.param == "uvloop":
        return {}
    (tmp_path / "uvloop.py").write_text("raise ImportError")
    return {"PYTHONPATH": str(tmp_path)}


@pytest.fixture
def folder_of_nobody() -> Iterator[Path]:
    """A folder that the user nobody may write to: those above pytest's own are closed to it."""
    import pwd

    with tempfile.TemporaryDirectory() as name:
        os.chown(name, pwd.getpwnam("nobody").pw_uid, -1)
        yield Path(name)
