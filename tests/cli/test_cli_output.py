"""What the command lines write: tables for people, JSON for programs, nothing that does harm."""

import json

import pytest

from gear_wire.cli.exits import Exit
from gear_wire.cli.missing import explain_missing
from gear_wire.cli.output import print_json, print_table, printable


def test_a_table_aligns_and_shows_names_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [[b"[red]x[/red] :smile:", 10, None], ["日本", 2, (b"f", b"g")]]
    print_table(["function", "jobs", "more"], rows)
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        "function              jobs  more",
        "[red]x[/red] :smile:    10  -",
        "日本                     2  f g",
    ]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (b"\x1b[2J", r"\x1b[2J"),
        ("a\u202eb", r"a\u202eb"),
        (b"\xff", r"\xff"),
        ((b"a\n", b"b"), r"a\n b"),
        (True, "yes"),
        (None, "-"),
        (2.5, "2.5"),
        ("x" * 1000, "x" * 1000),
    ],
)
def test_what_others_sent_is_escaped(value: object, shown: str) -> None:
    assert printable(value) == shown


def test_json_is_a_line_a_row(capsys: pytest.CaptureFixture[str]) -> None:
    print_json([{"a": b"\xff", "b": (b"x", 1)}, {"a": "\udcff", "b": None}])
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert rows == [{"a": r"\xff", "b": ["x", 1]}, {"a": r"\xff", "b": None}]


def test_what_is_missing_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    missing = ModuleNotFoundError("no", name="rich.table")
    assert explain_missing("gear-admin", missing) == Exit.USAGE
    assert capsys.readouterr().err == (
        "gear-admin: rich.table is missing: pip install 'gear-admin[cli]'\n"
    )
    with pytest.raises(ModuleNotFoundError):
        explain_missing("gear-admin", ModuleNotFoundError("no", name="gear_admin.nothing"))
