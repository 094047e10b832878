"""What users will like in a scene that they have never been in, from what they like elsewhere.

Tags that the same users like are alike across scenes. For users who know both, shares of the new
scene's tags are regressed (ridge) on shares of all other tags; the regression then speaks for those
who know only the others. How far that can be trusted is told by the users who know both, each
predicted by the others (leave one out, in closed form): where it is not shown to help, everybody
gets the scene's mean. Shown is a gain above nothing by a one-sided t test, corrected for taking the
best of several penalties (Bonferroni).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import linalg, stats

from tagcf.types import Floats, Mask

PENALTIES = (50.0, 250.0, 1000.0)  # of the ridge, in units of users
LEVEL = 0.025  # chance of claiming a gain where there is none
USERS = 20  # who know both; with fewer nothing is claimed
FLOOR = 1e-3  # least share, so that logarithms are finite


@dataclass(frozen=True, slots=True)
class Transfer:
    """Expected shares in a scene, from shares elsewhere. S tags of the scene, E tags elsewhere.

    Attributes
    ----------
    gain
        Mean log-likelihood, per user, of shares in the scene above that of the mean shares; of
        users who know both, each left out.
    gain_error
        Its standard error.
    users
        How many know both.
    """

    mean: Floats  # (S,) of those who know the scene: the answer without transfer
    centre: Floats  # (E,)
    slope: Floats  # (E, S); zero where nothing is shown
    gain: float = 0.0
    gain_error: float = 0.0
    users: int = 0

    @property
    def shown(self) -> bool:
        """Whether what users like elsewhere tells anything about the scene."""
        if self.users < USERS:
            return False
        errors = stats.t.ppf(1 - LEVEL / len(PENALTIES), self.users - 1)
        return bool(self.gain > errors * self.gain_error)

    def expected(self, elsewhere: Floats) -> Floats:
        """(n, S) expected shares of users with strengths (n, E) elsewhere."""
        expected = self.mean + (_spread(elsewhere) - self.centre) @ self.slope
        return _as_shares(expected)


def fit_transfer(strength: Floats, inside: Mask) -> Transfer:
    """Learn from users who know the scene.

    Parameters
    ----------
    strength
        (U, T) how much users like tags, ≥ 0.
    inside
        (T,) tags of the scene.
    """
    knows = (strength[:, inside].sum(axis=1) > 0) & (strength[:, ~inside].sum(axis=1) > 0)
    n_inside, n_else = int(inside.sum()), int((~inside).sum())
    if knows.sum() < 3:
        flat = np.full(n_inside, 1 / max(n_inside, 1))
        return Transfer(flat, np.zeros(n_else), np.zeros((n_else, n_inside)))
    there, elsewhere = _spread(strength[knows][:, inside]), _spread(strength[knows][:, ~inside])
    found = [_ridge(elsewhere, there, penalty) for penalty in PENALTIES]
    best = max(found, key=lambda one: one.gain)
    if best.shown:
        return best
    return replace(best, slope=np.zeros_like(best.slope))


def _ridge(x: Floats, y: Floats, penalty: float) -> Transfer:
    """Regress y (n, S) on x (n, E); the penalty is in units of users."""
    n = len(x)
    mean, centre = y.mean(axis=0), x.mean(axis=0)
    away = x - centre
    scale = away.var(axis=0).mean() + 1e-12
    inverse = linalg.inv(away.T @ away + penalty * scale * np.eye(x.shape[1]))
    slope = inverse @ away.T @ (y - mean)
    leverage = 1 / n + np.einsum("ne,ef,nf->n", away, inverse, away)
    without = y - (y - mean - away @ slope) / (1 - leverage)[:, None]  # each from the others
    others = (n * mean - y) / (n - 1)
    gains = (y * np.log(_as_shares(without) / _as_shares(others))).sum(axis=1)
    error = float(gains.std(ddof=1) / np.sqrt(n))
    return Transfer(mean, centre, slope, float(gains.mean()), error, n)


def _as_shares(rows: Floats) -> Floats:
    """Rows above `FLOOR` that add up to one."""
    above = np.maximum(rows, FLOOR)
    shares: Floats = above / above.sum(axis=1, keepdims=True)
    return shares


def _spread(strength: Floats) -> Floats:
    """Shares after a square root, so that one strong tag does not hide the others."""
    root = np.sqrt(np.maximum(strength, 0.0))
    shares: Floats = root / np.maximum(root.sum(axis=1, keepdims=True), 1e-12)
    return shares
