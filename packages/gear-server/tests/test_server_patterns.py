"""The regular expressions of access control lists: what they match, and which are refused."""

import re

import pytest

from gear_server.engine import patterns
from gear_server.engine.expressions import DEEPEST, LONGEST, ExpressionError
from gear_server.engine.patterns import MOST_STATES, NAME_SIZE, Pattern

EVIL = ["(a+)+$", "(a|a)*b", "(a|aa)+$", "(.*a){10}", "(a?){20}a{20}", "(.*)*x", "(x+x+)+y"]
"""Those that keep `re` busy for ever."""


@pytest.mark.parametrize(
    ("pattern", "matched", "others"),
    [
        ("build-.*|reverse", ["build-", "build-x", "reverse"], ["reverse-everything", "rebuild-x"]),
        ("^build$", ["build"], ["build-x", "xbuild"]),
        (r"\Aone\Z|^two$", ["one", "two"], ["onetwo", "one$"]),
        ("(?:ab|cd)+", ["ab", "cdab"], ["", "abc"]),
        ("(?P<kind>ab)?c", ["c", "abc"], ["ab"]),
        (r"\w+\.\d{2,3}", ["a.12", "ab.123"], ["a.1", "a.1234", "ax12"]),
        ("[a-c]{2}", ["ab"], ["a", "ad", "abc"]),
        ("a{,2}", ["", "aa"], ["aaa"]),
        ("a{2,}?", ["aa", "aaaa"], ["a"]),
        (r"[^]a]\]", ["b]"], ["a]", "]]"]),
        ("[]a]", ["]", "a"], ["b"]),
        (r"[\]\d]", ["]", "7"], ["\\"]),
        ("a{x}", ["a{x}"], ["a"]),
        ("a{}", ["a{}"], ["a"]),
        ("(?i)Build", ["build", "BUILD"], ["builds"]),
        ("|a", ["", "a"], ["b"]),
        (r"\x41\u00e9", ["A\u00e9"], ["A"]),
        ("a]", ["a]"], ["a"]),
        ("(){99}(a{0}){99}b", ["b"], ["", "ab"]),
    ],
)
def test_whole_names_match(pattern: str, matched: list[str], others: list[str]) -> None:
    compiled = Pattern(pattern)
    for name in (*matched, *others):
        assert compiled.matches(name) is (name in matched)
        assert (re.fullmatch(pattern, name) is not None) is (name in matched)


def test_nothing_may_be_repeated_as_often_as_anyone_likes() -> None:
    compiled = Pattern("(){9999999}(a{0}){9999999}b")
    assert compiled.matches("b")
    assert not compiled.matches("ab")


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("(", "unterminated subpattern"),
        ("a**", "multiple repeat"),
        ("[b-a]", "bad character range"),
        (r"(a)\1", r"'\\\\1' is not supported: only characters"),
        ("(?P<x>a)(?P=x)", "is not supported"),
        ("(a)?(?(1)b|c)", "is not supported"),
        ("(?!build)", r"'\(\?!build\)' is not supported"),
        ("a(?<=a)", "is not supported"),
        (r"\bword", "is not supported"),
        ("(?>a)", "is not supported"),
        ("a*+", "is not supported"),
        ("a^b", "is not supported"),
        ("(a$)", "is not supported"),
        ("(?i:a)", "is not supported"),
        ("a" * (LONGEST + 1), f"it has {LONGEST + 1} characters; the maximum is {LONGEST}"),
        ("(" * (DEEPEST + 1) + ")" * (DEEPEST + 1), f"nested more than {DEEPEST} deep"),
        ("(" * 4000 + ")" * 4000, f"nested more than {DEEPEST} deep"),
        ("a{99999999999}", "repetition number is too large"),
        ("((a{100}){100}){100}", f"it needs more than {MOST_STATES} states"),
        ("(a?){4000}", "a name could take more than"),
        (".?" * 2000, "a name could take more than"),
    ],
)
def test_what_is_not_regular_or_too_large_is_refused(pattern: str, reason: str) -> None:
    with pytest.raises(ExpressionError, match=reason):
        Pattern(pattern)


@pytest.mark.parametrize("pattern", EVIL)
def test_evil_patterns_are_harmless(pattern: str) -> None:
    compiled = Pattern(pattern)
    assert not compiled.matches("a" * (NAME_SIZE - 1) + "!")
    assert not compiled.matches("x" * (NAME_SIZE - 1) + "!")


def test_many_names_may_be_listed() -> None:
    names = [f"company-department{number}:build" for number in range(200)]
    compiled = Pattern("|".join(names))
    assert all(compiled.matches(name) for name in names)
    assert not compiled.matches("company-department1:")


def test_what_is_kept_of_earlier_names_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patterns, "KEPT_STEPS", 20)
    monkeypatch.setattr(patterns, "KEPT_NAMES", 4)
    compiled = Pattern(".*-(.*)-x|.*y")
    for number in range(1000):
        name = f"{chr(256 + number)}{number}-é-x"
        assert compiled.matches(name)
        assert not compiled.matches(name[:-1])
    assert len(compiled._names) <= 4
    assert sum(1 + kept.reached + len(kept.moves) for kept in compiled._sets.values()) < 60
