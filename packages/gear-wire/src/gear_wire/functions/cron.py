"""Cron expressions: whether one can be read; a library of gear-worker computes the times."""

import re
from typing import Final, NamedTuple

from gear_wire.errors import ConfigurationError

_TERM: Final = re.compile(r"(?:\*|([0-9A-Z]+)(?:-([0-9A-Z]+))?)(?:/0*[1-9][0-9]*)?")
_MONTHS: Final = "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC"
_DAYS: Final = "SUN MON TUE WED THU FRI SAT"


class _Field(NamedTuple):
    """One of the five fields.

    Attributes:
        name: What it is called.
        lowest: Its lowest number.
        highest: Its highest number.
        names: Names for its numbers, from the lowest.
        special: What it may be beside numbers, names, and ranges and steps of them.
    """

    name: str
    lowest: int
    highest: int
    names: str = ""
    special: str = ""

    def takes(self, term: str) -> bool:
        """Return whether a term, in upper case, is one of this field."""
        if self.special and re.fullmatch(self.special, term):
            return True
        found = _TERM.fullmatch(term)
        if found is None:
            return False
        values = [self._number(value) for value in found.groups() if value is not None]
        return values == sorted(values) and all(
            self.lowest <= value <= self.highest for value in values
        )

    def _number(self, value: str) -> int:
        if value.isdigit():
            return int(value)
        names = self.names.split()
        return self.lowest + names.index(value) if value in names else -1


_FIELDS: Final = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day of the month", 1, 31, special="LW?"),
    _Field("month", 1, 12, _MONTHS),
    _Field("day of the week", 0, 7, _DAYS, rf"[0-7]L|([0-7]|{_DAYS.replace(' ', '|')})#[1-5]"),
)


def check_cron(expression: str) -> None:
    """Check that an expression has five fields, and each of them what it may have.

    Raises:
        ConfigurationError: It has not.
    """
    texts = expression.split()
    if len(texts) != len(_FIELDS):
        raise ConfigurationError(
            "a cron expression has five fields (minute, hour, day, month, day of week), not "
            f"{expression!r}"
        )
    for field, text in zip(_FIELDS, texts, strict=True):
        if not all(field.takes(term) for term in text.upper().split(",")):
            raise ConfigurationError(
                f"{expression!r} is not a cron expression: the {field.name} is from "
                f"{field.lowest} to {field.highest}, not {text!r}"
            )
