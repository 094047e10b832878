"""Where every row is its own item, rows are kept as they are: nothing can be summed by cell.

Controls are whitened first, by a sample of the rows. Near-orthogonal columns lose nothing in
single precision, where splines of a skewed number as they stand would; so one product of
[controls, tags, 1, outcomes] with itself, in single precision and added up in double, gives all
that the solution needs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tagcf.effects.linear.basis import expand
from tagcf.effects.linear.cell_tags import CellTags, ItemTags, tags_of_items
from tagcf.effects.linear.cells import Block, CellSums, block_of
from tagcf.effects.linear.design import Design
from tagcf.effects.linear.kernels import fill_columns, take_fitted
from tagcf.effects.linear.passes import over_log
from tagcf.effects.linear.scores import ScoreSums
from tagcf.effects.linear.solve import CONSTANT, Partialled, Solution, pseudo_inverse
from tagcf.types import EventBatch, EventLog, Floats, Mask

FEWEST_CONTROLS = 1_000_000  # cells × controls from which this pays
TOGETHER = 8_192  # rows of a product
SAME = 1e-9  # share of an outcome's size that is rounding
COLLINEAR = 1e-10  # share of the variance in a direction that is rounding, as in `solve`
NARROW = 1e-3  # share of a column's squares about its mean below which digits are lost
ALIKE = 1e-3  # eigenvalue of the controls' correlations below which they are too much alike
FAR = 1e3  # standard deviations from zero beyond which single precision would blur an outcome


def rows_are_items(log: EventLog, design: Design) -> bool:
    """Whether each row is an item of its own, and so many of them that this path pays."""
    return (
        log.fold is None
        and design.absorbs is None
        and not design.instruments
        and design.item_rows.max(initial=0.0) <= 1
        and len(design.cell_item) * len(design.basis.names) > FEWEST_CONTROLS
    )


@dataclass(frozen=True, slots=True)
class Whitening:
    """Controls minus a mean, turned and scaled to be about orthonormal."""

    mean: Floats  # (P,)
    turn: Floats  # (P, P)
    rounding: float  # mean square of a whitened control that is a copy of others

    @staticmethod
    def of(sample: Floats) -> Whitening:
        """Learn it from rows (m, P) of the controls."""
        mean = sample.mean(axis=0) if len(sample) else np.zeros(sample.shape[1])
        centred = sample - mean
        scale = np.sqrt((centred**2).mean(axis=0)) if len(sample) else np.zeros(len(mean))
        constant = scale <= 0  # in the sample; the log may know other values
        scale[constant] = 1.0
        scaled = centred / scale
        gram = scaled.T @ scaled / max(len(sample), 1) + np.diag(constant.astype(float))
        values, vectors = np.linalg.eigh(gram)
        # A direction that the sample does not know may vary in the log: it stays as it is.
        rounding = COLLINEAR * float(values.max(initial=0.0))
        size = np.sqrt(np.where(values > rounding, values, 1.0))
        return Whitening(mean, vectors / size / scale[:, None], rounding)

    def __call__(self, x: Floats) -> Floats:
        """(n, Q) of controls (n, P)."""
        turned = x @ self.turn
        turned -= self.mean @ self.turn
        return np.asarray(turned)


@dataclass(frozen=True, slots=True)
class OwnRows:
    """Rows by cell, and their products. C cells, Q whitened controls, T tags, K outcomes."""

    sums: CellSums  # its controls are the whitened ones
    tags: CellTags
    gram: Floats  # (Q + T + 1 + K, ·) of [controls, tags, 1, outcomes]; outcomes standardised
    center: Floats  # (K,) of the outcomes in `gram`
    scale: Floats  # (K,)
    rounding: float  # as in `Whitening`

    @property
    def at(self) -> tuple[slice, slice, int, slice]:
        """Where controls, tags, 1 and outcomes stand in `gram`."""
        n_columns, n_tags = self.sums.x.shape[1], self.tags.shape[1]
        one = n_columns + n_tags
        return slice(0, n_columns), slice(n_columns, one), one, slice(one + 1, None)

    @property
    def weight(self) -> float:
        """Weight of all rows."""
        _, _, one, _ = self.at
        return float(self.gram[one, one])

    def outcome_totals(self) -> Floats:
        """(K,) weighted sums of the outcomes."""
        _, _, one, outcomes = self.at
        return np.asarray(self.gram[one, outcomes] * self.scale + self.weight * self.center)

    def baseline(self) -> Floats:
        """(K, T) weighted mean outcome of the rows without each tag."""
        _, tags, one, outcomes = self.at
        carrying = self.gram[one, tags]
        without = self.weight - carrying
        total = self.gram[outcomes, tags] * self.scale[:, None] + np.outer(self.center, carrying)
        enough = without > 1e-9 * max(self.weight, 1e-300)
        return np.asarray(
            (self.outcome_totals()[:, None] - total) / np.where(enough, without, np.nan)
        )

    def outcomes_vary(self) -> Mask:
        """(K,) whether an outcome varies beyond rounding."""
        _, _, one, outcomes = self.at
        squares = np.diag(self.gram)[outcomes]
        about = squares - self.gram[one, outcomes] ** 2 / max(self.weight, 1e-300)
        return np.asarray(about > 1e-6 * np.maximum(squares, 1e-300))


@dataclass(slots=True)
class _Products:
    """Running products; rows go into arrays that all parts of a pass share."""

    gram: Floats

    def __add__(self, other: _Products) -> _Products:
        return _Products(self.gram + other.gram)


def keep_rows(log: EventLog, items: ItemTags, design: Design, outcomes: tuple[int, ...]) -> OwnRows:
    """Read the log once: its rows, whitened, and the products of their columns."""
    whiten = Whitening.of(expand(design.basis, design.sample))
    tags = tags_of_items(items, design.cell_item, design.cell_group, design.n_groups)
    center, scale = _standard(log, design, outcomes)
    n_cells, n_columns = len(design.cell_item), whiten.turn.shape[1]
    single: type[np.floating] = np.float32
    exact = np.float64 if (np.abs(center) > FAR * scale).any() else single
    rows, weight = np.zeros(n_cells), np.zeros(n_cells)
    x, y = np.zeros((n_cells, n_columns), single), np.zeros((n_cells, len(outcomes)), exact)
    size = n_columns + items.n_tags + 1 + len(outcomes)

    def add(total: _Products, batch: EventBatch) -> None:
        columns = np.empty((TOGETHER, size), np.float32)
        for start in range(0, batch.n_rows, TOGETHER):
            some = batch.rows(slice(start, start + TOGETHER))
            block = block_of(log, some, design, outcomes)
            own = columns[: len(block.cell)]
            _fill(own, tags, block, whiten(block.x), (block.y - center) / scale)
            rows[block.cell], weight[block.cell] = 1.0, block.w
            x[block.cell] = own[:, :n_columns]
            y[block.cell] = block.y
            if not (block.w == 1.0).all():
                x[block.cell] *= block.w[:, None]
                y[block.cell] *= block.w[:, None]
                own *= np.sqrt(block.w)[:, None]
            total.gram += own.T @ own

    found = over_log(log, lambda: _Products(np.zeros((size, size))), add).gram
    at = np.arange(n_columns)
    here = slice(n_columns + items.n_tags + 1, None)
    sums = CellSums(
        rows=rows,
        weight=weight,
        x=x,
        y=y,
        xx=found[np.ix_(at, at)],
        xy=found[:n_columns, here] * scale + np.outer(found[:n_columns, here.start - 1], center),
        yy=_squares(found, here, center, scale),
    )
    return OwnRows(sums, tags, found, center, scale, whiten.rounding)


def _fill(out: Floats, tags: CellTags, block: Block, x: Floats, y: Floats) -> None:
    """Write the columns of a block's rows."""
    items = tags.items
    item = tags.item[block.cell]
    fill_columns(x, item, items.indptr, items.tag, items.value, y, out)


def _standard(log: EventLog, design: Design, outcomes: tuple[int, ...]) -> tuple[Floats, Floats]:
    """(K,) about the mean and (K,) about the spread of the outcomes, from the first rows used."""
    for batch in log.batches():
        y = block_of(log, batch, design, outcomes).y
        if len(y):
            mean, spread = y.mean(axis=0), y.std(axis=0)
            return mean, np.where(spread > SAME * np.abs(y).max(axis=0), spread, 1.0)
    return np.zeros(len(outcomes)), np.ones(len(outcomes))


def _squares(gram: Floats, here: slice, center: Floats, scale: Floats) -> Floats:
    """(K,) weighted squares of the outcomes as they are."""
    one = here.start - 1
    standardised, total = np.diag(gram)[here], gram[one, here]
    return np.asarray(
        scale**2 * standardised + 2 * scale * center * total + center**2 * gram[one, one]
    )


def trustworthy(kept: OwnRows) -> bool:
    """Whether single precision holds what the answer needs.

    Not where the rows used differ much from the sample that whitened them: a control far from its
    mean there and narrow, or several that are much alike; nor where outcomes are far from those of
    the first rows.
    """
    controls, _, one, outcomes = kept.at
    if not np.isfinite(kept.gram).all() or kept.weight <= 0:
        return False
    squares = np.diag(kept.gram)
    about = kept.gram - np.outer(kept.gram[:, one], kept.gram[one]) / kept.weight
    left = np.diag(about)
    there = left > kept.rounding * kept.weight
    x, y = there[controls], left[outcomes] > SAME * squares[outcomes]
    near = (left[controls] > NARROW * squares[controls])[x].all()
    near &= (left[outcomes] > NARROW * squares[outcomes])[y].all()
    xx = about[controls, controls][np.ix_(x, x)]
    scale = np.sqrt(np.maximum(np.diag(xx), 1e-300))
    alike = np.linalg.eigvalsh(xx / np.outer(scale, scale))
    return bool(near and (alike > ALIKE).all())


def partial_out_rows(kept: OwnRows) -> Partialled:
    """Take the mean and the controls out of tags and outcomes, as `solve.partial_out` does."""
    sums, gram = kept.sums, kept.gram
    controls, tags, one, outcomes = kept.at
    total = max(kept.weight, 1e-300)
    about = gram - np.outer(gram[:, one], gram[one]) / total  # about the means
    unknown = np.diag(about)[controls] < kept.rounding * total  # copies of others, up to rounding
    about[controls][unknown] = 0.0
    about[:, controls][:, unknown] = 0.0
    xd, xx = about[controls, tags], about[controls, controls]
    xy, dy = about[controls, outcomes] * kept.scale, about[tags, outcomes] * kept.scale
    xx_inverse = pseudo_inverse(xx)
    projection = xx_inverse @ xd
    squares, variance = np.diag(gram)[tags], np.maximum(np.diag(about)[tags], 0.0)
    mean = gram[one] / total
    return Partialled(
        tags=kept.tags.centred(mean[None, tags]),
        sum_x=sums.x,
        weight=sums.weight,
        group_x=mean[None, controls],
        group_y=mean[None, outcomes] * kept.scale + kept.center,
        group_weight=np.array([total]),
        projection=projection,
        gram=about[tags, tags] - xd.T @ projection,
        cross=dy - projection.T @ xy,
        xx_inverse=xx_inverse,
        xy=xy,
        xd=xd,
        variance=np.where(variance > CONSTANT * squares, variance, 0.0),
    )


def row_scores(sums: CellSums, part: Partialled, solved: Solution) -> ScoreSums:
    """Weighted residuals of the rows, summed by no cluster yet."""
    items, item = part.tags.items, part.tags.item
    level = part.group_y - part.group_x @ solved.control_coef - part.tags.group_mean @ solved.coef
    found = np.empty_like(sums.y)
    squares = np.zeros(sums.y.shape[1])
    control_coef = solved.control_coef.astype(np.float32)
    level = level[0].astype(found.dtype)
    coef = np.zeros((items.n_tags, -(-len(level) // 4) * 4), found.dtype)
    coef[:, : len(level)] = solved.coef
    for start in range(0, len(found), TOGETHER):
        at = slice(start, start + TOGETHER)
        rest, weight = found[at], sums.weight[at]
        np.subtract(sums.y[at], sums.x[at] @ control_coef, out=rest)
        take_fitted(item[at], weight, items.indptr, items.tag, items.value, coef, level, rest)
        safe = np.where(weight > 0, weight, 1.0)
        squares += (rest.astype(np.float64) ** 2 / safe[:, None]).sum(axis=0)
    return ScoreSums(found, squares, (), [], (), (), (), ())
