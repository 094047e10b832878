"""From scores and residuals to average effects, and their errors.

For each tag the estimate is the mean of the model's effects τ plus Σ h·r / Σ h·D, with
h = D/e - (1-D)/(1-e), each arm scaled to the same total (Hájek 1971): augmented inverse propensity
weighting (Robins, Rotnitzky and Zhao 1994) that doesn't move with the outcome's level. Tags are
attributes of cells, so that h is one number per cell and cell sums of the residuals are enough;
only the clusters that cells straddle (users) need the rows once more.

Where the outcome's regression takes out group means (authors), h counts by its difference from the
group's mean, and leaving an item out moves that mean, too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from tagcf.types import Codes, Floats, Mask

TRIM = 0.01  # scores closer than this to 0 or 1 are off support (Crump et al. 2009 use .1)


@dataclass(frozen=True, slots=True)
class Weighting:
    """Weights of the cells, per tag. C cells, T tags."""

    h: Floats  # (C, T) difference of the arms' weights, from the group's mean
    lever: Floats  # (C, T) what a cell adds to the denominator; sums to 1
    supported: Mask  # (C, T) the cell's score is inside the trimming limits
    on_support: Floats  # (T,) share of the rows where the tag varies that is on support
    off_group: Floats  # (T,) share of the rows in groups in which the tag does not vary
    effective: Floats  # (2, T) effective rows of the carriers and of the rest
    own_variance: Floats  # (T,) Var(D - e) / Var(D), within groups
    score_range: Floats  # (2, T) 1st and 99th percentile of the scores on informative rows

    def facts(self, at: int) -> dict[str, float | int | str | None]:
        """Return what a result says about one tag's overlap."""
        return {
            "trimmed_share": round(1 - float(self.on_support[at]), 4),
            "no_variation_share": round(float(self.off_group[at]), 4),
            "effective_carriers": round(float(self.effective[0, at]), 1),
            "effective_others": round(float(self.effective[1, at]), 1),
            "residual_tag_share": round(float(self.own_variance[at]), 4),
            "score_low": _known(self.score_range[0, at]),
            "score_high": _known(self.score_range[1, at]),
        }

    def model_share(self, by_cell: bool, weight: Floats) -> Floats:
        """(C, T) share of each cell in the mean of the model's effects.

        Effects that are one number per fold average by what each cell adds to the denominator:
        the estimate is then a ratio, and what is left of a tag in the residuals cancels.
        """
        if not by_cell:
            return self.lever
        w = weight[:, None] * self.supported
        return np.asarray(w / np.maximum(w.sum(axis=0), 1e-300))


def _known(value: float) -> float | None:
    return round(float(value), 4) if np.isfinite(value) else None


def weigh(
    scores: Floats, carries: Floats, weight: Floats, cell_group: Codes, n_groups: int
) -> Weighting:
    """Turn scores into weights.

    Parameters
    ----------
    scores, carries
        (C, T).
    weight
        (C,) rows that the mean of each cell counts for.
    """
    by_group = _indicator(cell_group, weight, n_groups)
    total = np.maximum(by_group @ np.ones(weight.size), 1e-300)
    share = (by_group @ carries) / total[:, None]
    varies = ((share > 1e-9) & (share < 1 - 1e-9))[cell_group] & (weight > 0)[:, None]
    supported = varies & (scores >= TRIM) & (scores <= 1 - TRIM)
    e = np.clip(scores, TRIM, 1 - TRIM)
    with_tag = supported * carries / e
    without = supported * (1 - carries) / (1 - e)
    w = weight[:, None]
    sizes = np.stack([(w * with_tag).sum(axis=0), (w * without).sum(axis=0)])
    safe = np.where(sizes > 0, sizes, np.inf)
    h = with_tag / safe[0] - without / safe[1]
    h = np.where(w > 0, h - ((by_group @ h) / total[:, None])[cell_group], 0.0)
    d = carries - share[cell_group]
    lever = h * w * d
    scale = lever.sum(axis=0)
    scale = np.where(scale > 0, scale, np.inf)
    everything, informative = weight.sum(), (w * varies).sum(axis=0)
    squares = np.stack([(w * with_tag**2).sum(axis=0), (w * without**2).sum(axis=0)])
    variance = np.maximum((w * varies * d**2).sum(axis=0), 1e-300)
    return Weighting(
        h=h / scale,
        lever=lever / scale,
        supported=supported,
        on_support=(w * supported).sum(axis=0) / np.maximum(informative, 1e-300),
        off_group=1 - informative / max(everything, 1e-300),
        effective=sizes**2 / np.maximum(squares, 1e-300),
        own_variance=(w * varies * (carries - scores) ** 2).sum(axis=0) / variance,
        score_range=_percentiles(scores, varies),
    )


def _indicator(code: Codes, value: Floats, n_codes: int) -> sparse.csr_array:
    return sparse.csr_array((value, (code, np.arange(code.size))), shape=(n_codes, code.size))


def _percentiles(scores: Floats, varies: Mask) -> Floats:
    """(2, T) 1st and 99th percentile of the scores where the tag varies."""
    found = np.full((2, scores.shape[1]), np.nan)
    for at in np.flatnonzero(varies.any(axis=0)):
        found[:, at] = np.quantile(scores[varies[:, at], at], [0.01, 0.99])
    return found


def leave_out_moves(
    weighting: Weighting,
    residual: Floats,
    beside: Floats,
    weight: Floats,
    cluster: Codes,
    cell_group: Codes,
    n_groups: int,
) -> Floats:
    """(G, T) by how much leaving each cluster out moves the estimates.

    Numerator and denominator lose what the cluster adds to them: the jackknife of a ratio, in
    closed form. Where a cluster is a part of its fixed-effect group, the group's mean moves with
    it: its residual is smaller than its error by the rest's share of the group.

    Parameters
    ----------
    residual
        (C, T) or (C, 1) weighted sums of the residuals.
    beside
        (C, T) what the model's own effects add to each cell's influence.
    cluster
        (C,) dense codes.
    """
    group_weight = np.bincount(cell_group, weights=weight, minlength=n_groups)
    pair = cluster.astype(np.int64) * n_groups + cell_group
    _, position = np.unique(pair, return_inverse=True)
    inside = np.bincount(position, weights=weight)[position]
    rest = group_weight[cell_group] - inside
    alone = rest <= 1e-9 * group_weight[cell_group]
    lift = np.where(alone, 1.0, group_weight[cell_group] / np.where(alone, 1.0, rest))
    n_clusters = int(cluster.max(initial=0)) + 1
    top = _indicator(cluster, lift, n_clusters) @ (residual * weighting.h)
    top += _indicator(cluster, np.ones(cluster.size), n_clusters) @ beside
    bottom = _indicator(cluster, lift, n_clusters) @ weighting.lever
    return np.asarray(top / np.maximum(1.0 - bottom, 0.05))


def effective_clusters(
    weighting: Weighting, weight: Floats, cluster: Codes
) -> tuple[Floats, Floats]:
    """(T,) effective clusters (Σγ)²/Σγ², and the largest one's share of Σγ.

    γ is what each cluster adds to the variance: the mean of a cell that counts for `weight` rows
    has a variance in inverse proportion to it.
    """
    n_clusters = int(cluster.max(initial=0)) + 1
    gamma = _indicator(cluster, weight, n_clusters) @ weighting.h**2
    total = np.maximum(gamma.sum(axis=0), 1e-300)
    effective = total**2 / np.maximum((gamma**2).sum(axis=0), 1e-300)
    return np.asarray(effective), np.asarray(gamma.max(axis=0, initial=0.0) / total)
