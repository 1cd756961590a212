"""The reference has everything that there is, and documents lead to files that exist."""

import re
import runpy
from pathlib import Path

import pytest

import gear
from gear_server.engine.rules import packet_rules
from gear_wire import constants
from gear_wire.enums import Magic, PacketType
from gear_wire.handlers import PacketHandlers
from gear_wire.table import BY_TYPE, frame_key

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "docs" / "reference"
LINK = re.compile(r"\]\((?!https?:|#)([^)#]+)")
# Modules and the like are no entries.
NAMES = sorted(set(gear.__all__) - {"__version__", "acl", "constants"})


@pytest.mark.parametrize("name", NAMES)
def test_the_reference_has_each_name(name: str) -> None:
    pattern = rf"^\.\. (auto\w+:: gear\.|py:data:: ){name}(\(.*\))?$"
    found = [
        path.name
        for path in REFERENCE.glob("*.rst")
        if re.search(pattern, path.read_text(), re.MULTILINE)
    ]
    assert len(found) == 1, found


def test_the_reference_has_each_constant() -> None:
    text = (REFERENCE / "constants.rst").read_text()
    found = set(
        re.findall(r"^\.\. (?:autodata|py:data):: gear\.constants\.(\w+)$", text, re.MULTILINE)
    )
    shown_above = {name for name in gear.__all__ if name.startswith("PRECEDENCE_")}
    assert found | shown_above == set(constants.__all__)


def test_the_sections_are_in_their_order() -> None:
    text = (REFERENCE / "index.rst").read_text()
    places = [
        text.index(title + "\n")
        for title in (
            "Client Example", "Worker Example", "SSL Connections", "API Reference",
            "   client", "   worker", "   admin", "   server", "   common", "   constants",
            "Indices and tables",
        )
    ]  # fmt: skip
    assert places == sorted(places)


def test_the_first_examples_are_as_they_are_tested() -> None:
    printed = runpy.run_path(str(Path(__file__).with_name("test_examples_documented.py")))
    reference = (REFERENCE / "index.rst").read_text()
    for example in printed["PRINTED"].values():
        indented = "".join(f"   {line}\n" for line in example.splitlines())
        assert indented in reference


def handlers(cls: type) -> set[str]:
    """Return the handlers that a class has beyond those that only log an unexpected packet."""
    return {
        name
        for base in cls.__mro__
        if base is not PacketHandlers
        for name in vars(base)
        if name.startswith("handle")
    }


def test_no_page_runs_what_its_reader_does_not_see() -> None:
    pages = [*ROOT.glob("docs/**/*.md"), *ROOT.glob("docs/**/*.rst"), *ROOT.glob("**/README.md")]
    hidden = [str(page) for page in pages if "invisible" in page.read_text()]
    assert not hidden


@pytest.mark.parametrize("cls", [gear.Client, gear.Worker])
def test_the_how_to_names_each_event(cls: type) -> None:
    text = (ROOT / "docs" / "how-to" / "events.md").read_text()
    section = text.partition(f"\n## The events of a {cls.__name__.lower()}\n")[2].partition(
        "\n## "
    )[0]
    assert set(re.findall(r"`(handle\w+)`", section)) == handlers(cls) | {"handlePacket"}


def test_the_reference_of_a_server_leaves_out_what_a_server_refuses() -> None:
    text = (REFERENCE / "server.rst").read_text()
    hidden = re.search(r":exclude-members: (.*?)\n\n", text, re.DOTALL)
    assert hidden is not None
    rules = packet_rules()
    unexpected = rules[frame_key(Magic.REQ, PacketType.NOOP)]
    assert set(re.findall(r"handle\w+", hidden[1])) == {
        info.handler
        for number, info in BY_TYPE.items()
        if rules[frame_key(Magic.REQ, number)] is unexpected
    }


@pytest.mark.parametrize(
    "document",
    [*ROOT.glob("*.md"), *ROOT.glob("packages/*/*.md")],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_links_lead_to_files(document: Path) -> None:
    """Those of the documentation's own pages are checked when it is built."""
    for target in LINK.findall(document.read_text()):
        assert (document.parent / target).exists(), target
