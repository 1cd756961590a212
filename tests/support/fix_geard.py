"""Fixtures that start the program geard with options of a test's own."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from support.geard_program import Geard

Start = Callable[..., "Geard"]


@pytest.fixture
def launch(tmp_path: Path) -> Iterator[Start]:
    """Starts a geard with options, and does not wait for it."""
    # Not above: the tests of a distribution alone have no `gear`.
    from support.geard_program import Geard

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
