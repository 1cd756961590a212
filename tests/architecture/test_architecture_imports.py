"""Who may import whom: the contracts, and what they cannot say."""

import re
import subprocess
import sys
import tomllib
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from support import workspace

CONTRACTS: list[dict[str, Any]] = tomllib.loads((workspace.ROOT / "pyproject.toml").read_text())[
    "tool"
]["importlinter"]["contracts"]
PURE = next(contract for contract in CONTRACTS if "pure floor" in contract["name"])
# What on the pure floor knows of threads, clocks or loops: a job can be waited for, and an app
# loads the clients of tests when they are asked for.
WAITING = {"gear_client.jobs", "gear_wire.functions.testing"}


def test_the_contracts_are_kept() -> None:
    program = Path(sys.executable).parent / "lint-imports"
    done = subprocess.run(
        [program, "--no-cache"], cwd=workspace.ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"Contracts: {len(CONTRACTS)} kept, 0 broken." in done.stdout


def test_all_modules_of_the_contracts_exist() -> None:
    named = {
        name
        for contract in CONTRACTS
        for key in ("modules", "source_modules", "forbidden_modules")
        for name in contract.get(key, ())
        if name.startswith("gear")
    }
    assert named <= set(workspace.modules())


def test_nothing_that_the_pure_floor_loads_is_impure() -> None:
    # The contract looks at the modules it names; here are those that they import, too.
    files = workspace.modules()
    waiting, seen = list(PURE["source_modules"]), {*WAITING}
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        imported = workspace.imports(files[name])
        impure = {each for each in imported if each.split(".")[0] in PURE["forbidden_modules"]}
        assert not impure, f"{name} is on the pure floor and imports {impure}"
        # What a package's own file imports is for who imports the package.
        waiting += [each for each in imported if each in files and "." in each]
    assert len(seen) > len(PURE["source_modules"])


@pytest.mark.parametrize("distribution", workspace.MEMBERS)
def test_a_distribution_imports_only_what_it_declares(distribution: str) -> None:
    project = workspace.project(distribution)
    extras: dict[str, list[str]] = project.get("optional-dependencies", {})
    declared = {
        re.split(r"[^\w-]", requirement)[0].replace("-", "_")
        for requirement in chain(project["dependencies"], *extras.values())
    }
    if "opentelemetry_api" in declared:
        declared.add("opentelemetry")  # what it is imported as
    # What the pytest plugin is given by whoever runs pytest.
    optional = {"gear-server": {"gear_client", "gear_worker", "pytest"}}
    allowed = {*declared, *optional.get(distribution, ()), workspace.package(distribution)}
    allowed.add("msgspec")  # gear-wire's structs are its public face, and bring it
    for name, file in workspace.sources(distribution).items():
        roots = {each.split(".")[0] for each in workspace.imports(file)}
        assert roots - sys.stdlib_module_names <= allowed, name


def test_no_module_is_for_odds_and_ends() -> None:
    names = {name.rsplit(".", 1)[-1] for name in workspace.modules()}
    assert not names & {"utils", "util", "helpers", "common", "misc", "base"}
