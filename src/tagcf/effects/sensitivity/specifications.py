"""Specification curve: the same effect under every defensible choice that was not made.

Simonsohn, Simmons and Nelson (2020). Rows, fixed effects, controls and weights are varied from sums
per cell: a specification is a sub-block of them, and only another choice of rows or knots is
another pass over the log. Errors are by item.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import stats

from tagcf.doubts import Specification
from tagcf.effects.joint.fit import Fit
from tagcf.effects.linear.basis import make_basis
from tagcf.effects.linear.cells import CellSums, sum_cells
from tagcf.effects.linear.design import Design, Exposure
from tagcf.effects.linear.item_effects import cell_residuals, item_shares
from tagcf.effects.linear.solve import partial_out, solve
from tagcf.effects.multiplicity import ALPHA
from tagcf.effects.sensitivity.robustness import column_groups
from tagcf.types import Codes, EventLog, Floats, Mask

TRIMMED = 0.01  # share of the most shown items that the trimmed weights leave out


@dataclass(frozen=True, slots=True)
class _Block:
    """Sums of one choice of rows and knots."""

    rows: str
    knots: int
    names: tuple[str, ...]
    sums: CellSums


def specification_curve(
    log: EventLog,
    carried: Floats,
    design: Design,
    outcomes: tuple[int, ...],
    columns: Mask,
    df: Floats,
) -> list[list[tuple[Specification, ...]]]:
    """Estimate under every specification of the grid.

    Rows (all, random, chosen) × author effects × controls (5 and 3 knots, linear, none, each left
    out in turn), and rows × author effects × weights (item random effects, rows alike, items alike,
    without the 1% most shown items).

    Parameters
    ----------
    columns
        (T,) tags in the model.
    df
        (K, T) degrees of freedom of the intervals.

    Returns
    -------
    list
        By outcome and tag.
    """
    tags = carried[design.cell_item]
    found: list[list[list[Specification]]] = [[[] for _ in columns] for _ in outcomes]
    for block in _blocks(log, design, outcomes):
        for groups, code in _groups(log, design):
            n_groups = int(code.max(initial=0)) + 1
            part = partial_out(block.sums, tags, code, n_groups)
            shares = item_shares(block.sums, part, solve(part, columns), code)
            for controls, weights, keep in _choices(block):
                some = _pick(block.sums, keep).discount(_share(weights, block.sums, shares))
                coef, se, kept = _estimate(some, tags, code, columns)
                half = stats.t.ppf(1 - ALPHA / 2, df.T) * se
                for t, k in np.argwhere(kept).tolist():
                    ends = coef[t, k] + half[t, k] * np.array([0.0, -1.0, 1.0])
                    found[k][t].append(
                        Specification(block.rows, groups, controls, weights, *ends.tolist())
                    )
    return [[tuple(sorted(of, key=lambda one: one.estimate)) for of in per] for per in found]


def within_authors(
    log: EventLog, design: Design, fit: Fit, columns: Mask
) -> list[list[Specification | None]] | None:
    """Hold authors fixed in a fit that did not: by outcome and tag.

    Returns
    -------
    list or None
        None where the fit has groups already, or authors are not known.
    """
    if design.absorbs is not None or log.item_author is None or not log.n_authors:
        return None
    _, code = _groups(log, design)[-1]
    part = partial_out(fit.sums, fit.tags, code, int(code.max(initial=0)) + 1)
    shares = item_shares(fit.sums, part, solve(part, columns), code)
    coef, se, kept = _estimate(fit.sums.discount(shares), fit.tags, code, columns)
    half = stats.t.ppf(1 - ALPHA / 2, fit.errors.df.T) * se
    rows = {"any": "all"}.get(design.rows.exposure, design.rows.exposure)
    low, high = coef - half, coef + half
    return [
        [
            Specification(
                rows,
                "author",
                "knots_5",
                "item_effects",
                float(coef[t, k]),
                float(low[t, k]),
                float(high[t, k]),
            )
            if kept[t, k]
            else None
            for t in range(len(kept))
        ]
        for k in range(coef.shape[1])
    ]


def _blocks(log: EventLog, design: Design, outcomes: tuple[int, ...]) -> Iterator[_Block]:
    kinds: list[tuple[str, Exposure]] = [("all", "any")]
    if log.has_randomized:
        kinds += [("random", "random"), ("chosen", "chosen")]
    positions = tuple(range(len(log.covariates)))
    for name, exposure in kinds:
        rows = replace(design.rows, exposure=exposure)
        for knots in (5, 3) if positions else (5,):
            basis = make_basis(log.covariates, design.sample, knots, positions)
            own = replace(design, rows=rows, basis=basis)
            sums = sum_cells(log, own, outcomes)
            if sums.weight.sum() > 0:
                yield _Block(name, knots, basis.names, sums)


def _groups(log: EventLog, design: Design) -> list[tuple[str, Codes]]:
    if design.absorbs == "stratum":
        return [("stratum", design.cell_group)]
    alone = np.zeros(design.cell_item.size, dtype=np.int32)
    if log.item_author is None or not log.n_authors:
        return [("none", alone)]
    author = log.item_author[design.cell_item]
    code = np.where(author < 0, log.n_authors + design.cell_item, author)
    return [("none", alone), ("author", np.unique(code, return_inverse=True)[1].astype(np.int32))]


def _choices(block: _Block) -> Iterator[tuple[str, str, list[int]]]:
    """Controls, weights, and the columns of the controls kept."""
    every = list(range(len(block.names)))
    yield f"knots_{block.knots}", "item_effects", every
    if block.knots != 5:
        return
    for weights in ("rows", "items", "trimmed"):
        yield "knots_5", weights, every
    if every:
        yield "linear", "item_effects", [c for c in every if "~" not in block.names[c]]
        yield "none", "item_effects", []
    for control, own in column_groups(block.names).items():
        yield f"without:{control}", "item_effects", [c for c in every if c not in own]


def _pick(sums: CellSums, keep: Sequence[int]) -> CellSums:
    """Sums with some controls only."""
    at = np.asarray(keep, dtype=int)
    return replace(sums, x=sums.x[:, at], xx=sums.xx[np.ix_(at, at)], xy=sums.xy[at])


def _share(weights: str, sums: CellSums, shares: Floats) -> Floats:
    """(C,) how much the mean of each cell counts."""
    safe = np.where(sums.weight > 0, sums.weight, 1.0)
    if weights == "items":
        return np.asarray(1.0 / safe)
    if weights == "rows":
        return np.ones_like(safe)
    if weights == "trimmed":
        limit = np.quantile(sums.weight[sums.weight > 0], 1 - TRIMMED)
        return np.where(sums.weight > limit, 0.0, shares)
    return shares


def _estimate(
    sums: CellSums, tags: Floats, group: Codes, columns: Mask
) -> tuple[Floats, Floats, Mask]:
    """Coefficients (T, K), errors by item (T, K), and which of them there are (T, K)."""
    part = partial_out(sums, tags, group, int(group.max(initial=0)) + 1)
    solved = solve(part, columns)
    hat = part.cell_tags - part.cell_x @ part.projection
    influence = hat @ solved.inverse
    residual = cell_residuals(sums, part, solved, group)
    leverage = sums.weight * np.einsum("ct,ct->c", influence, hat)
    residual = residual / np.maximum(1 - np.minimum(leverage, 0.99), 0.01)[:, None]
    se = np.sqrt((influence**2).T @ residual**2)
    return solved.coef, np.asarray(se), solved.kept[:, None] & (se > 0)
