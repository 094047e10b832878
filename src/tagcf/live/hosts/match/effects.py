"""What the length of a visit owes to whom: interest, viewer, host, such viewers, the two of them.

log(1 + seconds) = level + slopes · interest + viewer + host + host with such viewers + host with
this viewer + noise; the last four are normal with spreads learned from all visits, so that what is
known from a few visits is shrunk towards nothing. Interest is several features. Fitted by
variational EM with independent posteriors (Ormerod and Wand 2010), which makes intervals a little
too short.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tagcf.types import Floats

ROUNDS = 60
SMALLEST = 1e-6  # variance of an effect


@dataclass(frozen=True, slots=True)
class Effect:
    """Posterior of one kind of effect, by key in rising order; what was never seen has a prior."""

    keys: NDArray[np.uint64]
    mean: Floats
    variance: Floats
    visits: NDArray[np.int64]
    prior: float  # variance

    def at(self, keys: NDArray[np.uint64]) -> tuple[Floats, Floats, NDArray[np.int64]]:
        """(n,) mean, variance and visits behind them."""
        if not len(self.keys):
            n = len(keys)
            return np.zeros(n), np.full(n, self.prior), np.zeros(n, np.int64)
        place = np.searchsorted(self.keys, keys).clip(0, len(self.keys) - 1)
        known = self.keys[place] == keys
        return (
            np.where(known, self.mean[place], 0.0),
            np.where(known, self.variance[place], self.prior),
            np.where(known, self.visits[place], 0),
        )


@dataclass(frozen=True, slots=True)
class Effects:
    """All that was learned."""

    level: float
    slopes: Floats  # (FIT,)
    noise: float  # variance
    of: dict[str, Effect]


def fit_effects(y: Floats, interest: Floats, keys: dict[str, NDArray[np.uint64]]) -> Effects:
    """Fit the effects.

    Parameters
    ----------
    y
        (V,) log seconds.
    interest
        (V, FIT) features.
    keys
        For each kind of effect (V,) which one a visit has; 0: none.
    """
    codes: dict[str, tuple[NDArray[np.uint64], NDArray[np.int64], NDArray[np.int64]]] = {}
    for name, column in keys.items():
        known, code = np.unique(column, return_inverse=True)
        codes[name] = known, code.astype(np.int64), np.bincount(code, minlength=len(known))
    design = np.column_stack([np.ones(len(y)), interest])
    beta = np.linalg.lstsq(design, y, rcond=None)[0]
    mean = {name: np.zeros(len(known)) for name, (known, _, _) in codes.items()}
    variance = {name: np.zeros(len(known)) for name, (known, _, _) in codes.items()}
    noise = float(np.var(y - design @ beta)) + SMALLEST
    prior = dict.fromkeys(codes, noise / 4)
    for _ in range(ROUNDS):
        rest = y - design @ beta - sum(mean[name][codes[name][1]] for name in codes)
        for name, (known, code, visits) in codes.items():
            own = rest + mean[name][code]
            variance[name] = 1.0 / (visits / noise + 1.0 / prior[name])
            mean[name] = variance[name] / noise * np.bincount(code, own, len(known))
            mean[name][known == 0] = 0.0
            prior[name] = max(float(np.mean(mean[name] ** 2 + variance[name])), SMALLEST)
            rest = own - mean[name][code]
        whole = rest + design @ beta
        beta = np.linalg.lstsq(design, whole, rcond=None)[0]
        unsure = sum(variance[name][codes[name][1]] for name in codes)
        noise = float(np.mean((whole - design @ beta) ** 2 + unsure)) + SMALLEST
    of = {
        name: Effect(known, mean[name], variance[name], visits, prior[name])
        for name, (known, _, visits) in codes.items()
    }
    return Effects(float(beta[0]), beta[1:].astype(np.float64), noise, of)
