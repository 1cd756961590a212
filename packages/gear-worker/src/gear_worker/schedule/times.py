"""When an entry of a schedule is due; pure."""

import math
from datetime import UTC, datetime
from typing import Protocol

from gear_wire.errors import ConfigurationError
from gear_wire.functions.schedule import Every


class Times(Protocol):
    """The times at which something is due, in whole seconds since 1970."""

    def after(self, moment: float) -> int:
        """Return the first of them after a moment."""

    def before(self, moment: float) -> int:
        """Return the last of them before or at a moment."""


class Regular:
    """Every so many seconds, counted from 1970: so all schedulers count alike.

    Args:
        seconds: From one time to the next, at least one.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def after(self, moment: float) -> int:
        """Return the first time after a moment."""
        number = math.floor(moment / self._seconds)
        while (due := self._due(number)) <= moment:
            number += 1
        return due

    def before(self, moment: float) -> int:
        """Return the last time before or at a moment."""
        number = math.ceil(moment / self._seconds)
        while (due := self._due(number)) > moment:
            number -= 1
        return due

    def _due(self, number: int) -> int:
        return math.ceil(number * self._seconds)


class Cron:
    """The times of a cron expression, in UTC.

    Args:
        expression: Five fields: minute, hour, day of the month, month, day of the week.

    Raises:
        ConfigurationError: It cannot be read, or it is never due.
    """

    def __init__(self, expression: str) -> None:
        from cronsim import CronSimError  # only who has a schedule needs it

        self._expression = expression
        try:
            self._find(datetime(2000, 1, 1, tzinfo=UTC), backwards=False)
        except (CronSimError, StopIteration) as error:
            raise ConfigurationError(
                f"{expression!r} is not a cron expression that is ever due: {error}"
            ) from error

    def _find(self, moment: datetime, backwards: bool) -> int:
        from cronsim import CronSim

        return int(next(CronSim(self._expression, moment, reverse=backwards)).timestamp())

    def after(self, moment: float) -> int:
        """Return the first time after a moment."""
        return self._find(datetime.fromtimestamp(math.floor(moment), UTC), backwards=False)

    def before(self, moment: float) -> int:
        """Return the last time before or at a moment."""
        return self._find(datetime.fromtimestamp(math.floor(moment) + 1, UTC), backwards=True)


def times_of(entry: Every) -> Times:
    """Return the times of an entry.

    Raises:
        ConfigurationError: Its cron expression cannot be read, or the library for it is missing.
    """
    if not entry.cron:
        return Regular(entry.seconds)
    try:
        return Cron(entry.cron)
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"{entry.function}: cron expressions need {error.name}: pip install 'gear-worker[cli]'"
        ) from error
    except ConfigurationError as error:
        raise ConfigurationError(f"{entry.function}: {error}") from error
