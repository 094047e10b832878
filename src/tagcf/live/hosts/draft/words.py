"""A draft and its parts, in words of the language in force."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Purpose = Literal["open", "hold", "sell", "try"]


@dataclass(frozen=True, slots=True)
class Fact:
    """Something known, in words, with the numbers that it rests on."""

    number: int  # from 1, within its draft
    text: str
    speaks: Literal["for", "against"] = "for"


@dataclass(frozen=True, slots=True)
class Point:
    """A talking point and the fact behind it."""

    text: str
    because: Fact


@dataclass(frozen=True, slots=True)
class Slot:
    """One segment of the rundown; minutes from the start of the show."""

    start: float
    minutes: float
    purpose: Purpose
    tag: str | None  # slug
    tag_name: str
    product_id: str | None
    product: str  # title; empty: none
    price: float  # NaN: none
    because: tuple[Fact, ...]
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class Draft:
    """A rundown with titles and talking points.

    `written_by` is "template", or the name of the model whose sentences were let through; `refused`
    counts those that were not.
    """

    host: str
    minutes: float
    titles: tuple[Point, ...]
    slots: tuple[Slot, ...]
    written_by: str = "template"
    refused: int = 0

    @property
    def facts(self) -> tuple[Fact, ...]:
        """All facts behind it, by number."""
        told = [fact for slot in self.slots for fact in slot.because]
        told += [point.because for slot in self.slots for point in slot.points]
        told += [point.because for point in self.titles]
        return tuple(sorted({fact.number: fact for fact in told}.values(), key=lambda f: f.number))
