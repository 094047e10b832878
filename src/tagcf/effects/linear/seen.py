"""What a first look at the log adds up: counts, ranges and an even sample. Parts can be merged."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from tagcf.effects.linear.kernels import mix_bits, widen_range
from tagcf.types import Codes, EventBatch, EventLog, Floats, Mask

SAMPLE_ROWS = 50_000  # rows that spline knots and category levels are chosen from
NO_CODE = np.iinfo(np.int32).max


@dataclass(frozen=True, slots=True)
class Propensity:
    """Range and harmonic mean of logged propensities."""

    low: float = np.inf
    high: float = 0.0
    inverse: float = 0.0
    rows: int = 0

    def seeing(self, values: Floats) -> Propensity:
        """Add values; unknown and impossible ones don't count."""
        known = values[np.isfinite(values) & (values > 0)]
        if not known.size:
            return self
        return Propensity(
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

    def __add__(self, other: Propensity) -> Propensity:
        return Propensity(
            min(self.low, other.low),
            max(self.high, other.high),
            self.inverse + other.inverse,
            self.rows + other.rows,
        )


def row_hashes(batch: EventBatch) -> np.ndarray:
    """(n,) uint64 hashes of what a row holds, not of where it stands."""
    who = (batch.user.astype(np.int64) << 32) ^ batch.item
    when = np.nan_to_num(batch.ts).view(np.int64)
    what = np.nan_to_num(batch.covariates.sum(axis=1)).view(np.int64)
    hashes: np.ndarray = mix_bits(who, when, what)
    return hashes


@dataclass(slots=True)
class Sample:
    """The rows whose hashes are lowest: the same ones however the log is cut and ordered."""

    hashes: list[np.ndarray] = field(default_factory=list)
    rows: list[Floats] = field(default_factory=list)
    held: int = 0
    limit: int = 2**64 - 1

    @staticmethod
    def of_so_many(rows: int) -> Sample:
        """Start a sample of a log with so many rows: hashes are even, so most can be passed by."""
        share = min(1.0, 1.1 * SAMPLE_ROWS / max(rows, 1))
        return Sample(limit=min(int(share * 2**64), 2**64 - 1))

    def add(self, batch: EventBatch) -> None:
        """Consider the rows of a batch."""
        hashes = row_hashes(batch)
        low = np.flatnonzero(hashes <= np.uint64(self.limit))
        self._take(hashes[low], batch.covariates[low])

    def drawn(self) -> Floats:
        """(m, p) the sample, in the order of its hashes."""
        if not self.rows:
            return np.empty((0, 0))
        self._shrink()
        return self.rows[0]

    def _take(self, hashes: np.ndarray, rows: Floats) -> None:
        self.hashes.append(hashes)
        self.rows.append(rows)
        self.held += len(hashes)
        if self.held > 4 * SAMPLE_ROWS:
            self._shrink()

    def _shrink(self) -> None:
        hashes, rows = np.concatenate(self.hashes), np.concatenate(self.rows)
        order = np.argsort(hashes, kind="stable")[:SAMPLE_ROWS]
        self.hashes, self.rows, self.held = [hashes[order]], [rows[order]], order.size
        if order.size == SAMPLE_ROWS:
            self.limit = int(hashes[order[-1]])

    def __add__(self, other: Sample) -> Sample:
        for hashes, rows in zip(other.hashes, other.rows, strict=True):
            self._take(hashes, rows)
        return self


@dataclass(frozen=True, slots=True)
class ClusterRange:
    """Smallest and largest cluster code of each cell's rows, by cluster axis."""

    low: Codes  # (axes, cells)
    high: Codes  # (axes, cells)

    @staticmethod
    def nothing(log: EventLog, n_cells: int) -> ClusterRange:
        """Ranges over no rows."""
        shape = (len(log.clusters), n_cells)
        return ClusterRange(np.full(shape, NO_CODE, np.int32), np.full(shape, -1, np.int32))

    def add(self, cells: np.ndarray, batch: EventBatch) -> None:
        """Widen the ranges by a batch whose rows lie in `cells` (n,), in place."""
        for axis in range(len(self.low)):
            widen_range(cells, batch.clusters[:, axis], self.low[axis], self.high[axis])

    def of(self, cells: np.ndarray) -> ClusterRange:
        """Ranges of some cells, in their order."""
        return ClusterRange(self.low[:, cells], self.high[:, cells])

    def __add__(self, other: ClusterRange) -> ClusterRange:
        return ClusterRange(np.minimum(self.low, other.low), np.maximum(self.high, other.high))


@dataclass(slots=True)
class Seen:
    """Running counts; I items."""

    item_rows: Floats  # (I,)
    item_rows_random: Floats  # (I,)
    range_by_item: ClusterRange  # (axes, I)
    same_weights: Mask  # (K, K) pairs of outcomes whose weights are equal in every row
    keys: np.ndarray  # (C,) int64 distinct cell keys, where items have several cells
    sample: Sample
    propensity: Propensity = Propensity()
    first_ts: float = float("inf")
    last_ts: float = float("-inf")

    @staticmethod
    def nothing(log: EventLog) -> Seen:
        """Counts over no rows."""
        n_items, n_out = len(log.items), len(log.outcomes)
        return Seen(
            item_rows=np.zeros(n_items),
            item_rows_random=np.zeros(n_items),
            range_by_item=ClusterRange.nothing(log, n_items),
            same_weights=np.ones((n_out, n_out), dtype=bool),
            keys=np.empty(0, dtype=np.int64),
            sample=Sample.of_so_many(log.n_rows),
        )

    def add(self, batch: EventBatch, keys: np.ndarray | None) -> None:
        """Add a batch, in place; `keys` (n,) where cells are not simply items."""
        n_items = self.item_rows.size
        self.sample.add(batch)
        self.item_rows += np.bincount(batch.item, minlength=n_items)
        if batch.randomized is not None:
            random = batch.randomized
            self.item_rows_random += np.bincount(batch.item[random], minlength=n_items)
            if batch.propensity is not None:
                self.propensity = self.propensity.seeing(batch.propensity[random])
        for a in range(len(self.same_weights)):
            for b in range(a):
                self.same_weights[a, b] &= np.array_equal(batch.weights[:, a], batch.weights[:, b])
        if np.isfinite(batch.ts).any():
            self.first_ts = min(self.first_ts, float(np.nanmin(batch.ts)))
            self.last_ts = max(self.last_ts, float(np.nanmax(batch.ts)))
        if keys is None:
            self.range_by_item.add(batch.item, batch)
        else:
            self.keys = np.union1d(self.keys, keys)

    def __add__(self, other: Seen) -> Seen:
        return Seen(
            self.item_rows + other.item_rows,
            self.item_rows_random + other.item_rows_random,
            self.range_by_item + other.range_by_item,
            self.same_weights & other.same_weights,
            np.union1d(self.keys, other.keys),
            self.sample + other.sample,
            self.propensity + other.propensity,
            min(self.first_ts, other.first_ts),
            max(self.last_ts, other.last_ts),
        )
