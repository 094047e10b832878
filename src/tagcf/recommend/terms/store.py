"""Fitted terms and roles as arrays and facts, and back; what is quickly made is made again."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from tagcf.recommend.cold.stand_in import StandIns
from tagcf.recommend.cold.term import ColdChoice, cold_term
from tagcf.recommend.cold.users import SegmentPrior
from tagcf.recommend.histories import Histories
from tagcf.recommend.linear.fit import Arrays, sparse_arrays, sparse_of
from tagcf.recommend.logic.propagate import propagation_of
from tagcf.recommend.roles import KnownRoles
from tagcf.recommend.terms.choices import Choices, Finding, Reached, Side
from tagcf.recommend.terms.fitted import Terms, terms_at
from tagcf.types import Tag


def term_arrays(terms: Terms) -> Arrays:
    """What takes time to learn."""
    arrays: Arrays = {}
    if terms.cold is not None:
        arrays |= {"inverse": terms.cold.ridge.inverse, "stands": terms.cold.stands.item}
    if terms.segments is not None:
        prior = terms.segments
        arrays |= sparse_arrays("levels", prior.more)
        arrays |= {"share": prior.share, "level_events": prior.events}
        arrays |= {"level_scale": np.array([prior.strength, prior.prior])}
    if terms.logic is not None:
        graph = terms.logic
        arrays |= sparse_arrays("edges", graph.to_topics)
        arrays |= {"role_share": graph.share, "centre": graph.centre, "scale": graph.scale}
    return arrays


def terms_of(arrays: Arrays, choices: Choices, side: Side, learned: Histories) -> Terms:
    """Make the terms of what `term_arrays` gave and of what they were learned from."""
    cold = segments = logic = None
    if choices.cold is not None and "inverse" in arrays:
        stands = StandIns(arrays["stands"])
        cold = cold_term(side.features, learned, choices.cold, arrays["inverse"], stands)
    if "level_scale" in arrays:
        more, scale = sparse_of("levels", arrays), arrays["level_scale"].tolist()
        segments = SegmentPrior(arrays["share"], arrays["level_events"], more, *scale)
    if "centre" in arrays:
        learnt = sparse_of("edges", arrays), arrays["role_share"], arrays["centre"], arrays["scale"]
        logic = propagation_of(learnt, side.tags, side.roles)
    return terms_at(choices, side, learned, (cold, segments, logic))


def choices_of(facts: dict[str, Any]) -> Choices:
    """Make choices of their JSON."""
    cold, reached = facts["cold"], facts["reached"]
    if reached is not None:
        pairs = {name: tuple(reached[name]) for name in ("coverage", "gini")}
        reached = Reached(reached["loss"], **pairs)
    fixed = {
        "cold": None if cold is None else ColdChoice(**cold),
        "findings": tuple(Finding(**one) for one in facts["findings"]),
        "reached": reached,
    }
    return Choices(**(facts | fixed))


def role_arrays(known: KnownRoles) -> tuple[Arrays, dict[str, Any]]:
    """Tables of roles, and their names."""
    arrays = sparse_arrays("of_items", known.of_items)
    arrays |= sparse_arrays("role_lift", known.lift) | sparse_arrays("role_low", known.low)
    return arrays, {"roles": [asdict(one) for one in known.roles], "current": known.current}


def roles_of(arrays: Arrays, facts: dict[str, Any] | None) -> KnownRoles | None:
    """Make roles of what `role_arrays` gave."""
    if facts is None:
        return None
    return KnownRoles(
        roles=tuple(tag_of(one) for one in facts["roles"]),
        of_items=sparse_of("of_items", arrays),
        lift=sparse_of("role_lift", arrays),
        low=sparse_of("role_low", arrays),
        current=bool(facts["current"]),
    )


def tag_of(facts: dict[str, Any]) -> Tag:
    """Make a tag of its JSON."""
    return Tag(**(facts | {name: tuple(facts[name]) for name in ("aliases", "keywords")}))
