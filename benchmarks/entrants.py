"""Who is compared: geard, gearmand and gear 0.16, each with the ways to start it."""

from dataclasses import dataclass
from pathlib import Path

from benchmarks import servers
from benchmarks.environments import GEAR016, build, build_ours
from benchmarks.question import Case

MOST_ROUNDS = 3
"""Rounds of an entrant that is slower by so much that its scatter says nothing."""


@dataclass(frozen=True)
class Variant:
    """One way to start an entrant.

    Attributes:
        name: The options that make it; empty for the defaults.
        command: Makes the command line of the server.
    """

    name: str
    command: servers.Command


@dataclass(frozen=True)
class Entrant:
    """One of those that are compared.

    Attributes:
        name: As in the tables.
        variants: The ways to start it; the best counts.
        most_rounds: Rounds that are enough, or None.
        python: The interpreter of the library that is measured, or None.
    """

    name: str
    variants: tuple[Variant, ...]
    most_rounds: int | None = None
    python: Path | None = None


class Entrants:
    """Makes the entrants of a case; builds the environment of each once, when first asked for.

    Args:
        python: The interpreter to build environments on.
        installed: Interpreters that have gear already, by the name of the entrant.
        chosen: Names of those that may take part; None for all.
    """

    def __init__(
        self, python: str, installed: dict[str, Path], chosen: frozenset[str] | None
    ) -> None:
        self._python = python
        self._interpreters = dict(installed)
        self._more = [name for name in installed if name not in ("geard", "gear016")]
        self._chosen = chosen

    def of(self, case: Case) -> list[Entrant]:
        """Return those that take part in a case, ours first."""
        names = [*case.entrants, *(self._more if "geard" in case.entrants else ())]
        return [
            self._make(name, case) for name in names if self._chosen is None or name in self._chosen
        ]

    def interpreter(self, name: str) -> Path:
        """Return the interpreter of an entrant that is written in Python."""
        if name not in self._interpreters:
            self._interpreters[name] = (
                build(name, self._python, [GEAR016])
                if name == "gear016"
                else build_ours(self._python)
            )
        return self._interpreters[name]

    def _make(self, name: str, case: Case) -> Entrant:
        if name == "gearmand":
            variants = (
                Variant(" ".join(options), servers.gearmand(*options)) for options in case.gearmand
            )
            return Entrant(name, tuple(variants))
        if name == "gear016":
            command = servers.gear016(self.interpreter(name))
            return Entrant(name, (Variant("", command),), MOST_ROUNDS)
        return Entrant(name, (Variant("", servers.geard(self.interpreter(name))),))
