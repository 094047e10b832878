"""What speaks for and against one effect: balance, and the checks that doubt it.

Frozen dataclasses, as in `tagcf.types`, which builds on them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

POPULARITY = "log(rows)"  # name of the control that is the log of an item's rows


@dataclass(frozen=True, slots=True)
class Balance:
    """Standardised mean differences of one control between carriers of a tag and the rest."""

    tag: str
    control: str
    before: float
    after: float


@dataclass(frozen=True, slots=True)
class NegativeControl:
    """An effect that cannot exist: what it was estimated at. `q` is over the tags."""

    name: str  # "next_item", or the outcome that was measured before the impression
    estimate: float
    ci_low: float
    ci_high: float
    p: float
    q: float


@dataclass(frozen=True, slots=True)
class Benchmark:
    """The observed control that an unseen one is measured against: the most dangerous one."""

    control: str
    r2_tag: float  # share of the tag's remaining variance between items that it explains
    r2_outcome: float  # … of the outcome's
    times_estimate: float  # so many times as strong would take the estimate to 0; at most 100
    times_interval: float  # … would make the interval reach 0


@dataclass(frozen=True, slots=True)
class Alternative:
    """The same effect, weighted in another way. Errors by item."""

    name: Literal["trimmed", "overlap"]
    estimate: float
    ci_low: float
    ci_high: float
    items: float  # effective number


@dataclass(frozen=True, slots=True)
class Overlap:
    """Whether items with a tag and without it can be compared. Scores are of items."""

    carriers: tuple[float, ...]  # share of their rows by score, in equal bins from 0 to 1
    others: tuple[float, ...]
    cut: float  # items with a score outside [cut, 1 - cut] have no comparable counterpart
    off_support: float  # share of rows on such items
    alternatives: tuple[Alternative, ...]


@dataclass(frozen=True, slots=True)
class Specification:
    """The effect under one other choice of rows, fixed effects, controls and weights."""

    rows: str  # all, random, chosen
    groups: str  # author, none, stratum
    controls: str  # knots_5, knots_3, linear, none, or "without:" and the control left out
    weights: str  # item_effects, rows, items, trimmed
    estimate: float
    ci_low: float
    ci_high: float


@dataclass(frozen=True, slots=True)
class Doubt:
    """What speaks against the effect of one tag on one outcome. None: not applicable."""

    tag: str
    outcome: str
    stopped_by: str | None  # the check that withdrew the claim
    placebo_p: float  # share of permutations with as large a t
    placebo_p_any: float  # … with as large a t of any tag
    placebo_t: float
    placebo_draws: tuple[float, ...]  # the t of every permutation
    by_q: float | None  # Benjamini and Yekutieli
    simultaneous_p: float | None  # family-wise, all tags of the outcome
    simultaneous_low: float | None
    simultaneous_high: float | None
    robustness: float | None  # robustness value of the estimate
    robustness_interval: float | None  # … of the interval
    benchmark: Benchmark | None
    e_value: float | None
    e_value_limit: float | None
    gamma: float | None  # Rosenbaum's Γ up to which the sign holds; 1: not even without bias
    pairs: int
    within_author: Specification | None = None  # where authors are known but were not held
    negatives: tuple[NegativeControl, ...] = ()
    overlap: Overlap | None = None
    balance: tuple[Balance, ...] = ()
    specifications: tuple[Specification, ...] = ()
