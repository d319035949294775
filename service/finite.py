"""A number of a command line that is one."""

import math

import click


class FiniteRange(click.FloatRange):
    """click's range lets ``nan`` through, and ``inf`` where it has no upper end."""

    def convert(self, value: float, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The number; raises :class:`click.BadParameter`."""
        number: float = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value!r} is not a finite number.", param, ctx)
        return number
