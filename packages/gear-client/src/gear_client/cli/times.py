"""Times as they are typed on a command line."""

import datetime

import click


class Time(click.ParamType[datetime.datetime]):
    """A date, a date with a time, or a time of the day; without a zone it is local time."""

    name = "time"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime.datetime:
        """Return the time that was typed, with its zone."""
        try:
            return parse_time(str(value), datetime.datetime.now().astimezone())
        except ValueError:
            text = f"{value!r} is no time such as 18:30, and no date such as 2030-12-31T18:30"
            self.fail(text, param, ctx)


def parse_time(text: str, now: datetime.datetime) -> datetime.datetime:
    """Return a time with its zone.

    Args:
        text: A date with or without a time, as in ISO 8601, or a time of the day alone: the next
            such time.
        now: The present time.

    Raises:
        ValueError: It is none of these.
    """
    try:
        clock = datetime.time.fromisoformat(text)
    except ValueError:
        return _zoned(datetime.datetime.fromisoformat(text))
    day = now.astimezone(clock.tzinfo).date()
    when = _zoned(datetime.datetime.combine(day, clock))
    tomorrow = datetime.datetime.combine(day + datetime.timedelta(days=1), clock)
    return when if when > now else _zoned(tomorrow)


def _zoned(when: datetime.datetime) -> datetime.datetime:
    return when if when.tzinfo else when.astimezone()
