"""How strongly instruments move what they should move: first-stage F statistics."""

from __future__ import annotations

import numpy as np

from tagcf.effects.instruments.stage_sums import Moments, Scores, inverse
from tagcf.types import Floats


def conditional_f(moments: Moments, scores: Scores, first: Floats) -> Floats:
    """(E,) F of each endogenous variable given the others (Sanderson and Windmeijer 2016).

    A Wald statistic: errors come from the first stage's own residuals. With residuals of the
    null instead, it could not exceed the number of clusters, however strong the instrument.

    Parameters
    ----------
    first
        (L, E) first-stage coefficients.
    """
    n_d = first.shape[1]
    n_out = moments.zy.shape[1]
    fitted = moments.zd.T @ first
    f = np.empty(n_d)
    for at in range(n_d):
        others = np.delete(np.arange(n_d), at)
        on = np.zeros(n_d)
        on[at] = 1.0
        if others.size:
            on[others] = -inverse(fitted[np.ix_(others, others)]) @ fitted[others, at]
        gap = moments.zd @ on
        meat = scores.of(np.concatenate([np.zeros(n_d + n_out), on]))
        wald = gap @ inverse(meat) @ gap if meat.any() else np.inf  # no residual: D is Z's doing
        f[at] = wald / max(moments.rank - n_d + 1, 1) if gap.any() else 0.0
    return f


def plain_f(moments: Moments, first: Floats) -> Floats:
    """(E,) first-stage F, in the large-sample form of linearmodels: rows, not rows less terms."""
    explained = np.diag(moments.zd.T @ first)
    left = np.diag(moments.dd) - explained
    mean = np.where(left > 0, left, np.nan) / max(moments.n_rows, 1)
    return np.asarray(explained / max(moments.rank, 1) / mean)
