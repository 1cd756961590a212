"""Patterns of access control: they match as `re` does, in a bounded number of steps."""

import re
import sys
from types import FrameType
from typing import TYPE_CHECKING

from hypothesis import example, given
from hypothesis import strategies as st

from gear_server.engine.expressions import ExpressionError
from gear_server.engine.patterns import MOST_STEPS, NAME_SIZE, Pattern

if TYPE_CHECKING:
    from _typeshed import TraceFunction

letters = st.sampled_from(["a", "b", ".", "[ab]", "[^a]", r"\w", r"\.", "[a-c-]", "-"])
repeats = st.sampled_from(["*", "+", "?", "{2}", "{,3}", "{1,}", "*?", "{0}"])


def larger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.lists(inner, max_size=4).map("".join),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: f"({'|'.join(parts)})"),
        st.tuples(inner, repeats).map(lambda parts: f"(?:{parts[0]}){parts[1]}"),
        st.tuples(letters, repeats).map("".join),
    )


expressions = st.recursive(letters, larger, max_leaves=12)
names = st.text("ab-.c", max_size=7)
"""Short ones: `re` tries all ways to match them."""


@given(expression=expressions, name=names)
def test_a_pattern_matches_as_re_does(expression: str, name: str) -> None:
    expected = re.fullmatch(expression, name) is not None
    assert Pattern(expression).matches(name) is expected


def lines(pattern: Pattern, name: str) -> int:
    """Return how many lines of Python it takes to match a name."""
    count = 0

    def trace(frame: FrameType, event: str, argument: object) -> "TraceFunction | None":
        nonlocal count
        if "gear_server" not in frame.f_code.co_filename:
            return None
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        pattern.matches(name)
    finally:
        sys.settrace(before)
    return count


long_names = st.one_of(
    st.sampled_from(["a" * NAME_SIZE, "ab" * (NAME_SIZE // 2), "a-" * (NAME_SIZE // 2 - 1) + "!"]),
    st.text("ab-.c", min_size=NAME_SIZE, max_size=NAME_SIZE),
)
LINES_PER_STEP = 8


@given(expression=expressions, name=long_names)
@example("(a+)+$", "a" * (NAME_SIZE - 1) + "!")
@example("(a?){90}a{90}", "a" * 89)
@example(".{0,90}" + "(a|b|.)" * 5, "ab" * (NAME_SIZE // 2))
@example("(.*a)(.*a)(.*a)(.*a)(.*a)(.*a)b", "a" * NAME_SIZE)
@example("((((a*)*)*)*)*b", "a" * NAME_SIZE)
def test_no_name_takes_more_than_a_bounded_number_of_steps(expression: str, name: str) -> None:
    try:
        pattern = Pattern(expression)
    except ExpressionError as error:
        assert "could take more than" in str(error)
        return
    assert lines(pattern, name) <= LINES_PER_STEP * MOST_STEPS
    assert lines(pattern, name) <= 10  # it is known now
