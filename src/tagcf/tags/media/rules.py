"""Stated rules (``rules.toml``, of pictures and of sound): from measures to tags.

A rule's measures each rise in a straight line from strength 0 to 1; the weakest decides, the first
is the evidence. Conditions say when a rule is for nothing.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from tagcf.tags.evidence import Evidence, Found
from tagcf.tags.media.seen import Measure
from tagcf.tags.vocabulary import Vocabulary
from tagcf.types import Reason

LEAST = 0.1  # strength below which a tag is not given

Known = Mapping[str, float]  # values by name; what could not be measured is absent
Measured = Mapping[str, Measure]  # the same, with the seconds that a value is from
Ranges = Mapping[str, tuple[float, float]]

_PICTURES, _SOUND = "tagcf.tags.media", "tagcf.tags.media.sound"


@dataclass(frozen=True, slots=True)
class Slope:
    """Strength of one measure: 0 at `none`, 1 at `full`, straight between, level beyond."""

    measure: str
    none: float
    full: float

    def strength(self, known: Known) -> float:
        """Return 0..1; 0 where the measure is not known."""
        if self.measure not in known:
            return 0.0
        return min(max((known[self.measure] - self.none) / (self.full - self.none), 0.0), 1.0)


@dataclass(frozen=True, slots=True)
class Rule:
    """Measures that together become a tag."""

    source: str
    tag: str
    slopes: tuple[Slope, ...]
    trust: float  # confidence of the tag
    needs: Ranges  # measures that must be known and lie within
    unless_known: Ranges  # measures that must lie within if they are known
    only_without: tuple[str, ...]  # measures that must not be known

    @property
    def measure(self) -> str:
        """The one that is the evidence."""
        return self.slopes[0].measure

    def strength(self, known: Known) -> float:
        """Return 0..1; 0 where the rule does not apply."""
        if any(name in known for name in self.only_without):
            return 0.0
        asked = {name: ends for name, ends in self.unless_known.items() if name in known}
        for name, (low, high) in (*self.needs.items(), *asked.items()):
            if name not in known or not low <= known[name] <= high:
                return 0.0
        return min(slope.strength(known) for slope in self.slopes)


@cache
def _rules_of(package: str) -> tuple[Rule, ...]:
    """Every rule of a package's file, in its order."""
    file = resources.files(package).joinpath("rules.toml")
    entries: dict[str, list[dict[str, Any]]] = tomllib.loads(file.read_text("utf-8"))
    return tuple(
        Rule(
            source=source,
            tag=rule["tag"],
            slopes=tuple(
                Slope(name, ends["none"], ends["full"]) for name, ends in rule["when"].items()
            ),
            trust=rule["trust"],
            needs=_ranges(rule.get("needs", {})),
            unless_known=_ranges(rule.get("unless_known", {})),
            only_without=tuple(rule.get("only_without", ())),
        )
        for source, rules in entries.items()
        for rule in rules
    )


def picture_rules() -> tuple[Rule, ...]:
    """Rules of pictures and of the words in them."""
    return _rules_of(_PICTURES)


def sound_rules() -> tuple[Rule, ...]:
    """Rules of sounds and of voices."""
    return _rules_of(_SOUND)


def found_by(
    rules: tuple[Rule, ...],
    source: str,
    known: Known,
    vocabulary: Vocabulary,
    evidence: Callable[[str], Evidence],
) -> tuple[Found, ...]:
    """Tags by a source's rules; `evidence` puts the measure of a rule into words."""
    slugs = {tag.slug for tag in vocabulary.tags}
    asked = (rule for rule in rules if rule.source == source and rule.tag in slugs)
    given = ((rule, rule.strength(known)) for rule in asked)
    return tuple(
        Found(rule.tag, strength, rule.trust, source, evidence(rule.measure))
        for rule, strength in given
        if strength >= LEAST
    )


def found_in_pictures(source: str, measured: Measured, vocabulary: Vocabulary) -> tuple[Found, ...]:
    """Tags of pictures, each with the value measured, in words, and its second."""

    def evidence(name: str) -> Evidence:
        shown = measured[name]
        fact = Reason(f"media.measured_{name}", (("value", float(shown.value)),))
        return Evidence(None, shown.start_s, shown.end_s, fact)

    known = {name: one.value for name, one in measured.items()}
    return found_by(picture_rules(), source, known, vocabulary, evidence)


def _ranges(entry: dict[str, list[float]]) -> dict[str, tuple[float, float]]:
    return {name: (float(low), float(high)) for name, (low, high) in entry.items()}
