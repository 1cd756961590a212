"""Which names a regular expression matches, in time that grows only with their length.

`re` tries one way after the other to match, of which there may be exponentially many. Here, an
automaton follows all ways at once. Its sets of states are kept, so that most names cost one look
into a dictionary for each character, and those seen lately one in all.
"""

import re
from typing import Final

import msgspec

from gear_server.engine.expressions import (
    Choice,
    ExpressionError,
    Letter,
    Node,
    Repeat,
    Sequence,
    parse,
)

MOST_STATES: Final = 10_000
"""Maximum states of an automaton: counted repeats are written out."""
MOST_STEPS: Final = 50_000
"""Maximum steps for any name of `NAME_SIZE` characters; some milliseconds."""
NAME_SIZE: Final = 512
KEPT_STEPS: Final = 10_000
KEPT_NAMES: Final = 256
"""What is kept of earlier matches, before all of it is forgotten."""


class _State(msgspec.Struct):
    """A state of the automaton.

    Attributes:
        letter: What leads on to the first of `following`; None if nothing must be read.
        following: The states that follow.
    """

    letter: str | None
    following: tuple[int, ...]


class _Set(msgspec.Struct, eq=False):
    """States in which the automaton is at once.

    Attributes:
        reached: How many states there are.
        ends: Whether the name may end here.
        letters: For each letter that leads on, the states to which it leads.
        moves: The next set for a character.
    """

    reached: int
    ends: bool
    letters: dict[str, list[int]]
    moves: dict[str, "_Set"]


class Pattern:
    """A regular expression that whole names must match.

    Args:
        source: The expression.

    Raises:
        ExpressionError: It is invalid, has something that is not regular, or is too large.
    """

    def __init__(self, source: str) -> None:
        self.source: str = source
        tree, flags = parse(source)
        self._states: list[_State] = []
        self._end = self._add(None)
        self._begin = self._build(tree, self._end)
        letters = {state.letter for state in self._states if state.letter is not None}
        self._letters = {letter: re.compile(letter, flags) for letter in letters}
        self._sets: dict[frozenset[int], _Set] = {}
        self._kept = 0
        self._names: dict[str, bool] = {}
        self._check()

    def matches(self, name: str) -> bool:
        """Return whether a whole name matches."""
        known = self._names.get(name)
        if known is None:
            if len(self._names) >= KEPT_NAMES:
                self._names.clear()
            known = self._names[name] = self._match(name)
        return known

    def _match(self, name: str) -> bool:
        current = self._set(frozenset([self._begin]))
        for character in name:
            moved = current.moves.get(character) or self._move(current, character)
            if not moved.reached:
                return False
            current = moved
        return current.ends

    def _move(self, current: _Set, character: str) -> _Set:
        following: set[int] = set()
        for letter, states in current.letters.items():
            if self._letters[letter].match(character):
                following.update(states)
        moved = current.moves[character] = self._set(frozenset(following))
        self._kept += 1
        return moved

    def _set(self, entered: frozenset[int]) -> _Set:
        found = self._sets.get(entered)
        if found is None:
            if self._kept > KEPT_STEPS:
                self._forget()
            found = self._sets[entered] = self._explore(entered)
            self._kept += found.reached
        return found

    def _forget(self) -> None:
        # The sets refer to each other: this way no collector is needed to free them.
        for kept in list(self._sets.values()):
            kept.moves.clear()
        self._sets.clear()
        self._kept = 0

    def _explore(self, entered: frozenset[int]) -> _Set:
        """Return the states that are reached from others without reading anything."""
        reached, new = set(entered), list(entered)
        letters: dict[str, list[int]] = {}
        while new:
            state = self._states[new.pop()]
            if state.letter is not None:
                letters.setdefault(state.letter, []).extend(state.following)
                continue
            for following in state.following:
                if following not in reached:
                    reached.add(following)
                    new.append(following)
        return _Set(len(reached), self._end in reached, letters, {})

    def _check(self) -> None:
        """Check how many steps a name can take: those if every character matched every letter."""
        steps, entered = 0, frozenset([self._begin])
        for _ in range(NAME_SIZE + 1):
            found = self._explore(entered)
            steps += found.reached
            if steps > MOST_STEPS:
                raise ExpressionError(f"a name could take more than {MOST_STEPS} steps to match")
            entered = frozenset(
                state for following in found.letters.values() for state in following
            )

    # Making the automaton, from its end

    def _add(self, letter: str | None, *following: int) -> int:
        if len(self._states) >= MOST_STATES:
            raise ExpressionError(f"it needs more than {MOST_STATES} states")
        self._states.append(_State(letter, following))
        return len(self._states) - 1

    def _build(self, node: Node, after: int) -> int:
        """Add the states of a tree, and return the first of them."""
        match node:
            case Letter(source):
                return self._add(source, after)
            case Sequence(parts):
                for part in reversed(parts):
                    after = self._build(part, after)
                return after
            case Choice(options):
                return self._add(None, *[self._build(option, after) for option in options])
            case Repeat(part, least, most):
                return self._repeat(part, least, most, after)

    def _repeat(self, part: Node, least: int, most: int | None, after: int) -> int:
        first = after
        if most is None:
            first = self._add(None)
            self._states[first].following = (self._build(part, first), after)
        else:
            for _ in range(most - least):
                first = self._add(None, self._build(part, first), after)
        for _ in range(least):
            before, first = first, self._build(part, first)
            if before == first:
                break  # the part is empty, however often it is repeated
        return first
