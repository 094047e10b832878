"""One linear head per outcome on the same features: ridge around what the records say.

The prior of a head is its own outcome's records with slope one, on top of the context; how far
the log may pull it away is chosen by predicting one half of the log from the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tagcf.recommend.rank.features import Layout
from tagcf.types import Floats

PENALTIES = (1.0, 10.0, 100.0, 1_000.0, 10_000.0, 100_000.0)  # rows that the prior stands for


@dataclass(slots=True)
class Gram:
    """Weighted sums over rows. K outcomes, F features."""

    xx: Floats  # (K, F, F)
    xy: Floats  # (K, F)
    yy: Floats  # (K,)
    weight: Floats  # (K,)

    @staticmethod
    def nothing(n_outcomes: int, width: int) -> Gram:
        """Sums over no rows."""
        square, line = np.zeros((n_outcomes, width, width)), np.zeros((n_outcomes, width))
        return Gram(square, line, np.zeros(n_outcomes), np.zeros(n_outcomes))

    def add(self, x: Floats, y: Floats, weight: Floats) -> None:
        """Add rows, in place; outcomes with the weights of the one before share its products."""
        product = np.empty(0)
        for k in range(y.shape[1]):
            weighted = x * weight[:, [k]]
            if k == 0 or not np.array_equal(weight[:, k], weight[:, k - 1]):
                product = weighted.T @ x
            self.xx[k] += product
            self.xy[k] += weighted.T @ y[:, k]
            self.yy[k] += weight[:, k] @ y[:, k] ** 2
            self.weight[k] += weight[:, k].sum()

    def __add__(self, other: Gram) -> Gram:
        return Gram(
            self.xx + other.xx, self.xy + other.xy, self.yy + other.yy, self.weight + other.weight
        )

    def loss(self, coef: Floats) -> Floats:
        """(K,) mean square of what coefficients (F, K) leave."""
        fitted = np.einsum("fk,kfg,gk->k", coef, self.xx, coef)
        crossed = np.einsum("fk,kf->k", coef, self.xy)
        return np.asarray((self.yy - 2 * crossed + fitted) / np.maximum(self.weight, 1e-12))

    def spread(self, coef: Floats) -> tuple[Floats, Floats]:
        """Mean and deviation (K,) of what coefficients (F, K) predict."""
        weight = np.maximum(self.weight, 1e-12)
        # The first feature is the intercept.
        mean = np.einsum("fk,kf->k", coef, self.xx[:, 0]) / weight
        square = np.einsum("fk,kfg,gk->k", coef, self.xx, coef) / weight
        return mean, np.sqrt(np.maximum(square - mean**2, 0.0))


@dataclass(frozen=True, slots=True)
class Heads:
    """Coefficients: of each half (for rows of the other), and of all rows."""

    halves: tuple[Floats, ...]  # (F, K)
    whole: Floats  # (F, K)
    penalty: Floats  # (K,) rows that the prior stands for
    mean: Floats  # (K,) of the predictions
    spread: Floats  # (K,) their deviation


def prior_of(layout: Layout, context: Floats) -> Floats:
    """(F, K) context as first fitted, own item and user records with slope one."""
    prior = np.zeros((layout.width, layout.outcomes))
    prior[: layout.context] = context
    prior[layout.item] = np.eye(layout.outcomes)
    prior[layout.user] = np.eye(layout.outcomes)
    return prior


def fit_heads(grams: Sequence[Gram], prior: Floats) -> Heads:
    """Choose each outcome's penalty across the halves, then fit.

    Parameters
    ----------
    grams
        Sums over the rows of each half, their features from the other half's book.
    """
    n_outcomes = prior.shape[1]
    losses = np.zeros((len(PENALTIES), n_outcomes))
    fits = []
    for p, penalty in enumerate(PENALTIES):
        rows = np.full(n_outcomes, penalty)
        fits.append([_ridge(gram, prior, rows) for gram in grams])
        losses[p] = sum(grams[1 - h].loss(fits[p][h]) for h in range(len(grams)))
    best = losses.argmin(axis=0)
    chosen = np.asarray(PENALTIES)[best]
    halves = tuple(
        np.stack([fits[best[k]][h][:, k] for k in range(n_outcomes)], axis=1)
        for h in range(len(grams))
    )
    both = grams[0] + grams[1]
    whole = _ridge(both, prior, chosen)
    return Heads(halves, whole, chosen, *both.spread(whole))


def _ridge(gram: Gram, prior: Floats, penalty: Floats) -> Floats:
    """(F, K) coefficients that weigh the prior as so many rows of each feature's own variance."""
    coef = prior.copy()
    for k in range(prior.shape[1]):
        if gram.weight[k] <= 0:
            continue
        mean = gram.xx[k][0] / gram.weight[k]  # the first feature is the intercept
        spread = np.maximum(np.diag(gram.xx[k]) / gram.weight[k] - mean**2, 0.0)
        spread = np.where(spread > 0, spread, 1.0)
        spread[0] = 1e-9
        system = gram.xx[k] + np.diag(penalty[k] * spread)
        coef[:, k] += np.linalg.solve(system, gram.xy[k] - gram.xx[k] @ prior[:, k])
    return coef
