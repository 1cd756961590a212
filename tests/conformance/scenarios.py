"""Scenarios and the servers that each is played with."""

from dataclasses import dataclass

import pytest

from .conversation import Conversation
from .script import Differs, Step

KINDS = ("geard", "gearmand")


@dataclass(frozen=True)
class Scenario:
    """A named conversation.

    Attributes:
        name: What it shows.
        steps: What happens.
        options: Command line options, which both servers understand.
        alone: Whether it needs a server of its own, with nothing left over from others.
        geard_only: The note that says why gearmand does not take part.
    """

    name: str
    steps: tuple[Step, ...]
    options: tuple[str, ...] = ()
    alone: bool = False
    geard_only: str | None = None

    def play(self, conversation: Conversation) -> None:
        """Hold the conversation; an error says in which step it occurred."""
        for number, step in enumerate(self.steps, 1):
            try:
                step.play(conversation)
            except AssertionError as error:
                error.add_note(f"in step {number}: {step}")
                raise
        conversation.end()

    @property
    def notes(self) -> set[str]:
        """The notes that it refers to."""
        notes = {step.note for step in self.steps if isinstance(step, Differs)}
        return notes | ({self.geard_only} if self.geard_only else set())


def scenario(
    name: str,
    *steps: Step,
    options: tuple[str, ...] = (),
    alone: bool = False,
    geard_only: str | None = None,
) -> Scenario:
    """Return a scenario, its steps listed."""
    return Scenario(name, steps, options, alone, geard_only)


def _marks(kind: str) -> list[pytest.MarkDecorator]:
    return [pytest.mark.peer] if kind == "gearmand" else []


def over_servers(scenarios: list[Scenario]) -> pytest.MarkDecorator:
    """Return the mark that plays each scenario with each server that takes part."""
    return pytest.mark.parametrize(
        ("scenario", "kind"),
        [
            pytest.param(scenario, kind, id=f"{kind}-{scenario.name}", marks=_marks(kind))
            for scenario in scenarios
            for kind in KINDS
            if kind == "geard" or not scenario.geard_only
        ],
    )
