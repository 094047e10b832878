"""What the questions "for whom, and with what" are answered with."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from tagcf.types import Reason, Rung, Verdict


@dataclass(frozen=True, slots=True)
class PairEffect:
    """What two tags do together beyond the sum of what each does.

    `estimate` is the change of the first tag's effect where the item carries the second, too, on
    the outcome's own scale. "raises" and "lowers" speak of this surplus.
    """

    first: str
    second: str
    outcome: str
    n_both: int  # items that carry both
    n_first_only: int
    n_second_only: int
    effective_items: float
    rung: Rung
    verdict: Verdict
    reason: Reason | None
    estimate: float | None = None
    se: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    p: float | None = None
    q: float | None = None
    diagnostics: dict[str, float | int | str | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SiblingComparison:
    """How many times the mean effect of its siblings a tag's effect is (Fieller).

    `shape` says what the 95% set is: "interval" between `low` and `high`; "outside" of them (the
    siblings' mean may be zero); "everything".
    """

    tag: str
    parent: str | None
    siblings: tuple[str, ...]  # those whose effect can be told
    outcome: str
    reason: Reason | None  # why nothing, or no interval, can be told
    effect: float | None = None
    siblings_effect: float | None = None
    ratio: float | None = None
    shape: Literal["interval", "outside", "everything"] | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class ParentShrinkage:
    """A tag's effect shrunken toward what its kin under the nearest common ancestor do."""

    tag: str
    outcome: str
    ancestor: str | None  # None: all tags
    n_kin: int  # tags under the ancestor, itself included
    kin_effect: float
    estimate: float
    shrunk: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class UserEffect:
    """A tag's effect on users with one user's features; `average` is everybody's."""

    tag: str
    outcome: str
    user: str
    average: float
    estimate: float
    ci_low: float
    ci_high: float
    rank: int  # 0: no more than the average is known
    n_users: int
    reason: Reason | None


@dataclass(frozen=True, slots=True)
class BorrowedEffect:
    """An effect that a tag's own data cannot tell, guessed from other tags. Never a verdict."""

    tag: str
    outcome: str
    value: float | None
    low: float | None
    high: float | None
    own_weight: float  # 0: nothing of it is the tag's own data
    n_items: int  # items that carry the tag
    n_lenders: int  # tags that the guess was learnt from
    lenders: tuple[tuple[str, float], ...]  # those that count most, with their weights
    hidden_coverage: float | None  # share of the lenders that the same guess covers when hidden
    reason: Reason | None


@dataclass(frozen=True, slots=True)
class Mediation:
    """An effect split into what goes through a mediator and the rest. Exploratory."""

    tag: str
    mediator: str
    outcome: str
    n_both: int
    n_tag: int
    n_mediator: int
    rung: Rung
    assumption: Reason
    reason: Reason | None
    total: float | None = None
    total_low: float | None = None
    total_high: float | None = None
    direct: float | None = None
    direct_low: float | None = None
    direct_high: float | None = None
    through: float | None = None
    through_low: float | None = None
    through_high: float | None = None
    path: float | None = None  # by how much the tag makes the mediator more frequent
