"""From measures to tags by stated rules (``rules.toml``)."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from tagcf.tags.evidence import Evidence, Found
from tagcf.tags.vocabulary import Vocabulary
from tagcf.text import catalogue
from tagcf.types import Reason

LEAST = 0.1  # strength below which a tag is not given

Measured = Mapping[str, float | None]  # name → value; None where it could not be measured


@dataclass(frozen=True, slots=True)
class SoundRule:
    """One measure that becomes a tag."""

    source: str
    tag: str
    measure: str
    none: float  # where the strength is 0
    full: float  # where it is 1
    trust: float  # confidence of the tag
    needs: Mapping[str, tuple[float, float]]
    unless_known: Mapping[str, tuple[float, float]]
    only_without: tuple[str, ...]

    def strength(self, measured: Measured) -> float:
        """Return 0..1; 0 where the rule does not apply."""
        value = measured.get(self.measure)
        if value is None or not self._applies(measured):
            return 0.0
        return min(max((value - self.none) / (self.full - self.none), 0.0), 1.0)

    def _applies(self, measured: Measured) -> bool:
        known = {name: value for name, value in measured.items() if value is not None}
        if any(name in known for name in self.only_without):
            return False
        needed = all(
            name in known and low <= known[name] <= high for name, (low, high) in self.needs.items()
        )
        return needed and all(
            low <= known[name] <= high
            for name, (low, high) in self.unless_known.items()
            if name in known
        )


@cache
def sound_rules() -> tuple[SoundRule, ...]:
    """Every rule, in the order of the file."""
    file = resources.files("tagcf.tags.media.sound").joinpath("rules.toml")
    entries: dict[str, list[dict[str, Any]]] = tomllib.loads(file.read_text("utf-8"))
    return tuple(
        SoundRule(
            source=source,
            tag=rule["tag"],
            measure=rule["measure"],
            none=rule["none"],
            full=rule["full"],
            trust=rule["trust"],
            needs=_ranges(rule.get("needs", {})),
            unless_known=_ranges(rule.get("unless_known", {})),
            only_without=tuple(rule.get("only_without", ())),
        )
        for source, rules in entries.items()
        for rule in rules
    )


def found_by_rules(
    source: str, measured: Measured, vocabulary: Vocabulary, span: tuple[float, float]
) -> tuple[Found, ...]:
    """Tags of a source's rules, with the measured value in words and the seconds it is from."""
    known = {tag.slug for tag in vocabulary.tags}
    found = []
    for rule in sound_rules():
        strength = rule.strength(measured) if rule.source == source and rule.tag in known else 0.0
        if strength >= LEAST:
            evidence = Evidence(None, *span, fact_of(rule.measure, measured))
            found.append(Found(rule.tag, strength, rule.trust, source, evidence))
    return tuple(found)


def fact_of(measure: str, measured: Measured) -> Reason:
    """Return a measured value as a sentence to be said."""
    key = f"sound.measured_{measure}"
    value = ("value", float(measured[measure] or 0.0))
    other = measured.get(f"{measure}_other")
    if other is not None and f"{key}_other" in catalogue():
        return Reason(f"{key}_other", (value, ("other", float(other))))
    return Reason(key, (value,))


def _ranges(entry: dict[str, list[float]]) -> dict[str, tuple[float, float]]:
    return {name: (float(low), float(high)) for name, (low, high) in entry.items()}
