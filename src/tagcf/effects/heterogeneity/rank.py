"""How many directions of the users' features the effects differ along: cross-validation over users.

Reduced-rank regression (Izenman 1975): the coefficients tag × factor of the residuals are cut to
their leading directions, in the metric of the tags' Gram. A rank counts only where it predicts
the residuals of users left out, and by more than the standard error of that gain over the folds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import linalg

from tagcf.effects.heterogeneity.user_sums import Residuals
from tagcf.types import Floats, Mask

SHARES = np.linspace(0.1, 1.0, 10)  # of the least squares coefficients: shrinkage tried
FEWEST_ERRORS = 2.0  # standard errors over folds by which a rank must beat none


@dataclass(frozen=True, slots=True)
class Rank:
    """The directions found. `gain` is per fold, in units of the outcome's weighted squares."""

    directions: Floats  # (F, r) orthonormal
    gain: float
    gain_se: float


@dataclass(frozen=True, slots=True)
class FoldGrams:
    """Grams and cross-products of factor ⊗ tag, by fold. Columns are f · T + t."""

    gram: Floats  # (B, F·T, F·T)
    cross: Floats  # (B, K, F·T)


def fold_grams(residuals: Residuals, d: Floats) -> FoldGrams:
    """Grams per fold from sums per cell; `d` are the tags (C, T) minus their group's mean."""
    folds, _, q, _ = residuals.fold_vv.shape
    n_tags, factors = d.shape[1], q - 1
    gram = np.zeros((folds, factors * n_tags, factors * n_tags))
    for b in range(folds):
        for f in range(factors):
            for g in range(f + 1):
                block = (d * residuals.fold_vv[b, :, f + 1, [g + 1]].T).T @ d
                gram[b, f * n_tags : (f + 1) * n_tags, g * n_tags : (g + 1) * n_tags] = block
                gram[b, g * n_tags : (g + 1) * n_tags, f * n_tags : (f + 1) * n_tags] = block
    cross = np.einsum("bkcf,ct->bkft", residuals.fold_ev[..., 1:], d)
    return FoldGrams(gram, cross.reshape(*cross.shape[:2], factors * n_tags))


def choose_rank(grams: FoldGrams, k: int, kept: Mask) -> Rank:
    """Choose the rank of the effects on outcome `k`; `kept` (T,) are the tags that count."""
    folds, size = grams.gram.shape[0], grams.gram.shape[1]
    factors = size // kept.size
    at = np.flatnonzero(np.tile(kept, factors))
    gram, cross = grams.gram[:, at][:, :, at], grams.cross[:, k, at]
    losses = np.zeros((folds, factors, SHARES.size))
    for b in range(folds):
        rest = gram.sum(axis=0) - gram[b]
        found = _solve(rest, cross.sum(axis=0) - cross[b]).reshape(factors, -1)
        basis = _directions(found, rest)
        for r in range(factors):
            cut = (basis[:, : r + 1] @ (basis[:, : r + 1].T @ found)).ravel()
            square, linear = cut @ gram[b] @ cut, cross[b] @ cut
            losses[b, r] = SHARES**2 * square - 2 * SHARES * linear
    best = losses[:, np.arange(factors), losses.mean(axis=0).argmin(axis=1)]  # (B, F) by rank
    rank = _smallest_as_good(best)
    gain = -best[:, rank]
    gain_se = float(gain.std(ddof=1) / np.sqrt(folds))
    if gain.mean() <= FEWEST_ERRORS * gain_se:
        return Rank(np.empty((factors, 0)), float(gain.mean()), gain_se)
    total = gram.sum(axis=0)
    found = _solve(total, cross.sum(axis=0)).reshape(factors, -1)
    return Rank(_directions(found, total)[:, : rank + 1], float(gain.mean()), gain_se)


def _smallest_as_good(losses: Floats) -> int:
    """Position of the smallest rank whose loss is within one standard error of the best."""
    worse = losses - losses[:, [losses.mean(axis=0).argmin()]]
    error = worse.std(axis=0, ddof=1) / np.sqrt(len(losses))
    return int(np.flatnonzero(worse.mean(axis=0) <= error)[0])


def _solve(gram: Floats, cross: Floats) -> Floats:
    ridge = 1e-8 * np.trace(gram) / max(len(gram), 1)
    return np.asarray(linalg.solve(gram + ridge * np.eye(len(gram)), cross, assume_a="pos"))


def _directions(coef: Floats, gram: Floats) -> Floats:
    """(F, F) directions of the factors by how much they explain, leading first."""
    factors, n_tags = coef.shape
    metric = sum(
        gram[f * n_tags : (f + 1) * n_tags, f * n_tags : (f + 1) * n_tags] for f in range(factors)
    )
    values, vectors = linalg.eigh(np.asarray(metric))
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    return np.asarray(linalg.svd(coef @ root, full_matrices=False)[0])
