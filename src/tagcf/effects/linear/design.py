"""What a first look at the log decides: which rows, which controls, which cells.

A *cell* is one item within one fixed-effect group (its stratum, its author, or the whole log).
Tags do not vary within a cell, so cells are all that the tags' part of a regression needs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from tagcf.effects.linear.basis import Basis, make_basis
from tagcf.effects.linear.passes import over_log
from tagcf.effects.linear.seen import ClusterRange, Seen
from tagcf.types import Codes, EventBatch, EventLog, Floats, Mask, Rung

Exposure = Literal["any", "random", "chosen"]  # chosen: by the recommender, not at random

FEWEST_SHARING = 0.1  # share of items whose author has others
MOST_STANDING = 20.0  # inverse-propensity weights stay within a factor of so much


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
    cluster_range: ClusterRange  # (C axes, cells)
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
    cell_of_item: Codes | None  # (I,) where an item has one cell only; None within strata
    n_groups: int
    absorbs: str | None  # "stratum", "author" or None
    nested_axes: tuple[bool, ...]  # per cluster axis: cells never straddle its clusters
    cell_clusters: tuple[Codes, ...]  # per cluster axis: (C,) cluster of each cell
    rung: Rung
    item_rows: Floats  # (I,) as in `Survey`
    item_rows_random: Floats  # (I,)
    strangers: tuple[bool, ...]  # per cluster axis: some rows belong to no known cluster
    # Levels of each of the log's instruments, whose dummies then stand behind the controls.
    instruments: tuple[int, ...] = ()

    @property
    def n_columns(self) -> int:
        """Controls, and instruments where they are among the columns."""
        return len(self.basis.names) + sum(max(one - 1, 0) for one in self.instruments)

    def items_shown(self) -> Mask:
        """(I,) items with rows of the design's exposure, in any segment."""
        rows = {
            "any": self.item_rows,
            "random": self.item_rows_random,
            "chosen": self.item_rows - self.item_rows_random,
        }
        return np.asarray(rows[self.rows.exposure] > 0)

    def cells(self, log: EventLog, batch: EventBatch, keep: Mask | slice) -> Codes:
        """(n_kept,) cell of each kept row."""
        if self.cell_of_item is not None:
            return self.cell_of_item[batch.item[keep]]
        keys = _keys(log, batch, self.absorbs)[keep]
        return np.searchsorted(self.cell_keys, keys).astype(np.int32)


def survey(log: EventLog, absorbs: str | None) -> Survey:
    """Look at every row once: counts, cells, weights, and a sample of the covariates."""
    by_item = absorbs != "stratum"

    def add(seen: Seen, batch: EventBatch) -> None:
        seen.add(batch, None if by_item else _keys(log, batch, absorbs))

    seen = over_log(log, lambda: Seen.nothing(log), add)
    if by_item:
        shown = np.flatnonzero(seen.item_rows > 0)
        keys = _item_keys(log, absorbs)[shown]
        order = np.argsort(keys)
        cell_keys, within = keys[order], seen.range_by_item.of(shown[order])
    else:
        cell_keys, within = seen.keys, _range_within_strata(log, seen.keys)
    return Survey(
        sample=seen.sample.drawn(),
        cell_keys=cell_keys,
        cluster_range=within,
        item_rows=seen.item_rows,
        item_rows_random=seen.item_rows_random,
        weight_groups=_groups_of_equal(seen.same_weights),
        n_rows=int(seen.item_rows.sum()),
        n_rows_random=int(seen.item_rows_random.sum()),
        usual_propensity=seen.propensity.usual(),
        first_ts=seen.first_ts,
        last_ts=seen.last_ts,
    )


def make_design(
    log: EventLog, seen: Survey, *, absorbs: str | None, knots: int, exposure: Exposure
) -> Design:
    """Put the plan of a regression together."""
    cell_item = (seen.cell_keys % max(len(log.items), 1)).astype(np.int32)
    cell_group = (seen.cell_keys // max(len(log.items), 1)).astype(np.int32)
    if absorbs is not None:  # numbered without gaps
        cell_group = np.unique(cell_group, return_inverse=True)[1].astype(np.int32)
    cell_of_item = None
    if absorbs != "stratum":
        cell_of_item = np.full(len(log.items), -1, np.int32)
        cell_of_item[cell_item] = np.arange(cell_item.size, dtype=np.int32)
    low, high = seen.cluster_range.low, seen.cluster_range.high
    return Design(
        rows=Rows(
            exposure=exposure,
            usual_propensity=seen.usual_propensity if exposure == "random" else None,
        ),
        basis=make_basis(log.covariates, seen.sample, knots, tuple(range(len(log.covariates)))),
        sample=seen.sample,
        cell_item=cell_item,
        cell_group=cell_group,
        cell_keys=seen.cell_keys,
        cell_of_item=cell_of_item,
        n_groups=int(cell_group.max(initial=0)) + 1,
        absorbs=absorbs,
        nested_axes=tuple(bool((a >= b).all()) for a, b in zip(low, high, strict=True)),
        cell_clusters=tuple(
            _alone_where_unknown(code, axis.n_clusters, cell_item)
            for code, axis in zip(high, log.clusters, strict=True)
        ),
        rung=_rung(absorbs, exposure),
        item_rows=seen.item_rows,
        item_rows_random=seen.item_rows_random,
        strangers=tuple(bool((one < 0).any()) for one in low),
    )


def _alone_where_unknown(code: Codes, n_clusters: int, cell_item: Codes) -> Codes:
    """(C,) cluster of each cell; where it is unknown, the cell's item is one."""
    unknown = code < 0
    return np.where(unknown, n_clusters + cell_item, code) if unknown.any() else code


def absorbed_group(log: EventLog, author_effects: bool) -> str | None:
    """Fixed effects of a fit: the stratum where units were randomised in one, else the author.

    Where nearly every author has one item only there is nothing to compare within authors.
    """
    if log.n_strata:
        return "stratum"
    if not author_effects or not log.n_authors or log.item_author is None:
        return None
    known = log.item_author[log.item_author >= 0]
    works = np.bincount(known, minlength=log.n_authors)
    shared = float((works[known] > 1).mean()) if known.size else 0.0
    return "author" if shared >= FEWEST_SHARING else None


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
    if absorbs != "stratum" or batch.stratum is None:
        return np.asarray(_item_keys(log, absorbs)[item])
    # A row whose stratum is unknown is a group of its own: pooled, such rows would be compared
    # with one another under a rung that they do not have.
    group = np.where(batch.stratum < 0, log.n_strata + item, batch.stratum)
    return np.asarray(group.astype(np.int64) * len(log.items) + item)


def _item_keys(log: EventLog, absorbs: str | None) -> np.ndarray:
    """(I,) int64 cell key of each item; an item whose author is unknown is a group of its own."""
    item = np.arange(len(log.items), dtype=np.int64)
    if absorbs != "author" or log.item_author is None:
        return item
    author = log.item_author.astype(np.int64)
    return np.asarray(np.where(author < 0, log.n_authors + item, author) * len(item) + item)


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


def _range_within_strata(log: EventLog, cell_keys: np.ndarray) -> ClusterRange:
    """Clusters of each cell's rows: a pass of its own, once the cells are known."""

    def add(seen: ClusterRange, batch: EventBatch) -> None:
        seen.add(np.searchsorted(cell_keys, _keys(log, batch, "stratum")), batch)

    return over_log(log, lambda: ClusterRange.nothing(log, len(cell_keys)), add)
