"""Picture data of doubt: a distribution with a mark, two distributions face to face, a curve."""

from __future__ import annotations

from dataclasses import dataclass

from tagcf.views.numbers import Scale
from tagcf.views.picture import Key


@dataclass(frozen=True, slots=True)
class Bars:
    """Heights over equal bins of an axis; `below` hangs from the line, face to face with them.

    `mark` is a value set apart, with its name; what lies outside `inside` is shaded.
    """

    title: str
    description: str
    above: tuple[float, ...]
    below: tuple[float, ...]
    domain: tuple[float, float]
    axis: str
    mark: tuple[float, str] | None
    inside: tuple[float, float] | None
    legend: tuple[Key, ...]


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """One specification: its interval, and which choice of each kind it made."""

    at: float
    low: float
    high: float
    clear: bool  # the interval is on the side of the main estimate
    choices: tuple[int, ...]  # position in the choices of each kind


@dataclass(frozen=True, slots=True)
class Choice:
    """A kind of choice and its names."""

    name: str
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Curve:
    """Specifications sorted by estimate, above what each of them chose."""

    description: str
    points: tuple[CurvePoint, ...]
    choices: tuple[Choice, ...]
    main: float
    axis: str
    scale: Scale
    domain: tuple[float, float]
    zero: str  # where zero lies if it is outside the domain; empty inside
    legend: tuple[Key, ...]
