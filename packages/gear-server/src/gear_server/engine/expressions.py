"""Reads the regular expressions of access control lists into trees, for `patterns`."""

import re
from typing import Final

import msgspec

LONGEST: Final = 10_000
"""Maximum characters of an expression."""
DEEPEST: Final = 50
"""Maximum depth of its parentheses."""

_LETTER: Final = re.compile(
    r"""
    \[ \^? \]? (?: \\. | [^\]\\] )* \]  # a class; a bracket that comes first is one of its own
    | \\ (?: x[0-9a-fA-F]{2} | u[0-9a-fA-F]{4} | U[0-9a-fA-F]{8} | [dDwWsSafnrtv] | [^0-9A-Za-z] )
    | [^\\\[()*+?|^$]
    """,
    re.VERBOSE | re.DOTALL,
)
_OPEN: Final = re.compile(r"\((?:\?:|\?P<\w+>|(?!\?))")
_FLAGS: Final = re.compile(r"\(\?([aisu]+)\)")
_REPEAT: Final = re.compile(r"(?:(\*)|(\+)|(\?)|\{(?!\})(\d*)(,?)(\d*)\})\??")
_BEGIN: Final = re.compile(r"\^|\\A")
_END: Final = re.compile(r"(?:\$|\\Z)(?=\||\Z)")


class Letter(msgspec.Struct, frozen=True):
    """Matches one character.

    Attributes:
        source: The expression for it: a character, an escape or a class.
    """

    source: str


class Sequence(msgspec.Struct, frozen=True):
    """Matches its parts, one after the other."""

    parts: tuple["Node", ...]


class Choice(msgspec.Struct, frozen=True):
    """Matches one of its options."""

    options: tuple["Node", ...]


class Repeat(msgspec.Struct, frozen=True):
    """Matches its part repeatedly.

    Attributes:
        part: What is repeated.
        least: How often at least.
        most: How often at most; None for no limit.
    """

    part: "Node"
    least: int
    most: int | None


Node = Letter | Sequence | Choice | Repeat


class ExpressionError(ValueError):
    """An expression is invalid, or cannot be matched in time that grows with the name alone."""


def parse(source: str) -> tuple[Node, re.RegexFlag]:
    """Return the tree of a regular expression, and its flags.

    Whatever needs no memory of what was matched is read, as `re` reads it.

    Raises:
        ExpressionError: It is invalid, too long, or has something else.
    """
    if len(source) > LONGEST:
        raise ExpressionError(f"it has {len(source)} characters; the maximum is {LONGEST}")
    try:
        re.compile(source)
    except RecursionError:
        raise ExpressionError(_TOO_DEEP) from None
    except (re.error, OverflowError, FutureWarning) as error:
        raise ExpressionError(str(error)) from error
    return _Parser(source).parse()


_TOO_DEEP: Final = f"its parentheses are nested more than {DEEPEST} deep"


class _Parser:
    """Reads an expression that `re` has found valid."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._position = 0

    def parse(self) -> tuple[Node, re.RegexFlag]:
        found = self._accept(_FLAGS)
        flags = re.NOFLAG
        for letter in found[1] if found else "":
            flags |= re.RegexFlag[letter.upper()]
        return self._choice(0), flags

    def _accept(self, expected: re.Pattern[str]) -> re.Match[str] | None:
        found = expected.match(self._source, self._position)
        if found:
            self._position = found.end()
        return found

    def _next(self) -> str:
        return self._source[self._position : self._position + 1]

    def _choice(self, depth: int) -> Node:
        options = [self._sequence(depth)]
        while self._next() == "|":
            self._position += 1
            options.append(self._sequence(depth))
        return Choice(tuple(options)) if len(options) > 1 else options[0]

    def _sequence(self, depth: int) -> Node:
        parts: list[Node] = []
        # The whole name must match, so that these say nothing more.
        if not depth:
            self._accept(_BEGIN)
        while self._next() not in ("", "|", ")") and not (not depth and self._accept(_END)):
            parts.append(self._repeat(self._atom(depth)))
        return Sequence(tuple(parts))

    def _atom(self, depth: int) -> Node:
        letter = self._accept(_LETTER)
        if letter:
            return Letter(re.escape(letter[0]) if letter[0] in "{}" else letter[0])
        if not self._accept(_OPEN):
            rest = self._source[self._position : self._position + 20]
            raise ExpressionError(
                f"{rest!r} is not supported: only characters, classes, groups, choices and repeats"
            )
        if depth == DEEPEST:
            raise ExpressionError(_TOO_DEEP)
        inside = self._choice(depth + 1)
        self._position += 1
        return inside

    def _repeat(self, part: Node) -> Node:
        found = self._accept(_REPEAT)
        if not found:
            return part
        star, plus, option, least, comma, most = found.groups()
        if star or plus:
            return Repeat(part, 1 if plus else 0, None)
        if option:
            return Repeat(part, 0, 1)
        count = int(least or 0)
        return Repeat(part, count, (int(most) if most else None) if comma else count)
