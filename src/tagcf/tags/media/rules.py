"""From measures of pictures to tags by stated rules (``rules.toml``)."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from tagcf.tags.evidence import Evidence, Found
from tagcf.tags.media.seen import Measure
from tagcf.tags.vocabulary import Vocabulary
from tagcf.types import Reason

LEAST = 0.1  # strength below which a tag is not given

Measured = Mapping[str, Measure]  # by name; what could not be measured is absent


@dataclass(frozen=True, slots=True)
class Slope:
    """Strength of one measure: 0 at `none`, 1 at `full`, straight between, level beyond."""

    measure: str
    none: float
    full: float

    def strength(self, measured: Measured) -> float:
        """Return 0..1; 0 where the measure is not known."""
        if self.measure not in measured:
            return 0.0
        share = (measured[self.measure].value - self.none) / (self.full - self.none)
        return min(max(share, 0.0), 1.0)


@dataclass(frozen=True, slots=True)
class PictureRule:
    """Measures that together become a tag; the weakest decides, the first is the evidence."""

    source: str
    tag: str
    slopes: tuple[Slope, ...]
    least: tuple[tuple[str, float], ...]  # measures that must be known and reach a value
    trust: float  # confidence of the tag

    def strength(self, measured: Measured) -> float:
        """Return 0..1; 0 where the rule does not apply."""
        if any(name not in measured or measured[name].value < low for name, low in self.least):
            return 0.0
        return min(slope.strength(measured) for slope in self.slopes)


@cache
def picture_rules() -> tuple[PictureRule, ...]:
    """Every rule, in the order of the file."""
    file = resources.files("tagcf.tags.media").joinpath("rules.toml")
    entries: dict[str, list[dict[str, Any]]] = tomllib.loads(file.read_text("utf-8"))
    return tuple(
        PictureRule(
            source=source,
            tag=rule["tag"],
            slopes=tuple(
                Slope(name, ends["none"], ends["full"]) for name, ends in rule["when"].items()
            ),
            least=tuple(rule.get("least", {}).items()),
            trust=rule["trust"],
        )
        for source, rules in entries.items()
        for rule in rules
    )


def found_by_rules(source: str, measured: Measured, vocabulary: Vocabulary) -> tuple[Found, ...]:
    """Tags of a source's rules, each with the value measured, in words, and its second."""
    known = {tag.slug for tag in vocabulary.tags}
    found = []
    for rule in picture_rules():
        strength = rule.strength(measured) if rule.source == source and rule.tag in known else 0.0
        if strength >= LEAST:
            name = rule.slopes[0].measure
            shown = measured[name]
            fact = Reason(f"media.measured_{name}", (("value", float(shown.value)),))
            evidence = Evidence(None, shown.start_s, shown.end_s, fact)
            found.append(Found(rule.tag, strength, rule.trust, source, evidence))
    return tuple(found)
