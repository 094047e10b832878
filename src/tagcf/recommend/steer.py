"""Steering: what operators and users wish of lists, applied at request time, after scoring.

A rule boosts the items that carry a tag, or blocks them, for everybody or for one user, segment
or channel. A boost of 1 adds, to an item that carries the tag with strength 1, one standard
deviation of the candidates' scores.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tagcf.errors import SettingsError, UnknownNameError
from tagcf.recommend.catalogue import Catalogue
from tagcf.recommend.steering.kernels import add_boost
from tagcf.text import did_you_mean
from tagcf.types import Codes, Floats

MOST_NAMED = 20  # in a message


@dataclass(frozen=True, slots=True)
class Rule:
    """One wish. Without user, segment and channel it is for everybody.

    Parameters
    ----------
    tag
        Slug, zh or en name, or alias.
    boost
        Standard deviations of the candidates' scores; negative: fewer of these.
    block
        Never show items that carry the tag.
    segment
        "city_tier=1": a column of `[design] segments` and its level.
    name
        How answers call the rule; by default it says what it does.

    Raises
    ------
    SettingsError
        Neither or both of boost and block, or a boost that is no finite number.
    """

    tag: str
    boost: float | None = None
    block: bool = False
    user: str | None = None
    segment: str | None = None
    channel: str | None = None
    name: str = ""

    def __post_init__(self) -> None:
        if self.block == (self.boost is not None):
            raise SettingsError("recommend.rule_does_nothing", tag=self.tag)
        if self.boost is not None and not isfinite(self.boost):
            raise SettingsError("recommend.rule_bad_boost", tag=self.tag, boost=self.boost)
        if self.segment is not None and "=" not in self.segment:
            raise SettingsError("recommend.rule_bad_segment", segment=self.segment)

    @property
    def label(self) -> str:
        """Name of the rule in answers."""
        if self.name:
            return self.name
        what = f"block {self.tag}" if self.block else f"boost {self.tag}={self.boost:g}"
        scopes = (("user", self.user), ("segment", self.segment), ("channel", self.channel))
        where = [f"{scope} {value}" for scope, value in scopes if value is not None]
        return " · ".join([what, *where])

    def acts(self, user: str | None, segments: Mapping[str, str], channel: str | None) -> bool:
        """Whether the rule is for this request."""
        if self.user is not None and self.user != user:
            return False
        if self.channel is not None and self.channel != channel:
            return False
        if self.segment is None:
            return True
        column, _, level = self.segment.partition("=")
        return segments.get(column.strip()) == level.strip()


@dataclass(frozen=True, slots=True)
class Acting:
    """A rule that acts on a request: the tag as it is known here, and the items that carry it."""

    rule: Rule
    tag: int
    items: Codes
    strength: Floats  # of the tag in each

    @property
    def weight(self) -> float:
        """Boost; 0 of a block."""
        return self.rule.boost or 0.0


def acting(
    rules: Sequence[Rule],
    catalogue: Catalogue,
    user: str | None,
    segments: Mapping[str, str],
    channel: str | None,
) -> tuple[Acting, ...]:
    """Rules that are for this request, with their items.

    Raises
    ------
    UnknownNameError
        A rule's tag is not one of the catalogue's.
    """
    found = []
    for rule in rules:
        if rule.acts(user, segments, channel):
            tag = catalogue.names.require(rule.tag)
            found.append(Acting(rule, tag, *catalogue.with_tag(tag)))
    return tuple(found)


def check_rules(
    rules: Sequence[Rule],
    catalogue: Catalogue,
    segments: Sequence[tuple[str, Sequence[str]]],
) -> None:
    """Find every tag and segment now, so that no rule is in vain.

    Users are not looked for: they come by `update`, too.

    Parameters
    ----------
    segments
        Columns and their levels.

    Raises
    ------
    UnknownNameError
        A tag, segment column or level that does not exist, with the nearest names.
    """
    for rule in rules:
        catalogue.names.require(rule.tag)
        if rule.segment is not None:
            column, _, level = (part.strip() for part in rule.segment.partition("="))
            _check_segment(column, level, dict(segments))


def _check_segment(column: str, level: str, segments: Mapping[str, Sequence[str]]) -> None:
    if column not in segments:
        known, near = ", ".join(segments) or "—", did_you_mean(column, segments)
        raise UnknownNameError(
            "recommend.rule_unknown_segment", name=column, hint=near, known=known
        )
    levels = segments[column]
    if level not in levels:
        facts = {"column": column, "hint": did_you_mean(level, levels), "known": first_of(levels)}
        raise UnknownNameError("recommend.rule_unknown_level", name=level, **facts)


def first_of(names: Sequence[str]) -> str:
    """Names as a message lists them, the first of very many."""
    more = f" … ({len(names)})" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + more or "—"


def read_rules(path: Path) -> tuple[Rule, ...]:
    """Read rules from TOML (``[[rule]]`` tables) or JSON (``{"rule": [...]}``).

    Raises
    ------
    SettingsError
        The file is missing or broken, or a rule has an unknown key or a wrong value.
    """
    try:
        text = path.read_text("utf-8-sig")
        values = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except OSError as missing:
        detail = missing.strerror or str(missing)
        raise SettingsError("recommend.rules_unreadable", path=path, detail=detail) from missing
    except ValueError as broken:  # bad TOML, JSON or UTF-8
        raise SettingsError("recommend.rules_unreadable", path=path, detail=broken) from broken
    return rules_of(values, str(path))


def rules_of(values: Any, where: str) -> tuple[Rule, ...]:
    """Make rules of what a file or a request holds.

    Raises
    ------
    SettingsError
        An unknown key, or a value of the wrong type.
    """
    listed = values.get("rule", []) if isinstance(values, Mapping) else None
    if not isinstance(listed, list) or not all(isinstance(one, Mapping) for one in listed):
        raise SettingsError("recommend.rules_unreadable", path=where, detail="[[rule]] …")
    if isinstance(values, Mapping) and (other := [key for key in values if key != "rule"]):
        hint = did_you_mean(other[0], ["rule"])
        raise SettingsError("error.unknown_setting", path=where, name=other[0], hint=hint)
    return tuple(_rule(one, where) for one in listed)


def _rule(values: Mapping[str, Any], where: str) -> Rule:
    known = {one.name for one in fields(Rule)}
    for key, value in values.items():
        if key not in known:
            hint = did_you_mean(key, sorted(known))
            raise SettingsError("error.unknown_setting", path=where, name=f"rule.{key}", hint=hint)
        good: type | tuple[type, ...] = str
        if key in ("boost", "block"):
            good = (int, float) if key == "boost" else bool
        if not isinstance(value, good) or (key == "boost" and isinstance(value, bool)):
            detail = f"{key} = {value!r}"
            raise SettingsError("recommend.rules_unreadable", path=where, detail=detail)
    if "tag" not in values:
        raise SettingsError("recommend.rules_unreadable", path=where, detail="tag = ?")
    return Rule(**values)


def parse_boost(text: str) -> Rule:
    """Read "TAG=W" of a command line.

    Raises
    ------
    SettingsError
        It is not that.
    """
    tag, equals, weight = text.rpartition("=")
    try:
        boost = float(weight)
    except ValueError:
        boost = float("nan")
    if not equals or not tag.strip() or not isfinite(boost):
        raise SettingsError("recommend.bad_boost_option", text=text)
    return Rule(tag.strip(), boost=boost)


def add_boosts(scores: NDArray[np.float32], rules: Sequence[Acting], unit: float) -> None:
    """Add boosts, in standard deviations of `unit`, to scores (I,), in place."""
    for one in rules:
        if not one.rule.block:
            add_boost(one.items, one.strength, np.float32(one.weight * unit), scores)
