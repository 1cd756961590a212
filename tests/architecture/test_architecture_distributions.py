"""What each distribution consists of and says of itself."""

import ast
import importlib
import re
from pathlib import Path

import pytest

from support import workspace

LONGEST = 700
DEPENDENCIES = {
    "gear": ["gear-admin", "gear-client", "gear-server", "gear-wire", "gear-worker"],
    "gear-wire": ["msgspec"],
    "gear-client": ["gear-wire"],
    "gear-worker": ["gear-wire"],
    "gear-admin": ["gear-wire"],
    "gear-server": ["gear-wire", "uvloop"],
}
EXTRAS = ("cli", "http", "metrics", "reload")
all_of_them = pytest.mark.parametrize("distribution", workspace.FOLDERS)


def name_of(requirement: str) -> str:
    return re.split(r"[^A-Za-z0-9-]", requirement, maxsplit=1)[0]


def version_of(distribution: str) -> str:
    module = importlib.import_module(workspace.package(distribution) + ".__about__")
    version: str = module.__version__
    return version


@all_of_them
@pytest.mark.parametrize("file", ["README.md", "CHANGELOG.md", "LICENSE", "pyproject.toml"])
def test_a_file_is_there(distribution: str, file: str) -> None:
    assert (workspace.FOLDERS[distribution] / file).stat().st_size > 0


@all_of_them
def test_it_is_typed(distribution: str) -> None:
    package = workspace.package(distribution)
    assert (workspace.FOLDERS[distribution] / "src" / package / "py.typed").is_file()
    assert "Typing :: Typed" in workspace.project(distribution)["classifiers"]


@all_of_them
def test_its_license_is_that_of_the_project(distribution: str) -> None:
    theirs = (workspace.FOLDERS[distribution] / "LICENSE").read_text()
    assert theirs == (workspace.ROOT / "LICENSE").read_text()
    assert workspace.project(distribution)["license"] == "Apache-2.0"


@all_of_them
def test_its_version_is_newer_than_the_gear_of_old(distribution: str) -> None:
    # pip would take the old gear of the package index before a 0.x or a pre-release of ours.
    assert re.fullmatch(r"[1-9]\d*\.\d+\.\d+", version_of(distribution))
    assert "version" in workspace.project(distribution)["dynamic"]


@all_of_them
def test_its_changelog_begins_with_its_version(distribution: str) -> None:
    text = (workspace.FOLDERS[distribution] / "CHANGELOG.md").read_text()
    headings = re.findall(r"^## (\S+)", text, re.MULTILINE)
    released = [heading for heading in headings if heading != "Unreleased"]
    assert released[:1] == [version_of(distribution)]


@all_of_them
def test_it_depends_on_what_it_needs_and_pins_its_siblings(distribution: str) -> None:
    requirements = workspace.project(distribution)["dependencies"]
    assert [name_of(requirement) for requirement in requirements] == DEPENDENCIES[distribution]
    for requirement in requirements:
        name = name_of(requirement)
        if name in workspace.MEMBERS:
            major = int(version_of(name).split(".")[0])
            # Who installs all of gear has the command lines too, with all that they can do.
            offered = workspace.project(name).get("optional-dependencies", {})
            brought = ",".join(each for each in EXTRAS if each in offered)
            wanted = distribution == "gear" and name != "gear-wire" and brought
            extra = f"[{brought}]" if wanted else ""
            assert requirement == f"{name}{extra}>={major},<{major + 1}"


@pytest.mark.parametrize("distribution", ["gear-client", "gear-worker"])
def test_tracing_brings_the_api_of_opentelemetry_alone(distribution: str) -> None:
    (wire,) = workspace.project(distribution)["optional-dependencies"]["tracing"]
    assert wire.startswith("gear-wire[tracing]>=")
    (api,) = workspace.project("gear-wire")["optional-dependencies"]["tracing"]
    assert name_of(api) == "opentelemetry-api"


@all_of_them
def test_it_says_on_which_pythons_it_runs(distribution: str) -> None:
    project = workspace.project(distribution)
    assert project["requires-python"] == ">=3.11"
    versions = [text.rsplit(" ", 1)[1] for text in project["classifiers"] if "Python :: 3." in text]
    assert versions == ["3.11", "3.12", "3.13"]


@pytest.mark.parametrize("name", sorted(workspace.modules()))
def test_a_module_says_what_it_is_and_is_not_long(name: str) -> None:
    file: Path = workspace.modules()[name]
    text = file.read_text()
    assert ast.get_docstring(ast.parse(text))
    assert text.count("\n") <= LONGEST
