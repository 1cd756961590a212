"""When a function is due without being called; who submits it is the worker command."""

import hashlib
from typing import Final, Literal, get_args

import msgspec

from gear_wire.errors import ConfigurationError
from gear_wire.functions.cron import check_cron

Missed = Literal["once", "skip"]
LONGEST_NAME: Final = 40
"""The longest name that is part of a unique as it is, in bytes."""


class Every(msgspec.Struct, frozen=True):
    """How often a function is due.

    Attributes:
        function: The function's name.
        cron: A cron expression of five fields, in UTC; empty when `seconds` counts.
        seconds: Seconds from one time to the next, counted from 1970.
        missed: What becomes of a time at which no worker was free: ``once`` runs its job late, and
            those that came due meanwhile not at all; ``skip`` leaves out what has not begun when
            the next time comes.
    """

    function: str
    cron: str = ""
    seconds: float = 0.0
    missed: Missed = "skip"

    def unique(self, due: int) -> str:
        """Return the unique of one due time: several schedulers submit it once.

        gearmand takes uniques of up to 63 bytes, so a long name is told by its hash.
        """
        name = self.function
        if len(name.encode(errors="surrogateescape")) > LONGEST_NAME:
            name = hashlib.blake2b(
                name.encode(errors="surrogateescape"), digest_size=LONGEST_NAME // 2
            ).hexdigest()
        return f"every:{name}:{due}"


def to_every(function: str, when: str | float, missed: Missed) -> Every:
    """Return what `App.every` was given as one value.

    Raises:
        ConfigurationError: The seconds are less than one, the expression cannot be read, or
            `missed` is unknown.
    """
    if missed not in get_args(Missed):
        raise ConfigurationError(f"missed is 'once' or 'skip', not {missed!r}")
    if isinstance(when, str):
        try:
            check_cron(when)
        except ConfigurationError as error:
            raise ConfigurationError(f"{function}: {error}") from None
        return Every(function, cron=when, missed=missed)
    if not when >= 1:
        raise ConfigurationError(f"{function}: every takes at least 1 second, not {when!r}")
    return Every(function, seconds=float(when), missed=missed)
