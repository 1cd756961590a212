"""The page about security: each promise has tests that exist, and its tables are complete."""

import re

import pytest
from benchmarks.attacks.kinds import ATTACKS
from benchmarks.attacks.run import ALL

from gear_server.geard.options import OPTIONS
from gear_server.settings import LIMITS
from support.named_tests import ROOT, check_named_tests

DOCS = ROOT / "docs"
PAGE = (DOCS / "topics" / "security.md").read_text()
PROMISES = PAGE[PAGE.index("## What is promised") : PAGE.index("## What is not promised")]
OPERATE = (DOCS / "how-to" / "operate.md").read_text()
TABLE = OPERATE[OPERATE.index("<!-- limits: begin") : OPERATE.index("<!-- limits: end")]
FIGURES = (DOCS / "_static" / "attacks.txt").read_text()


def promises() -> list[str]:
    """Return the lines of the lists, each with the lines that go on with it."""
    found = re.findall(r"^- (?:.+\n)(?:  .+\n)*", PROMISES, re.M)
    return [" ".join(item.split()) for item in found]


@pytest.mark.parametrize("promise", promises(), ids=lambda promise: promise[:60])
def test_every_promise_names_tests_that_exist(promise: str) -> None:
    (comment,) = re.findall(r"<!--(.*)-->", promise)
    check_named_tests(comment)


def test_every_promise_is_looked_at() -> None:
    lines = PROMISES.splitlines()
    assert len(promises()) == len([line for line in lines if line.startswith("- ")]) > 10


def number(cell: str) -> float:
    """Return what a default in the table stands for."""
    if cell in ("none", "three quarters"):
        return 0
    figure, _, unit = cell.replace(",", "").partition(" ")
    return float(figure) * {"MiB": 1 << 20}.get(unit, 1)


def test_the_table_of_limits_has_every_limit_with_its_default() -> None:
    rows = re.findall(r"^\| `--([a-z-]+)` \| (.+?) \|", TABLE, re.M)
    limits = {o.name: o.program_default for o in OPTIONS.values() if o.group == LIMITS}
    assert {name: number(cell) for name, cell in rows if name in limits} == limits


def test_the_table_of_attacks_has_all_of_them_and_meets_the_floors() -> None:
    head, *rows = FIGURES.split("\n\n")[0].splitlines()[1:]
    assert [row.split()[0] for row in rows] == [*ATTACKS, ALL]
    assert not [row for row in rows if len(row) > len(head)], "a fault stands behind the figures"
