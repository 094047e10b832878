"""How the numbers of one outcome are written: points or units, and how many digits."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from tagcf.text import say

MINUS = "\N{MINUS SIGN}"
DEFAULT_DECIMALS = 2
MAX_DECIMALS = 4


@dataclass(frozen=True, slots=True)
class Scale:
    """The scale an outcome is told on.

    `points` is True for shares (binary, rate, successes out of trials): their changes are
    told in percentage points, their levels in per cent. All numbers of one outcome carry
    the same `decimals`, so that columns align.
    """

    points: bool
    decimals: int

    @property
    def factor(self) -> float:
        """Multiplier from the outcome's own scale to the written one."""
        return 100.0 if self.points else 1.0

    def bare(self, value: float) -> str:
        """Return a change with its sign and without its unit: ``+1.2``."""
        return signed(value * self.factor, self.decimals)

    def change(self, value: float) -> str:
        """Return a change with its sign and unit: ``+1.2 pp``."""
        if not self.points:
            return self.bare(value)
        return say("report.points", number=self.bare(value))

    def interval(self, low: float, high: float) -> str:
        """Return an interval of a change: ``[+0.8, +1.6]``."""
        return f"[{self.bare(low)},\N{NO-BREAK SPACE}{self.bare(high)}]"

    def level(self, value: float) -> str:
        """Return a level: ``12.3%`` for a share, else the plain number."""
        written = plain(value * self.factor, self.decimals)
        return f"{written}%" if self.points else written


def scale_of(points: bool, half_widths: Iterable[float]) -> Scale:
    """Choose the digits so that the typical half-width of an interval shows two of them.

    Parameters
    ----------
    points
        Whether the outcome is a share.
    half_widths
        Half-widths of the intervals of the outcome, on its own scale.
    """
    factor = 100.0 if points else 1.0
    widths = sorted(factor * width for width in half_widths if width > 0 and math.isfinite(width))
    if not widths:
        return Scale(points, DEFAULT_DECIMALS)
    typical = widths[len(widths) // 2]
    decimals = 1 - math.floor(math.log10(typical))
    return Scale(points, min(max(decimals, 0), MAX_DECIMALS))


def signed(value: float, decimals: int) -> str:
    """Return a number with an explicit sign; what rounds to zero carries none."""
    if round(value, decimals) == 0:
        return f"{0:.{decimals}f}"
    sign = "+" if value > 0 else MINUS
    return f"{sign}{abs(value):,.{decimals}f}"


def plain(value: float, decimals: int) -> str:
    """Return a number with thousands separators and a typographic minus."""
    return f"{value:,.{decimals}f}".replace("-", MINUS)


def count(value: float) -> str:
    """Return a whole number with thousands separators."""
    return f"{value:,.0f}"


def share(value: float) -> str:
    """Return a share as a whole per cent."""
    return f"{100 * value:.0f}%"


def probability(value: float | None) -> str:
    """Return a p- or q-value; very small ones as a bound."""
    if value is None:
        return ""
    return "<0.001" if value < 0.001 else f"{value:.3f}"
