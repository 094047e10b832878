"""Placebo: the tags of items are dealt out anew among items that are alike.

Whole tag rows are permuted across items (never rows of the log: a tag is an attribute of an item)
within author and bins of the exactly matched controls, so that whatever authors and lengths do to
the outcome stays tied to the tags dealt out. The statistic of a tag is the self-normalised score
of the model without it (Freedman and Lane 1983; studentised as in DiCiccio and Romano 2017, so
that very unequal items don't matter). Point estimates and errors by item come from cell sums.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, sparse

from tagcf.effects.joint.fit import Fit
from tagcf.effects.linear.design import Design
from tagcf.effects.sensitivity.reduced import Reduced
from tagcf.types import Codes, EventLog, Floats, Mask

FEWEST_IN_STRATUM = 6  # items; smaller strata leave too little to permute
MOST_BINS = 5


@dataclass(frozen=True, slots=True)
class Placebo:
    """Statistics of the tags as they are and as dealt out. R permutations, K outcomes, T tags."""

    observed: Floats  # (K, T)
    draws: Floats  # (R, K, T)

    @property
    def p(self) -> Floats:
        """(K, T) share of permutations (the real one among them) with as large a statistic."""
        larger = (np.abs(self.draws) >= np.abs(self.observed)).sum(axis=0)
        return np.asarray((1 + larger) / (1 + len(self.draws)))

    def p_any(self, told: Mask) -> Floats:
        """(K, T) … with as large a statistic of any told tag (Westfall and Young 1993)."""
        largest = np.abs(self.draws[:, :, told]).max(axis=2, initial=0.0)
        larger = (largest[:, :, None] >= np.abs(self.observed)).sum(axis=0)
        return np.asarray((1 + larger) / (1 + len(self.draws)))


def placebo_strata(log: EventLog, design: Design, fit: Fit, exact: Sequence[str]) -> Codes:
    """(C,) strata: the fixed-effect group or author, cut into bins of the controls in `exact`."""
    known = design.cell_group
    if design.absorbs is None and log.item_author is not None:
        known = log.item_author[design.cell_item]
    base = np.unique(known, return_inverse=True)[1]
    weight = np.where(fit.sums.weight > 0, fit.sums.weight, 1.0)
    means = [
        fit.sums.x[:, k] / weight
        for k, name in enumerate(fit.control_names)
        if "~" not in name and name.partition("=")[0] in exact
    ]
    if not means:
        return base.astype(np.int32)
    order = np.lexsort([*reversed(means), base])
    size = np.bincount(base)
    rank = np.empty(base.size, dtype=np.int64)
    rank[order] = np.arange(base.size) - np.repeat(np.cumsum(size) - size, size)
    bins = np.clip(size // FEWEST_IN_STRATUM, 1, MOST_BINS)
    cut = rank * bins[base] // size[base]
    return np.asarray(base * MOST_BINS + cut, dtype=np.int32)


@dataclass(frozen=True, slots=True)
class Source:
    """A fit whose tags are dealt out, and how much it counts in the estimate of each tag."""

    reduced: Reduced
    fit: Fit
    count: Floats  # (K, T); counts of several sources add up to 1


def permute_tags(sources: Sequence[Source], strata: Codes, permutations: int, seed: int) -> Placebo:
    """Estimate anew with the tags dealt out within strata.

    Parameters
    ----------
    sources
        Fits on the same cells (random and chosen rows, where an estimate is made of both).
    strata
        (C,) as in `placebo_strata`.
    """
    random = np.random.default_rng(seed)
    left = [
        [(one.count[k] * one.reduced.without(k)).astype(np.float32) for k in range(len(one.count))]
        for one in sources
    ]
    some = np.flatnonzero(np.any([one.reduced.used for one in sources], axis=0))
    home = some[np.argsort(strata[some], kind="stable")]
    original = sources[0].reduced.tags
    draws = []
    for _ in range(permutations):
        dealt = some[np.lexsort((random.random(some.size), strata[some]))]
        tags = original.copy()
        tags[home] = original[dealt]
        draws.append(_statistics(sources, left, tags))
    return Placebo(_statistics(sources, left, original), np.stack(draws))


def _statistics(
    sources: Sequence[Source], left: Sequence[Sequence[NDArray[np.float32]]], tags: Floats
) -> Floats:
    """(K, T) self-normalised scores of each tag, the others and the controls held.

    `left` are the residuals without each tag, by source and outcome: single precision is plenty
    for a distribution of permutations, and these are the largest arrays.
    """
    influences = [_influence(one.reduced, one.fit, tags) for one in sources]
    found = np.zeros((len(sources[0].count), tags.shape[1]))
    for k in range(len(found)):
        scores = np.zeros(tags.shape, dtype=np.float32)
        for residual, influence in zip(left, influences, strict=True):
            scores += influence * residual[k]
        squares = np.einsum("ct,ct->t", scores, scores, dtype=np.float64)
        found[k] = scores.sum(axis=0, dtype=np.float64) / np.sqrt(np.maximum(squares, 1e-300))
    return found


def _influence(reduced: Reduced, fit: Fit, tags: Floats) -> NDArray[np.float32]:
    """(C, T) what a unit of each cell's weighted residual moves the coefficients by."""
    weight, part = reduced.weight, fit.part
    d = tags - _group_means(tags, weight, reduced.group, part.group_weight)[reduced.group]
    xd = reduced.sums.x.T @ d
    projection = part.xx_inverse @ xd
    single = d.astype(np.float32)
    gram = ((single * weight.astype(np.float32)[:, None]).T @ single).astype(np.float64)
    gram -= xd.T @ projection
    at = np.flatnonzero(reduced.kept)
    gram = gram[np.ix_(at, at)]
    gram[np.diag_indices_from(gram)] += 1e-9 * max(float(np.trace(gram)), 1e-300)
    hat = (single - (part.cell_x @ projection).astype(np.float32))[:, at]
    inverse = linalg.inv(gram)
    influence = np.zeros(tags.shape, dtype=np.float32)
    influence[:, at] = hat @ inverse.astype(np.float32)
    return influence


def _group_means(tags: Floats, weight: Floats, group: Codes, group_weight: Floats) -> Floats:
    """(G, T) weighted mean tags of the groups."""
    shape = (group_weight.size, group.size)
    sums = sparse.csr_array((weight, (group, np.arange(group.size))), shape=shape) @ tags
    return np.asarray(sums / np.where(group_weight > 0, group_weight, 1.0)[:, None])
