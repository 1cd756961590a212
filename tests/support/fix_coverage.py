"""Has the programs that a test starts measured as well, when the tests are."""

import pytest

from support.workspace import ROOT


@pytest.fixture
def measured_programs(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have Python measure in new processes what they cover; slower, so for those that need it."""
    if request.config.pluginmanager.hasplugin("_cov"):
        monkeypatch.setenv("COVERAGE_PROCESS_START", str(ROOT / "pyproject.toml"))
        monkeypatch.setenv("COVERAGE_FILE", str(ROOT / ".coverage"))
