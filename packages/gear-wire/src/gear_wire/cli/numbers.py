"""Numbers as they are typed on a command line; a wrong one is told what would be right."""

import math

import click


class Whole(click.IntRange):
    """A whole number that is large enough."""

    def convert(
        self, value: int | str, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        """Return the number that was typed."""
        try:
            return super().convert(int(value), param, ctx)
        except (ValueError, click.BadParameter):
            self.fail(f"{value!r} is not a whole number, {_limits(self.min, self.max)}", param, ctx)


class Number(click.FloatRange):
    """A number that is large enough, and not too large."""

    def convert(
        self, value: float | str, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the number that was typed."""
        try:
            number = super().convert(float(value), param, ctx)
        except (ValueError, click.BadParameter):
            number = math.nan
        if math.isnan(number):
            self.fail(f"{value!r} is not a number, {_limits(self.min, self.max)}", param, ctx)
        return number


def _limits(least: float | None, most: float | None) -> str:
    return f"{least:g} or more" if most is None else f"{least:g} to {most:g}"
