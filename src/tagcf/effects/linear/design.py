"""What a first look at the log decides: which rows, which controls, which cells.

A *cell* is one item within one fixed-effect group (its stratum, its author, or the whole log).
Tags do not vary within a cell, so cells are all that the tags' part of a regression needs.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from tagcf.effects.linear.basis import Basis, make_basis
from tagcf.types import Codes, EventBatch, EventLog, Floats, Mask, Rung

Exposure = Literal["any", "random", "chosen"]  # chosen: by the recommender, not at random

MOST_STANDING = 20.0  # inverse-propensity weights stay within a factor of so much
SAMPLE_ROWS = 50_000  # rows that spline knots and category levels are chosen from


@dataclass(frozen=True, slots=True)
class Rows:
    """Which rows of the log a fit uses, and what they stand for."""

    exposure: Exposure = "any"
    # Random exposure that favoured some items: rows count by how much rarer theirs was than this.
    usual_propensity: float | None = None
    # Levels that the row must have, (segment position, code) each.
    segment: tuple[tuple[int, int], ...] = ()

    def mask(self, batch: EventBatch) -> Mask:
        """(n,) rows of a batch that are used."""
        keep = np.ones(batch.n_rows, dtype=bool)
        if self.exposure != "any" and batch.randomized is not None:
            keep &= batch.randomized == (self.exposure == "random")
        for position, code in self.segment:
            keep &= batch.segments[:, position] == code
        return keep

    def standing(self, batch: EventBatch) -> Floats:
        """(n,) how much a row counts: inverse to its logged propensity, within bounds."""
        if self.usual_propensity is None or batch.propensity is None:
            return np.ones(batch.n_rows)
        with np.errstate(divide="ignore"):
            ratio = self.usual_propensity / batch.propensity
        return np.clip(np.nan_to_num(ratio, nan=1.0), 1 / MOST_STANDING, MOST_STANDING)


@dataclass(frozen=True, slots=True)
class Survey:
    """One pass over the log: what is there to work with."""

    sample: Floats  # (m, p) covariates of evenly drawn rows
    cell_keys: np.ndarray  # (C,) int64, sorted: group · I + item, over all rows
    item_rows: Floats  # (I,) rows per item
    item_rows_random: Floats  # (I,) rows of random exposure per item
    weight_groups: tuple[tuple[int, ...], ...]  # outcomes that share their weights
    n_rows: int
    n_rows_random: int
    usual_propensity: float | None  # of random rows; None: all alike, or not logged
    first_ts: float
    last_ts: float


@dataclass(frozen=True, slots=True)
class Design:
    """A regression's plan: rows, controls, groups and cells."""

    rows: Rows
    basis: Basis
    sample: Floats  # (m, p) covariates of evenly drawn rows, as in `Survey`
    cell_item: Codes  # (C,)
    cell_group: Codes  # (C,)
    cell_keys: np.ndarray  # (C,) int64, sorted
    n_groups: int
    absorbs: str | None  # "stratum", "author" or None
    nested_axes: tuple[bool, ...]  # per cluster axis: cells never straddle its clusters
    cell_clusters: tuple[Codes, ...]  # per cluster axis: (C,) cluster of each cell
    rung: Rung

    def cells(self, log: EventLog, batch: EventBatch, keep: Mask) -> Codes:
        """(n_kept,) cell of each kept row."""
        keys = _keys(log, batch, self.absorbs)[keep]
        return np.searchsorted(self.cell_keys, keys).astype(np.int32)


@dataclass(frozen=True, slots=True)
class _Propensity:
    """Range and harmonic mean of logged propensities."""

    low: float = np.inf
    high: float = 0.0
    inverse: float = 0.0
    rows: int = 0

    def seeing(self, values: Floats) -> _Propensity:
        known = values[np.isfinite(values) & (values > 0)]
        if not known.size:
            return self
        return _Propensity(
            min(self.low, float(known.min())),
            max(self.high, float(known.max())),
            self.inverse + float((1 / known).sum()),
            self.rows + known.size,
        )

    def usual(self) -> float | None:
        """Return the harmonic mean, so that weights average 1; None where all are alike."""
        if not self.rows or self.high <= self.low * (1 + 1e-6):
            return None
        return self.rows / self.inverse


def survey(log: EventLog, absorbs: str | None) -> Survey:
    """Look at every row once: counts, cells, weights, and a sample of the covariates."""
    n_items = len(log.items)
    stride = max(1, log.n_rows // SAMPLE_ROWS)
    samples, keys = [], [np.empty(0, dtype=np.int64)]
    item_rows, item_rows_random = np.zeros(n_items), np.zeros(n_items)
    same = np.ones((len(log.outcomes), len(log.outcomes)), dtype=bool)
    seen = seen_random = 0
    first, last = np.inf, -np.inf
    propensity = _Propensity()
    for batch in log.batches():
        samples.append(batch.covariates[(-seen) % stride :: stride])
        seen += batch.n_rows
        keys.append(np.unique(_keys(log, batch, absorbs)))
        if len(keys) > 64:
            keys = [np.unique(np.concatenate(keys))]
        item_rows += np.bincount(batch.item, minlength=n_items)
        if batch.randomized is not None:
            seen_random += int(batch.randomized.sum())
            item_rows_random += np.bincount(batch.item[batch.randomized], minlength=n_items)
            if batch.propensity is not None:
                propensity = propensity.seeing(batch.propensity[batch.randomized])
        for a in range(len(log.outcomes)):
            for b in range(a):
                same[a, b] &= np.array_equal(batch.weights[:, a], batch.weights[:, b])
        if np.isfinite(batch.ts).any():
            first, last = min(first, np.nanmin(batch.ts)), max(last, np.nanmax(batch.ts))
    return Survey(
        sample=np.concatenate(samples) if samples else np.empty((0, len(log.covariates))),
        cell_keys=np.unique(np.concatenate(keys)),
        item_rows=item_rows,
        item_rows_random=item_rows_random,
        weight_groups=_groups_of_equal(same),
        n_rows=seen,
        n_rows_random=seen_random,
        usual_propensity=propensity.usual(),
        first_ts=float(first),
        last_ts=float(last),
    )


def make_design(
    log: EventLog, seen: Survey, *, absorbs: str | None, knots: int, exposure: Exposure
) -> Design:
    """Put the plan of a regression together."""
    cell_item = (seen.cell_keys % max(len(log.items), 1)).astype(np.int32)
    cell_group = (seen.cell_keys // max(len(log.items), 1)).astype(np.int32)
    n_groups = int(cell_group.max(initial=0)) + 1
    positions = tuple(range(len(log.covariates)))
    design = Design(
        rows=Rows(
            exposure=exposure,
            usual_propensity=seen.usual_propensity if exposure == "random" else None,
        ),
        basis=make_basis(log.covariates, seen.sample, knots, positions),
        sample=seen.sample,
        cell_item=cell_item,
        cell_group=cell_group,
        cell_keys=seen.cell_keys,
        n_groups=n_groups,
        absorbs=absorbs,
        nested_axes=(),
        cell_clusters=(),
        rung=_rung(absorbs, exposure),
    )
    low, high = _cluster_range(log, design)
    return replace(
        design,
        nested_axes=tuple(bool((a >= b).all()) for a, b in zip(low, high, strict=True)),
        cell_clusters=tuple(high),
    )


def absorbed_group(log: EventLog, author_effects: bool) -> str | None:
    """Fixed effects of a fit: the stratum where units were randomised in one, else the author."""
    if log.n_strata:
        return "stratum"
    return "author" if author_effects and log.n_authors else None


def random_rows_suffice(log: EventLog, seen: Survey, items_per_tag: Floats, min_items: int) -> bool:
    """Whether random rows reach the items that most estimable tags need.

    Parameters
    ----------
    items_per_tag
        (2, T) items that carry each tag: among all rows, among rows of random exposure.
    """
    if not log.has_randomized or seen.n_rows_random == 0:
        return False
    estimable = items_per_tag[0] >= min_items
    if not estimable.any():
        return False
    return bool((items_per_tag[1] >= min_items)[estimable].mean() >= 0.5)


def _rung(absorbs: str | None, exposure: Exposure) -> Rung:
    if absorbs == "stratum":
        return "within-stratum"
    if absorbs == "author":
        return "within-author"
    return "randomised exposure" if exposure == "random" else "observational"


def _keys(log: EventLog, batch: EventBatch, absorbs: str | None) -> np.ndarray:
    """(n,) int64 cell keys."""
    item = batch.item.astype(np.int64)
    # An item whose author (or row whose stratum) is unknown is a group of its own: pooled, such
    # items would be compared with one another under a rung that they do not have.
    if absorbs == "stratum" and batch.stratum is not None:
        group = np.where(batch.stratum < 0, log.n_strata + item, batch.stratum)
    elif absorbs == "author" and log.item_author is not None:
        author = log.item_author[batch.item]
        group = np.where(author < 0, log.n_authors + item, author)
    else:
        return item
    return group.astype(np.int64) * len(log.items) + item


def _groups_of_equal(same: Mask) -> tuple[tuple[int, ...], ...]:
    """Sets of outcomes whose weight columns are equal in every row."""
    groups: list[list[int]] = []
    for outcome in range(same.shape[0]):
        for group in groups:
            if same[outcome, group[0]]:
                group.append(outcome)
                break
        else:
            groups.append([outcome])
    return tuple(tuple(group) for group in groups)


def _cluster_range(log: EventLog, design: Design) -> tuple[Codes, Codes]:
    """(C axes, cells) smallest and largest cluster code of each cell's rows."""
    shape = (len(log.clusters), len(design.cell_keys))
    low = np.full(shape, np.iinfo(np.int32).max, dtype=np.int32)
    high = np.full(shape, -1, dtype=np.int32)
    for batch in log.batches():
        cell = design.cells(log, batch, np.ones(batch.n_rows, dtype=bool))
        for axis in range(len(log.clusters)):
            np.minimum.at(low[axis], cell, batch.clusters[:, axis])
            np.maximum.at(high[axis], cell, batch.clusters[:, axis])
    return low, high
