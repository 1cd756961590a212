"""Fixtures of the tests of the program geard."""

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.geard_program import Geard

Start = Callable[..., Geard]


@pytest.fixture
def launch(tmp_path: Path) -> Iterator[Start]:
    """Starts a geard with options, and does not wait for it."""
    with contextlib.ExitStack() as closing:

        def launch(*options: str, folder: Path = tmp_path, **how: object) -> Geard:
            geard = Geard(folder, *options, **how)  # type: ignore[arg-type]  # passed as they are
            closing.callback(geard.kill)
            return geard

        yield launch


@pytest.fixture
def start(launch: Start) -> Start:
    """Starts a geard with options, and waits until it listens."""
    return lambda *options, **how: launch(*options, **how).started()


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
