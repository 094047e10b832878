"""Random and chosen exposure in one estimate, with the bias of the chosen rows learned.

Rows of random exposure are few and clean; rows that the recommender chose are many and may be
biased. The contrasts of the two estimates over all tags tell how biased: what they differ by
beyond their own errors is the variance of the bias (Peysakhovich and Lada 2016). The chosen rows
then count for what they are worth, and the interval carries the bias that is left. The coverage
so reached is on average over the tags of an outcome.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tagcf.effects.clustered import Errors
from tagcf.effects.solve import Solution
from tagcf.types import Floats, Mask

FEWEST_CONTRASTS = 10  # tags from which a variance of the bias can be learned


@dataclass(frozen=True, slots=True)
class Fused:
    """Coefficients from both kinds of rows. T tags, K outcomes."""

    coef: Floats  # (T, K)
    cov: Floats  # (K, T, T)
    df: Floats  # (K, T)
    effective: Floats  # (K, T)
    bias_sd: Floats  # (K,) standard deviation over tags of the chosen rows' bias
    weight: Floats  # (K,) weight of the chosen rows


def fuse(
    random: tuple[Solution, Errors], chosen: tuple[Solution, Errors], told: Mask
) -> Fused | None:
    """Combine two fits on disjoint rows of the same cells; None if too few tags tell the bias.

    Parameters
    ----------
    random, chosen
        Fits on random and on chosen rows.
    told
        (T,) tags that both can tell.
    """
    solved_r, errors_r = random
    solved_c, errors_c = chosen
    both = told & solved_r.kept & solved_c.kept
    if both.sum() < FEWEST_CONTRASTS:
        return None
    n_tags, n_out = solved_r.coef.shape
    coef, cov = solved_r.coef.copy(), errors_r.cov.copy()
    effective = errors_r.effective.copy()
    bias_sd, weights = np.zeros(n_out), np.zeros(n_out)
    for k in range(n_out):
        shared = _shared(errors_r, errors_c, k)
        var_r, var_c = errors_r.cov[k], errors_c.cov[k]
        gap = (solved_c.coef[:, k] - solved_r.coef[:, k])[both]
        noise = np.diag(var_r + var_c - shared - shared.T)[both]
        bias = _bias_variance(gap, np.maximum(noise, 1e-300))
        weight = _weight(np.diag(var_r)[both], np.diag(var_c)[both] + bias, np.diag(shared)[both])
        w = np.where(both, weight, 0.0)
        coef[:, k] = (1 - w) * solved_r.coef[:, k] + w * solved_c.coef[:, k]
        cross = (1 - w)[:, None] * shared * w[None, :]
        cov[k] = (
            np.outer(1 - w, 1 - w) * var_r
            + np.outer(w, w) * (var_c + bias * np.eye(n_tags))
            + cross
            + cross.T
        )
        effective[k] = (1 - w) * errors_r.effective[k] + w * errors_c.effective[k]
        bias_sd[k], weights[k] = np.sqrt(bias), weight
    return Fused(coef, cov, np.maximum(effective - 1.0, 1.0), effective, bias_sd, weights)


def _shared(random: Errors, chosen: Errors, k: int) -> Floats:
    """(T, T) covariance of the two estimates: the same items and users are behind both."""
    pairs = zip(random.moves, chosen.moves, strict=True)
    return np.asarray(sum(one[k].T @ other[k] for one, other in pairs))


def _bias_variance(gap: Floats, noise: Floats) -> float:
    """Variance of the contrasts beyond their noise, by moments weighted with precision.

    Kept above what it could be by chance (as in Armstrong, Kolesár and Plagborg-Møller 2022).
    """
    precision = 1.0 / noise
    excess = float(precision @ (gap**2 - noise) / precision.sum())
    chance = 2 * float(precision @ noise**2) / float(precision @ noise) / len(noise)
    return max(excess, chance)


def _weight(var_r: Floats, var_c: Floats, shared: Floats) -> float:
    """Weight of the chosen rows that minimises the summed variance, relative to each tag's own."""
    gain = ((var_r - shared) / var_r).sum()
    spread = ((var_r + var_c - 2 * shared) / var_r).sum()
    return float(np.clip(gain / max(spread, 1e-300), 0.0, 1.0))
