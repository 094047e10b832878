"""A question put to a log: what every method needs to know, apart from itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import product

import numpy as np
from numpy.typing import NDArray

from tagcf.doubts import Balance
from tagcf.effects.linear.cell_tags import ItemTags
from tagcf.effects.linear.design import Design, Rows, Survey
from tagcf.effects.linear.passes import over_log_each
from tagcf.effects.refusals import FEWEST_CONTROL_ITEMS
from tagcf.types import (
    Effect,
    Estimand,
    EventBatch,
    EventLog,
    Floats,
    JointFit,
    Mask,
    Outcome,
    Reason,
    TagEffects,
    TagMatrix,
)


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of the log, apart from the method."""

    outcomes: tuple[str, ...] = ()  # empty: all
    by: tuple[tuple[str, ...], ...] = ()  # splits of the audience, each by crossed columns
    estimand: Estimand | None = None  # None: the method's own
    min_items: int = 50
    threshold: float = 0.5  # strength from which an item carries a tag
    hold: tuple[str, ...] | None = None  # slugs held fixed; None: all
    # Tag -> the tags it causes, directly or through others; total effects leave them free.
    descendants: Mapping[str, frozenset[str]] = field(default_factory=dict)
    # Groups of slugs that are told as one: the effect of carrying any of them.
    near_duplicates: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Task:
    """The question, the log, and what each item carries."""

    log: EventLog
    tags: TagMatrix
    carries: Floats | ItemTags  # (I, T) 0/1
    question: Question

    @property
    def carried(self) -> Floats:
        """(I, T) what items carry as one dense array, made anew at each call."""
        if isinstance(self.carries, np.ndarray):
            return self.carries
        return np.asarray(self.carries.table().toarray(), dtype=np.float64)

    def items_with(self, shown: Mask) -> Floats:
        """(T,) items that carry each tag, of those shown (I,)."""
        if isinstance(self.carries, np.ndarray):
            return np.asarray(shown.astype(float) @ self.carries)
        return self.carries.carriers(shown) if shown.any() else np.zeros(self.carries.n_tags)

    @property
    def slugs(self) -> list[str]:
        """(T,) names of the tags."""
        return [tag.slug for tag in self.tags.tags]

    def logged(self) -> tuple[int, ...]:
        """Positions of the wanted logged outcomes."""
        wanted = self.question.outcomes
        return tuple(
            at for at, spec in enumerate(self.log.outcomes) if not wanted or spec.name in wanted
        )

    def derived(self) -> tuple[Outcome, ...]:
        """Wanted derived outcomes."""
        wanted = self.question.outcomes
        return tuple(spec for spec in self.log.derived if not wanted or spec.name in wanted)

    def columns(self, items: Floats) -> Mask:
        """(T,) tags in the model: those to be held fixed that are on enough items."""
        enough: Mask = items >= FEWEST_CONTROL_ITEMS
        if self.question.hold is None:
            return enough
        held: Mask = np.array([slug in self.question.hold for slug in self.slugs], dtype=bool)
        return enough & held

    def shown(self, design: Design) -> Mask:
        """(I,) items that the design's rows contain."""
        return self.shown_each((design,))[0]

    def shown_each(self, designs: Sequence[Design]) -> list[Mask]:
        """(I,) items that the rows of each design contain; segments are looked up in one pass."""
        inside = [one.rows for one in designs if one.rows.segment]
        found = iter(over_log_each(self.log, [self._no_items] * len(inside), _lookups(inside)))
        return [next(found) if one.rows.segment else one.items_shown() for one in designs]

    def _no_items(self) -> Mask:
        return np.zeros(len(self.carries), dtype=bool)

    def freed(self, estimand: Estimand) -> dict[int, frozenset[str]]:
        """Tags whose total effect leaves other tags of the matrix free: position -> slugs."""
        if estimand != "total":
            return {}
        slugs = self.slugs
        found = {}
        for at, slug in enumerate(slugs):
            free = self.question.descendants.get(slug, frozenset()) & set(slugs)
            if free:
                found[at] = free
        return found

    def segments(self) -> list[tuple[str, tuple[tuple[int, int], ...]]]:
        """Every level of every asked split: its label, and the levels that a row must have."""
        position = {spec.name: at for at, spec in enumerate(self.log.segments)}
        found = []
        for split in self.question.by:
            at = [position[name] for name in split]
            levels = [range(len(self.log.segments[one].levels)) for one in at]
            for codes in product(*levels):
                row = tuple(zip(at, codes, strict=True))
                label = ",".join(
                    f"{self.log.segments[one].name}={self.log.segments[one].levels[code]}"
                    for one, code in row
                )
                found.append((label, row))
        return found

    def why_no_periods(self, seen: Survey) -> Reason | None:
        """Why an outcome of user-periods cannot be derived; None if it can."""
        if not np.isfinite(seen.first_ts):
            return Reason("reason.no_time")
        if not self.log.has_randomized or seen.n_rows_random == 0:
            return Reason("reason.no_random_exposure")
        return None

    def result(
        self, effects: list[Effect], joint: Sequence[JointFit] = (), balance: Sequence[Balance] = ()
    ) -> TagEffects:
        """Wrap up what was found."""
        return TagEffects(
            effects=tuple(effects),
            joint=tuple(joint),
            balance=tuple(balance),
            n_rows=self.log.n_rows,
            n_items=len(self.log.items),
            n_users=len(self.log.users),
            simulated=self.log.simulated,
        )


def _lookups(inside: Sequence[Rows]) -> list[Callable[[Mask, EventBatch], None]]:
    """Mark the items of the rows; the sum of two masks is their union."""

    def mark(rows: Rows, shown: Mask, batch: EventBatch) -> None:
        shown[batch.item[rows.mask(batch)]] = True

    return [partial(mark, rows) for rows in inside]


def select(tags: TagMatrix, columns: Sequence[int] | NDArray[np.integer]) -> TagMatrix:
    """Keep some tags of a matrix, by position."""
    at = np.asarray(columns, dtype=int)
    if np.array_equal(at, np.arange(len(tags.tags))):
        return tags
    return replace(
        tags,
        tags=tuple(tags.tags[one] for one in at),
        strength=tags.strength[:, at],
        confidence=tags.confidence[:, at],
        source=tags.source[:, at],
    )
