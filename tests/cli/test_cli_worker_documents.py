"""The samples on the page about workers: what their systems say of them, and our command line."""

import re
import shlex
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from gear_wire.option import Option
from gear_worker.cli.command import make_command
from gear_worker.cli.options import OPTIONS, from_environment
from support.fix_peers import require_program

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "workers.md"
GRACE = 30


def sample(language: str) -> str:
    """Return the one block of a language."""
    (found,) = re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert isinstance(found, str)
    return found


def given(words: Sequence[str]) -> dict[str, object]:
    """Return what our command line makes of words."""
    return make_command().make_context("gear-worker", list(words)).params


@pytest.mark.peer
def test_the_unit_is_one_for_systemd(tmp_path: Path) -> None:
    analyze = require_program("systemd-analyze", "systemd")
    program = tmp_path / "gear-worker"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    unit = tmp_path / "gear-worker.service"
    unit.write_text(sample("ini").replace("/opt/jobs/bin/gear-worker", str(program)))
    done = subprocess.run(
        [analyze, "verify", str(unit)], capture_output=True, text=True, check=False
    )
    complaints = [line for line in done.stderr.splitlines() if "gear-worker" in line]
    assert complaints == []


def test_the_unit_starts_a_worker_and_waits_for_its_grace() -> None:
    settings = dict(re.findall(r"^(\w+)=(.*)$", sample("ini"), re.MULTILINE))
    _, *words = shlex.split(settings["ExecStart"])
    assert given(words)["words"] == ("jobs:app",)
    assert int(settings["TimeoutStopSec"]) > GRACE


def test_the_container_starts_a_worker() -> None:
    (line,) = re.findall(r"^ENTRYPOINT \[(.*)\]$", sample("dockerfile"), re.MULTILINE)
    _, *words = re.findall(r'"(.*?)"', line)
    params = given(words)
    assert params["words"] == ("jobs:app",)
    assert (params["health"], params["metrics"]) == (":8080", ":8080")


def test_the_deployment_has_our_variables_and_waits_for_the_grace() -> None:
    text = sample("yaml")
    variables = dict(re.findall(r'name: (GEAR\w+), value: "(.*?)"', text))
    known: dict[str, Option] = {option.env: option for option in OPTIONS.values()}
    assert variables.keys() <= known.keys()
    assert from_environment(variables) == {
        "servers": ("queue-0.queue", "queue-1.queue"), "concurrency": 20, "grace": GRACE,
    }  # fmt: skip
    (seconds,) = re.findall(r"terminationGracePeriodSeconds: (\d+)", text)
    assert int(seconds) > GRACE
    assert re.findall(r"path: (\S+),", text) == ["/healthz", "/readyz"]


def test_the_file_has_our_options(tmp_path: Path) -> None:
    from gear_worker.cli.configfile import read_toml

    file = tmp_path / "worker.toml"
    file.write_text(sample("toml"))
    assert read_toml(str(file))["pool"] == "processes"
