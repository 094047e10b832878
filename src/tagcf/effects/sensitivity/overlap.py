"""Can items with a tag and without it be compared: scores, trimming, overlap weights, balance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from scipy import stats
from scipy.special import expit

from tagcf.doubts import Alternative, Balance, Overlap
from tagcf.effects.joint.fit import Fit
from tagcf.effects.matching.balance import plain_controls
from tagcf.effects.matching.propensity import even_sample, fit_logit
from tagcf.effects.multiplicity import ALPHA
from tagcf.effects.sensitivity.reduced import Reduced
from tagcf.types import Floats, Mask

BINS = 20
MOST_IN_SCORE = 40  # other tags in a score
KEEP_CONTROLS = 12  # rows of a tag's love plot
FLOOR = 1e-3  # scores stay so far from 0 and 1


def item_scores(reduced: Reduced, fit: Fit, t: int) -> Floats:
    """(C,) chance of each item to carry a tag, given its controls and other tags (logistic)."""
    used = reduced.used
    inverse = fit.solved.inverse
    partial = np.abs(inverse[t]) / np.sqrt(np.maximum(np.diag(inverse), 1e-300))
    partial[t] = 0.0
    others = np.argsort(-partial, kind="stable")[: min(MOST_IN_SCORE, int((partial > 0).sum()))]
    mean_x = fit.sums.x / np.where(fit.sums.weight > 0, fit.sums.weight, 1.0)[:, None]
    columns = np.hstack([mean_x, reduced.tags[:, others]])
    at = np.flatnonzero(used)[even_sample(int(used.sum()))]
    logit = fit_logit(columns[at].astype(np.float32), reduced.tags[at, t] > 0, np.ones(at.size))
    chance = expit(columns @ logit.slope + logit.intercept)
    return np.clip(chance, FLOOR, 1 - FLOOR)


def crump_cut(score: Floats, weight: Floats) -> float:
    """Cut α that minimises the variance over [α, 1 - α]: Crump, Hotz, Imbens and Mitnik (2009).

    Corollary 1: 1/(α(1-α)) = 2 E[1/(e(1-e)) | 1/(e(1-e)) ≤ 1/(α(1-α))]; 0 where no item is cut.
    """
    cost = 1.0 / (score * (1 - score))
    order = np.argsort(cost, kind="stable")
    cost, w = cost[order], weight[order]
    mean = np.cumsum(cost * w) / np.maximum(np.cumsum(w), 1e-300)
    fits = np.flatnonzero(cost <= 2 * mean)
    if not fits.size or fits[-1] == cost.size - 1:
        return 0.0
    limit = 2 * mean[fits[-1]]
    return float(0.5 - np.sqrt(max(0.25 - 1 / limit, 0.0)))


def overlap_of(reduced: Reduced, fit: Fit, k: int, t: int, score: Floats) -> Overlap:
    """Histograms of the scores, the share without counterpart, and effects weighted otherwise."""
    rows, used = fit.sums.weight, reduced.used
    carries = (reduced.tags[:, t] > 0) & used
    others = ~carries & used
    cut = crump_cut(score[used], reduced.weight[used])
    inside = used & (score >= cut) & (score <= 1 - cut)
    weight = reduced.weight
    tilt = np.where(carries, 1 - score, score)
    inverse = np.where(carries, 1 / score, 1 / (1 - score))
    return Overlap(
        carriers=_histogram(score[carries], rows[carries]),
        others=_histogram(score[others], rows[others]),
        cut=cut,
        off_support=float(1 - rows[inside].sum() / max(rows[used].sum(), 1e-300)),
        alternatives=tuple(
            found
            for found in (
                _weighted("trimmed", reduced, k, t, carries, np.where(inside, weight * inverse, 0)),
                _weighted("overlap", reduced, k, t, carries, np.where(used, weight * tilt, 0)),
            )
            if found is not None
        ),
    )


def _histogram(score: Floats, weight: Floats) -> tuple[float, ...]:
    count = np.histogram(score, bins=BINS, range=(0.0, 1.0), weights=weight)[0]
    return tuple(float(share) for share in count / max(count.sum(), 1e-300))


def _weighted(
    name: Literal["trimmed", "overlap"],
    reduced: Reduced,
    k: int,
    t: int,
    carries: Mask,
    weight: Floats,
) -> Alternative | None:
    """Joint estimate plus the weighted contrast of its residuals (augmented as in Robins 1994)."""
    one, two = weight * carries, weight * ~carries
    if (one > 0).sum() < 2 or (two > 0).sum() < 2:
        return None
    side = one / one.sum() - two / two.sum()
    mean = reduced.full[:, k] / np.where(reduced.weight > 0, reduced.weight, 1.0)
    estimate = float(reduced.coef[t, k] + side @ mean)
    cells = int(reduced.used.sum())
    spent = int(reduced.kept.sum()) + reduced.sums.x.shape[1] + np.unique(reduced.group).size
    lift = cells / max(cells - spent, 1)  # residuals are smaller than errors
    se = float(np.sqrt(((side * mean) ** 2).sum() * lift))
    sizes = [part.sum() ** 2 / (part**2).sum() for part in (one, two)]
    effective = 1.0 / sum(1 / size for size in sizes) * 2
    half = float(stats.t.ppf(1 - ALPHA / 2, max(min(sizes) - 1, 1))) * se
    return Alternative(name, estimate, estimate - half, estimate + half, float(effective))


def joint_balance(reduced: Reduced, fit: Fit, t: int, slugs: Sequence[str]) -> tuple[Balance, ...]:
    """Standardised differences before, and after the weights that the joint fit implies.

    The fit gives a row the weight of its tag minus what groups, controls and other tags predict
    of it (Chattopadhyay and Zubizarreta 2023). That balances what is in the model; popularity,
    which is not, stands beside it.
    """
    used = reduced.used
    rows = fit.sums.weight[used]
    plain = plain_controls(fit.control_names)
    others = np.flatnonzero(reduced.kept & (np.arange(len(slugs)) != t))
    means = fit.sums.x[used][:, plain] / rows[:, None]
    popularity = np.log(fit.sums.rows[used])
    columns = np.column_stack([means, reduced.tags[used][:, others], popularity])
    names = (
        [fit.control_names[c] for c in plain] + [slugs[c] for c in others.tolist()] + ["popularity"]
    )
    carries = reduced.tags[used, t]
    with_tag, without = rows * carries, rows * (1 - carries)
    mean_1, var_1 = _moments(columns, with_tag)
    mean_0, var_0 = _moments(columns, without)
    spread = np.sqrt(np.maximum((var_1 + var_0) / 2, 1e-12))
    # What varies within items is measured by all of its spread, not that of items' means.
    total = fit.sums.xx[plain, plain] / rows.sum() - (rows @ means / rows.sum()) ** 2
    spread[: len(plain)] = np.sqrt(np.maximum(total, 1e-12))
    own = reduced.own[used, t] * reduced.weight[used]
    after = own @ columns / max(float(own @ carries), 1e-300)
    before = (mean_1 - mean_0) / spread
    left = after / spread
    worst = np.argsort(-np.abs(before), kind="stable")
    last = len(names) - 1
    shown = [last, *(int(c) for c in worst if c != last)][:KEEP_CONTROLS]
    return tuple(
        Balance(slugs[t], names[c], float(before[c]), float(left[c]))
        for c in sorted(shown, key=lambda c: -abs(before[c]))
    )


def _moments(columns: Floats, weight: Floats) -> tuple[Floats, Floats]:
    total = max(float(weight.sum()), 1e-300)
    mean = weight @ columns / total
    return mean, np.maximum(weight @ columns**2 / total - mean**2, 0.0)
