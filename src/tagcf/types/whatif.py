"""(4) What an item would do with other tags."""

from __future__ import annotations

from dataclasses import dataclass

from tagcf.types.effects import Estimand
from tagcf.types.reason import Reason


@dataclass(frozen=True, slots=True)
class Contribution:
    """The share of one tag in a what-if, on the outcome's scale."""

    tag: str
    delta: float
    ci_low: float
    ci_high: float


@dataclass(frozen=True, slots=True)
class WhatIf:
    """An item (and user) before and after an edit of its tags. Contributions sum to `delta`."""

    item: str
    user: str | None
    without: tuple[str, ...]
    with_: tuple[str, ...]
    outcome: str
    estimand: Estimand
    before: float | None
    after: float | None
    delta: float | None
    ci_low: float | None
    ci_high: float | None
    supported: bool
    reason: Reason | None
    contributions: tuple[Contribution, ...]
