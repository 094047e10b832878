"""Random and chosen exposure in one estimate, with the bias of the chosen rows learned.

Rows of random exposure are few and clean; rows that the recommender chose are many and may be
biased. The contrasts of the two estimates over all tags tell how biased: what they differ by
beyond their own errors is the variance of the bias (Peysakhovich and Lada 2016). The chosen rows
then count for what they are worth, and the interval is as wide as the worst distribution of the
bias with that variance asks for (Armstrong, Kolesár and Plagborg-Møller 2022). A tag whose two
estimates contradict each other (|z| > 2) is told by its random rows alone.

A tag whose own contrast is beyond noise is widened for that, too, and no tag is claimed that its
random rows alone do not point to (p < .10).

Limits: coverage is on average over an outcome's tags. A bias of a few tags alone, of one or two
standard errors of their random rows, is covered less often, but seldom claimed
(``benchmarks/lone_bias.py`` says how often).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from tagcf.effects.linear.clustered import Errors
from tagcf.effects.linear.solve import Solution
from tagcf.effects.multiplicity import critical_value
from tagcf.types import Floats, Mask

FEWEST_CONTRASTS = 10  # tags from which a variance of the bias can be learned
SUPPORT = 0.10  # p of the random rows alone below which they support a claim
# Squared standard errors of a contrast that count as noise before it speaks of its own tag's bias.
# 1 is unbiased and covers lone biases better, 2 is narrower; benchmarks/lone_bias.py measures.
BEYOND = 1.5
CONTRADICTION = 2.0  # standard errors between the two estimates of a tag


@dataclass(frozen=True, slots=True)
class Fused:
    """Coefficients from both kinds of rows. T tags, K outcomes."""

    coef: Floats  # (T, K)
    cov: Floats  # (K, T, T)
    df: Floats  # (K, T)
    effective: Floats  # (K, T)
    bias_sd: Floats  # (K,) standard deviation over tags of the chosen rows' bias
    weight: Floats  # (K, T) weight of the chosen rows; 0 for a tag told by random rows alone
    gap: Floats  # (K, T) chosen minus random estimate, NaN where one is missing
    gap_z: Floats  # (K, T) the same in standard errors
    supported: (
        Mask  # (K, T) the random rows alone point the same way (p < .10): a claim may be made
    )


@dataclass(frozen=True, slots=True)
class Side:
    """One kind of rows' answer on one outcome. T tags."""

    coef: Floats  # (T,)
    cov: Floats  # (T, T)
    df: Floats  # (T,)
    effective: Floats  # (T,)


@dataclass(frozen=True, slots=True)
class Combined:
    """One outcome of `Fused`."""

    coef: Floats  # (T,)
    cov: Floats  # (T, T)
    df: Floats  # (T,)
    effective: Floats  # (T,)
    bias_sd: float
    weight: Floats  # (T,)
    gap: Floats  # (T,)
    gap_z: Floats  # (T,)
    supported: Mask  # (T,)


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
    found = []
    for k in range(solved_r.coef.shape[1]):
        shared = _shared(errors_r, errors_c, k)
        found.append(combine(_side(random, k), _side(chosen, k), shared, both))
    return Fused(
        coef=np.stack([one.coef for one in found], axis=1),
        cov=np.stack([one.cov for one in found]),
        df=np.stack([one.df for one in found]),
        effective=np.stack([one.effective for one in found]),
        bias_sd=np.array([one.bias_sd for one in found]),
        weight=np.stack([one.weight for one in found]),
        gap=np.stack([one.gap for one in found]),
        gap_z=np.stack([one.gap_z for one in found]),
        supported=np.stack([one.supported for one in found]),
    )


def _side(fitted: tuple[Solution, Errors], k: int) -> Side:
    solved, errors = fitted
    return Side(solved.coef[:, k], errors.cov[k], errors.df[k], errors.effective[k])


def combine(random: Side, chosen: Side, shared: Floats, both: Mask) -> Combined:
    """Combine the two answers on one outcome.

    Parameters
    ----------
    shared
        (T, T) covariance of the random with the chosen answer.
    both
        (T,) tags that both can tell.
    """
    noise = np.maximum(np.diag(random.cov + chosen.cov - shared - shared.T), 1e-300)
    gap = np.where(both, chosen.coef - random.coef, np.nan)
    z = gap / np.sqrt(noise)
    bias = bias_variance(gap[both], noise[both])
    own, others = np.diag(random.cov), np.diag(chosen.cov)
    weight = _weight(own[both], others[both] + bias, np.diag(shared)[both])
    w = np.where(both & ~(np.abs(z) > CONTRADICTION), weight, 0.0)
    coef = (1 - w) * random.coef + w * chosen.coef
    cross = (1 - w)[:, None] * shared * w[None, :]
    sampled = np.outer(1 - w, 1 - w) * random.cov + np.outer(w, w) * chosen.cov + cross + cross.T
    return Combined(
        coef=coef,
        cov=_widened(sampled, w**2 * np.maximum(bias, own_bias(gap, noise))),
        df=np.where(w > 0, (1 - w) * random.df + w * chosen.df, random.df),
        effective=random.effective * (1 - w) + chosen.effective * w,
        bias_sd=float(np.sqrt(bias)),
        weight=w,
        gap=gap,
        gap_z=z,
        supported=_supported(random.coef, random.cov, random.df, coef) | (w == 0),
    )


def own_bias(gap: Floats, noise: Floats) -> Floats:
    """(T,) what each tag's own contrast says of its bias's mean square, beyond its noise.

    The one variance that all tags share covers on average only; a tag that is biased alone shows
    it in its own contrast long before that contradicts.
    """
    return np.nan_to_num(np.maximum(gap**2 - BEYOND * noise, 0.0))


def _supported(random: Floats, cov: Floats, df: Floats, fused: Floats) -> Mask:
    """(T,) whether random rows alone have the sign of the fused estimate, at p < .10."""
    se = np.sqrt(np.maximum(np.diag(cov), 1e-300))
    p = 2 * stats.t.sf(np.abs(random) / se, df)
    return np.asarray((np.sign(random) == np.sign(fused)) & (p < SUPPORT))


def _widened(cov: Floats, bias: Floats) -> Floats:
    """Scale a covariance so that normal intervals cover under a bias (T,) of this mean square."""
    factor = widening(np.diag(cov), bias)
    return np.asarray(cov * np.outer(factor, factor))


def widening(variance: Floats, bias: Floats) -> Floats:
    """(T,) what errors are multiplied by so that normal intervals cover under a bias.

    On average over the tags, and whatever the distribution of the bias (Armstrong, Kolesár and
    Plagborg-Møller 2022, section 2).

    Parameters
    ----------
    variance
        (T,) squared errors without the bias.
    bias
        (T,) mean square of the bias.
    """
    share = bias / np.maximum(variance, 1e-300)
    return np.asarray(critical_value(share) / critical_value(np.zeros(1))[0])


def _shared(random: Errors, chosen: Errors, k: int) -> Floats:
    """(T, T) covariance of the two estimates: the same items and users are behind both."""
    pairs = zip(random.moves, chosen.moves, strict=True)
    return np.asarray(sum(one[k].T @ other[k] for one, other in pairs))


def bias_variance(gap: Floats, noise: Floats) -> float:
    """Mean square of the contrasts beyond their noise, by moments weighted with precision.

    Kept above what it could be by chance (as in Armstrong, Kolesár and Plagborg-Møller 2022).

    Parameters
    ----------
    gap
        (m,) biased minus unbiased estimates of m tags.
    noise
        (m,) variance of each gap, were there no bias.
    """
    precision = 1.0 / noise
    excess = float(precision @ (gap**2 - noise) / precision.sum())
    chance = 2.0 / float(precision.sum())  # their section 3.2, with weights of precision
    return max(excess, chance)


def _weight(var_r: Floats, var_c: Floats, shared: Floats) -> float:
    """Weight of the chosen rows that minimises the summed variance, relative to each tag's own."""
    gain = ((var_r - shared) / var_r).sum()
    spread = ((var_r + var_c - 2 * shared) / var_r).sum()
    return float(np.clip(gain / max(spread, 1e-300), 0.0, 1.0))
