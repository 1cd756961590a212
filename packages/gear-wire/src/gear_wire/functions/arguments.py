"""What a call gives a function, held against its signature in the words of Python."""

import inspect
from collections.abc import Mapping, Sequence
from typing import Final

Bound = tuple[list[object], dict[str, object]]
"""What to call a function with: its positional-only arguments, and the others by name."""

_BY_POSITION: Final = (
    inspect.Parameter.POSITIONAL_ONLY,
    inspect.Parameter.POSITIONAL_OR_KEYWORD,
)


class Arguments:
    """The arguments that a function takes.

    Args:
        signature: The function's; none of its parameters takes any number of arguments.
        name: The function's name, for messages.

    Attributes:
        parameters: Its parameters, in order.
        names: Their names.
    """

    def __init__(self, signature: inspect.Signature, name: str) -> None:
        self.parameters: tuple[inspect.Parameter, ...] = tuple(signature.parameters.values())
        self.names: list[str] = [known.name for known in self.parameters]
        self._signature = signature
        self._name = name
        self._placed = [known for known in self.parameters if known.kind in _BY_POSITION]
        self._positional_only = [
            known for known in self.parameters if known.kind is known.POSITIONAL_ONLY
        ]

    def bind(
        self, args: tuple[object, ...], kwargs: Mapping[str, object]
    ) -> inspect.BoundArguments:
        """Return what a call gives, by name.

        Raises:
            TypeError: It does not fit; said as Python says it.
        """
        try:
            return self._signature.bind(*args, **kwargs)
        except TypeError as error:
            misfit, given = self.by_position(args)
            misfit = misfit or self.misfit({**given, **kwargs})
            raise TypeError(misfit or f"{self._name}() {error}") from None

    def by_position(self, values: Sequence[object]) -> tuple[str, dict[str, object]]:
        """Give values their names, in order.

        Returns:
            Why they do not fit, empty if they do; and the values by name.
        """
        given = {known.name: value for known, value in zip(self._placed, values, strict=False)}
        if len(values) > len(self._placed):
            return self._too_many(len(values)), given
        return self.misfit(given), given

    def misfit(self, given: Mapping[str, object]) -> str:
        """Return why arguments do not fit by their names; empty if they do."""
        for name in given:
            if name not in self.names:
                return f"{self._name}() got an unexpected keyword argument {name!r}"
        for places, kind in ((True, "positional"), (False, "keyword-only")):
            missing = [
                known.name
                for known in self.parameters
                if known.default is known.empty
                and known.name not in given
                and (known.kind in _BY_POSITION) is places
            ]
            if missing:
                noun = "argument" if len(missing) == 1 else "arguments"
                return (
                    f"{self._name}() missing {len(missing)} required {kind} {noun}: "
                    f"{_enumerated(missing)}"
                )
        return ""

    def split(self, given: dict[str, object]) -> Bound:
        """Return arguments by name as the function must be called with them."""
        placed: list[object] = []
        missing: list[object] = []
        for known in self._positional_only:
            if known.name in given:
                placed += [*missing, given.pop(known.name)]
                missing.clear()
            else:
                missing.append(known.default)  # needed only if one that follows is given
        return placed, given

    def _too_many(self, count: int) -> str:
        most = len(self._placed)
        least = sum(known.default is known.empty for known in self._placed)
        takes = f"{most}" if least == most else f"from {least} to {most}"
        plural = "" if takes == "1" else "s"
        were = "was" if count == 1 else "were"
        return f"{self._name}() takes {takes} positional argument{plural} but {count} {were} given"


def _enumerated(names: list[str]) -> str:
    *first, last = [repr(name) for name in names]
    if not first:
        return last
    comma = "," if len(first) > 1 else ""
    return f"{', '.join(first)}{comma} and {last}"
