"""Chance that a user buys in a room within the next minutes: logistic, calibrated on later past."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from tagcf.live.rooms.purchase.moments import FEATURE_NAMES, Moments
from tagcf.types import Floats, Mask

_STEPS = 50
# Products of features: what somebody wants counts only while it is on the table, and more so the
# longer they stay and the more they ask.
_CROSSED = (
    ("product_shown", "dwell"),
    ("product_shown", "asked"),
    ("product_shown", "clicks"),
    ("product_shown", "room_rate"),
    ("product_shown", "product_interest"),
    ("product_shown", "segment_interest"),
    ("product_interest", "price"),
)
_SQUARED = ("dwell", "silence", "product_interest", "price")


@dataclass(frozen=True, slots=True)
class PurchaseIntent:
    """A fitted model; K columns of `design`."""

    centre: Floats  # (K,)
    scale: Floats  # (K,)
    weights: Floats  # (K + 1,) the last is the intercept
    slope: float  # of the calibration: Platt's
    intercept: float
    horizon: float  # seconds

    def probability(self, moments: Moments) -> Floats:
        """(n,) calibrated chance of a purchase within `horizon`."""
        chance: Floats = expit(self.slope * self.logit(moments) + self.intercept)
        return chance

    def logit(self, moments: Moments) -> Floats:
        """(n,) log-odds before calibration."""
        return _scores(design(moments.features), self.centre, self.scale, self.weights)


def design(features: Floats) -> Floats:
    """(n, K) features, their squares and products."""
    column = {name: features[:, k] for k, name in enumerate(FEATURE_NAMES)}
    squares = [column[name] ** 2 for name in _SQUARED]
    products = [column[one] * column[other] for one, other in _CROSSED]
    return np.column_stack([features, *squares, *products])


def fit_intent(
    moments: Moments,
    bought: Mask,
    *,
    horizon: float = 300.0,
    ridge: float = 3.0,
    held: float = 0.25,
) -> PurchaseIntent:
    """Fit on the earlier part of the past and calibrate on the later.

    Parameters
    ----------
    moments, bought
        In the order of time; the last `horizon` seconds must be left out by the caller, because
        what follows them is not known yet.
    ridge
        Penalty on standardised weights.
    held
        Share of the past, the latest, that calibrates (Platt 1999).
    """
    cut = int((1 - held) * len(moments))
    # Moments whose answer reaches into the held-out part stay out of the fit.
    early = moments.ts < (moments.ts[cut] - horizon if cut < len(moments) else np.inf)
    late = np.arange(len(moments)) >= cut
    return fit_parts(
        moments.features[early], bought[early], moments.features[late], bought[late], horizon, ridge
    )


def fit_parts(
    fitted: Floats,
    bought: Mask,
    held: Floats,
    held_bought: Mask,
    horizon: float,
    ridge: float = 3.0,
) -> PurchaseIntent:
    """Fit on the features of one set of moments and calibrate on another's."""
    x = design(fitted)
    centre, scale = x.mean(axis=0), x.std(axis=0) + 1e-9
    weights = newton((x - centre) / scale, bought.astype(np.float64), ridge)
    late = _scores(design(held), centre, scale, weights)
    platt = newton(late[:, None], held_bought.astype(np.float64), 0.0, start=np.array([1.0, 0.0]))
    return PurchaseIntent(centre, scale, weights, float(platt[0]), float(platt[1]), horizon)


def newton(x: Floats, y: Floats, ridge: float, start: Floats | None = None) -> Floats:
    """(K + 1,) weights of a ridge logistic regression, the intercept last and not penalised."""
    z = np.column_stack([x, np.ones(len(x))])
    penalty = np.append(np.full(x.shape[1], ridge), 1e-6)
    if start is None:
        rate = np.clip(y.mean(), 1e-6, 1 - 1e-6)
        start = np.append(np.zeros(x.shape[1]), np.log(rate / (1 - rate)))
    w = start.copy()
    loss = _loss(z, y, w, penalty)
    for _ in range(_STEPS):
        p = expit(z @ w)
        gradient = z.T @ (p - y) + penalty * w
        hessian = (z * (p * (1 - p))[:, None]).T @ z + np.diag(penalty)
        step = np.linalg.solve(hessian, gradient)
        size = 1.0
        while (after := _loss(z, y, w - size * step, penalty)) > loss and size > 1e-6:
            size /= 2
        w, before, loss = w - size * step, loss, after
        if before - loss < 1e-8 * (1 + abs(loss)):
            break
    return w


def _loss(z: Floats, y: Floats, w: Floats, penalty: Floats) -> float:
    score = z @ w
    return float((np.logaddexp(0, score) - y * score).sum() + 0.5 * (penalty * w**2).sum())


def _scores(x: Floats, centre: Floats, scale: Floats, weights: Floats) -> Floats:
    scores: Floats = (x - centre) / scale @ weights[:-1] + weights[-1]
    return scores
