"""Who is compared: geard, gearmand and gear 0.16, each with the ways to start it."""

from dataclasses import dataclass
from pathlib import Path

from benchmarks import servers
from benchmarks.environments import FRAMEWORKS, GEAR016, PYTHON3_GEARMAN, build, build_ours
from benchmarks.library import Library
from benchmarks.question import Case, Subject

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
        library: The library that is measured, over the server of the variant, or None.
    """

    name: str
    variants: tuple[Variant, ...]
    most_rounds: int | None = None
    library: Library | None = None


THREADS: dict[str, tuple[str, ...]] = {"gearmand": (), "gearmand-1": ("--threads", "1")}
"""The entrants that are gearmand, and the options that set them apart."""
MEMORY = "memory"
"""The entrant that is ours without the options of the case."""
OVER_REDIS = ("celery", "rq", "dramatiq", "taskiq")
"""The frameworks that need Redis."""
BARE = "bare"
"""The entrant that is ours without the worker command: a loop over its packets."""
SHARED = {MEMORY: "gear", BARE: "gear", **dict.fromkeys(OVER_REDIS, "frameworks")}
"""The environments of entrants that have none of their own name."""
PACKAGES = {
    "gear016": (GEAR016,),
    "python3-gearman": (PYTHON3_GEARMAN,),
    "frameworks": FRAMEWORKS,
}
LIBRARIES = Path(__file__).parent / "libraries"
DRIVE = "benchmarks.frameworks.drive"


class Entrants:
    """Makes the entrants of a case; builds the environment of each once, when first asked for.

    Args:
        python: The interpreter to build environments on.
        installed: Interpreters that have gear already, by the name of the entrant.
        chosen: Names of those that may take part; empty for all.
    """

    def __init__(self, python: str, installed: dict[str, Path], chosen: frozenset[str]) -> None:
        self._python = python
        self._interpreters = dict(installed)
        self._more = [name for name in installed if name != "gear" and name not in PACKAGES]
        self._chosen = chosen

    def of(self, case: Case) -> list[Entrant]:
        """Return those that take part in a case, ours first."""
        names = [*case.entrants, *self._more]
        return [
            self._make(name, case) for name in names if not self._chosen or name in self._chosen
        ]

    @property
    def interpreters(self) -> dict[str, Path]:
        """The interpreters that took part so far, by the name of the entrant."""
        return dict(self._interpreters)

    def _interpreter(self, entrant: str) -> Path:
        name = SHARED.get(entrant, entrant)
        if name not in self._interpreters:
            self._interpreters[name] = (
                build(name, self._python, [*PACKAGES[name]])
                if name in PACKAGES
                else build_ours(self._python)
            )
        return self._interpreters[name]

    def _make(self, name: str, case: Case) -> Entrant:
        if case.subject is Subject.LIBRARY:
            return self._library(name)
        if case.subject is Subject.FRAMEWORK:
            return self._framework(name)
        if name in THREADS:
            options = (*case.gearmand, *THREADS[name])
            return Entrant(name, (Variant(" ".join(options), servers.gearmand(*options)),))
        python = self._interpreter(name)
        if name == "gear016":
            return Entrant(name, (Variant("", servers.gear016(python)),), MOST_ROUNDS)
        options = () if name == MEMORY else case.geard
        return Entrant(name, (Variant(" ".join(options), servers.geard(python, *options)),))

    def _library(self, name: str) -> Entrant:
        program = "python3_gearman_calls.py" if name == "python3-gearman" else "gear_calls.py"
        library = Library(self._interpreter(name), (str(LIBRARIES / program),))
        return Entrant(name, (Variant("", servers.gearmand()),), library=library)

    def _framework(self, name: str) -> Entrant:
        python = self._interpreter(name)
        server = servers.redis() if name in OVER_REDIS else servers.geard(python)
        library = Library(python, ("-m", DRIVE, name if name in SHARED else "gear"))
        return Entrant(name, (Variant("", server),), library=library)
