"""What the documentation says of geard's options."""

import re
from pathlib import Path

import pytest

from gear_server.engine.rights import COMMANDS, Right
from gear_server.geard.foreign import FOREIGN, ForeignOption
from gear_server.geard.options import OPTIONS
from gear_server.geard.parser import make_parser
from gear_server.logevents import EVENTS
from gear_server.logformat import USUAL
from gear_server.settings import PROMISE
from gear_wire.option import Option

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "how-to" / "operate.md").read_text()


@pytest.mark.parametrize("foreign", FOREIGN, ids=lambda foreign: foreign.spellings[-1])
def test_every_option_that_only_gearmand_has_is_in_the_table_with_its_reason(
    foreign: ForeignOption,
) -> None:
    if foreign.translated and not foreign.values:
        assert f"`{foreign.spellings[-1]}` | mean" in PAGE
        return
    (row,) = re.findall(rf"^\|.*`{foreign.spellings[-1]}`.*\|$", PAGE, re.M)
    assert row.endswith(f"| {foreign.reason} |")
    table = PAGE[: PAGE.index(row)]
    taken, refused = table.rfind("\nAccepted but ignored"), table.rfind("\nRefused")
    assert foreign.taken is (taken > refused)


@pytest.mark.parametrize(
    "option", [option for option in OPTIONS.values() if option.env], ids=lambda option: option.env
)
def test_every_variable_of_the_environment_is_documented(option: Option) -> None:
    assert re.search(rf"^\|.*`{option.env}`.*`--{option.name}`.*\|$", PAGE, re.M)


@pytest.mark.parametrize("option", OPTIONS.values(), ids=lambda option: option.name)
def test_the_page_names_every_option(option: Option) -> None:
    assert any(f"{spelling}`" in PAGE or f"{spelling} " in PAGE for spelling in option.spellings)


def test_every_option_that_the_page_names_exists() -> None:
    named = set(re.findall(r"`(--[a-z][a-z0-9-]*)", PAGE))
    known = {spelling for option in OPTIONS.values() for spelling in option.spellings}
    known |= {spelling for foreign in FOREIGN for spelling in foreign.spellings}
    of_others = {"--status"}
    assert named - known - of_others == set()


@pytest.mark.parametrize("command", COMMANDS, ids=bytes.decode)
def test_every_text_command_is_said_to_need_its_right(command: bytes) -> None:
    right = COMMANDS[command]
    if right in (Right.SEE, Right.ADMIN, Right.GRANT):
        (row,) = re.findall(rf"^\| `{right.value}` \|.*$", PAGE, re.M)
        assert f"`{command.decode()}" in row
    elif right is not Right.NONE:
        assert command.split()[0].decode() in PAGE


@pytest.mark.parametrize("page", ["README.md", "docs/topics/durability.md"])
def test_the_promise_is_made_in_the_same_words_everywhere(page: str) -> None:
    text = (Path(__file__).parents[2] / page).read_text()
    assert PROMISE in " ".join(text.replace("`", "").replace("*", "").split())


def test_the_help_makes_the_same_promise() -> None:
    assert PROMISE in " ".join(make_parser().format_help().split())


def test_every_event_of_the_log_is_listed_with_its_fields() -> None:
    page = (DOCS / "reference" / "log.md").read_text()
    _, _, rest = page.partition("<!-- events: begin -->\n")
    table, _, _ = rest.partition("<!-- events: end -->")
    rows = ["| event | fields | message |", "|---|---|---|"]
    for message, event in EVENTS.items():
        fields = ["*job*" if name == "job" else f"`{name}`" for name in event.fields if name]
        rows.append(f"| `{event.name}` | {', '.join(fields)} | {message} |")
    assert table.splitlines() == rows
    assert all(f"| `{name}` |" in page for name in (*USUAL, "traceback"))
