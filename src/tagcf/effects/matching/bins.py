"""The histogram of a score: sums per tag × bin × arm, which add up over parts of a log."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tagcf.effects.joint.fit import Fit
from tagcf.effects.linear.design import Design
from tagcf.effects.matching.kernels import add_bins
from tagcf.effects.matching.rows import MatchBlock, exact_bins, gather_rows, n_exact_cells
from tagcf.effects.matching.score import Score, score_of
from tagcf.effects.methods import Histogram, Matching
from tagcf.types import EventLog, Floats, Mask

SAMPLE = 20_000  # rows that scores are fitted, and bins cut, on
PER_BIN = 20  # treated rows of the sample that a bin must hold
LEVELS = 2_048  # even steps that the cuts of a score are rounded to


@dataclass(frozen=True, slots=True)
class Bins:
    """How rows fall into bins. T tags, P controls, C cells."""

    slope: NDArray[np.float32]  # (P, T)
    by_cell: NDArray[np.float32]  # (C, T)
    levels: NDArray[np.int16]  # (T, LEVELS) bin of each of so many even steps of the score
    low: NDArray[np.float32]  # (T,) where the steps begin
    per_level: NDArray[np.float32]  # (T,) steps per unit of the score
    bounded: bool  # scores beyond the steps are in no bin, instead of in the outermost
    n_bins: int
    carried: NDArray[np.int8]  # (C, T)
    n_exact: int

    @property
    def size(self) -> int:
        """Bins of a tag over all exact cells."""
        return self.n_exact * self.n_bins

    @property
    def cuts(self) -> tuple[NDArray[np.int16], NDArray[np.float32], NDArray[np.float32], bool, int]:
        """What the kernels need to find a bin."""
        return self.levels, self.low, self.per_level, self.bounded, self.n_bins

    def scores(self, block: MatchBlock) -> NDArray[np.float32]:
        """(n, T) score of every tag."""
        return np.asarray(block.x @ self.slope + self.by_cell[block.cell])


@dataclass(frozen=True, slots=True)
class BinSums:
    """The histogram: sums over rows per tag, bin, arm (0: without the tag) and bin."""

    rows: NDArray[np.int64]  # (T, M, 2)
    weight: Floats  # (T, M, 2)
    total: Floats  # (T, M, 2, K) Σ w·residual
    squares: Floats  # (T, M, 2, K) Σ w·residual²
    x: Floats  # (T, P) Σ w·control over rows with the tag
    x_squares: Floats  # (T, P)
    all_x: Floats  # (2, P) Σ w·control and Σ w·control² over all rows

    def __add__(self, other: BinSums) -> BinSums:
        return self._with(other, 1)

    def __sub__(self, other: BinSums) -> BinSums:
        return self._with(other, -1)

    def _with(self, other: BinSums, sign: int) -> BinSums:
        return BinSums(
            self.rows + sign * other.rows,
            self.weight + sign * other.weight,
            self.total + sign * other.total,
            self.squares + sign * other.squares,
            self.x + sign * other.x,
            self.x_squares + sign * other.x_squares,
            self.all_x + sign * other.all_x,
        )


def cut_bins(
    some: list[int],
    log: EventLog,
    design: Design,
    outcomes: tuple[int, ...],
    fit: Fit,
    using: Matching,
    form: Histogram,
) -> Bins:
    """Fit scores, and cut them at quantiles of the treated, on an even sample of rows."""
    sample = gather_rows(log, design, outcomes, fit, replace(using, max_rows=SAMPLE))
    stratified = design.absorbs == "stratum"
    n_bins = 1 if stratified else form.bins  # a stratum has a handful of arms
    levels = np.zeros((len(some), LEVELS), dtype=np.int16)
    ends = np.empty((len(some), 2))
    scores: list[Score] = []
    for t, at in enumerate(some):
        carries = fit.tags[sample.cell, at] > 0
        scores.append(score_of(at, design, fit, sample, carries))
        score = scores[t].of(sample.x, sample.cell)
        edges = _edges(score, carries, n_bins, using.caliper)
        ends[t] = edges[0], edges[-1]
        middle = np.linspace(float(edges[0]), float(edges[-1]), LEVELS + 1)[:-1]
        levels[t] = np.searchsorted(edges[1:-1], middle, side="right")
    return Bins(
        slope=np.stack([one.slope for one in scores], axis=1),
        by_cell=np.stack([one.by_cell for one in scores], axis=1).astype(np.float32),
        levels=levels,
        low=ends[:, 0].astype(np.float32),
        per_level=(LEVELS / np.maximum(ends[:, 1] - ends[:, 0], 1e-6)).astype(np.float32),
        bounded=using.caliper is not None and not stratified,
        n_bins=n_bins,
        carried=(fit.tags[:, some] > 0).astype(np.int8),
        n_exact=n_exact_cells(design, exact_bins(log, design, using)),
    )


def _edges(score: Floats, carries: Mask, n_bins: int, caliper: float | None) -> Floats:
    """(B + 1,) or fewer: quantiles of the treated, the outer ones moved out by the caliper."""
    if not carries.any():
        return np.linspace(-1.0, 1.0, n_bins + 1)
    most = min(n_bins, max(int(carries.sum()) // PER_BIN, 1))
    edges = np.quantile(score[carries], np.linspace(0, 1, most + 1))
    room = (caliper or 0.0) * float(score.std())
    edges[0], edges[-1] = edges[0] - room, edges[-1] + room
    return np.asarray(edges)


def empty_bins(bins: Bins, fit: Fit) -> BinSums:
    """Sums over no rows."""
    n_tags, n_out, n_controls = bins.slope.shape[1], len(fit.outcomes), bins.slope.shape[0]
    shape = (n_tags, bins.size, 2)
    return BinSums(
        rows=np.zeros(shape, dtype=np.int64),
        weight=np.zeros(shape),
        total=np.zeros((*shape, n_out)),
        squares=np.zeros((*shape, n_out)),
        x=np.zeros((n_tags, n_controls)),
        x_squares=np.zeros((n_tags, n_controls)),
        all_x=np.zeros((2, n_controls)),
    )


def add_block(sums: BinSums, bins: Bins, block: MatchBlock) -> None:
    """Add the rows of a block to the histogram, in place."""
    add_bins(
        bins.scores(block), block.exact, block.cell, bins.carried, block.e, block.w, *bins.cuts,
        sums.rows, sums.weight, sums.total, sums.squares,
    )  # fmt: skip
    w = block.w.astype(np.float32)
    squares = block.x**2
    with_tag = bins.carried[block.cell].astype(np.float32) * w[:, None]
    sums.x[...] += with_tag.T @ block.x
    sums.x_squares[...] += with_tag.T @ squares
    sums.all_x[0] += w @ block.x
    sums.all_x[1] += w @ squares
