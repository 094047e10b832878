"""What users will like in a scene that they have never been in, from what they like elsewhere.

Tags that the same users like are alike across scenes. For users who know both scenes, shares of
the new scene's tags are regressed on shares of all other tags (ridge, in its dual form); the
regression then speaks for those who know only the others.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import linalg

from tagcf.types import Floats, Mask

PENALTY = 5.0


@dataclass(frozen=True, slots=True)
class Transfer:
    """Expected shares in a scene, from shares elsewhere. S tags of the scene, E tags elsewhere."""

    mean: Floats  # (S,) of those who know the scene: the answer without transfer
    centre: Floats  # (E,)
    slope: Floats  # (E, S)

    def expected(self, elsewhere: Floats) -> Floats:
        """(n, S) expected shares of users with strengths (n, E) elsewhere."""
        expected: Floats = self.mean + (_spread(elsewhere) - self.centre) @ self.slope
        return expected


def fit_transfer(strength: Floats, inside: Mask, penalty: float = PENALTY) -> Transfer:
    """Learn from users who know the scene.

    Parameters
    ----------
    strength
        (U, T) how much users like tags, ≥ 0.
    inside
        (T,) tags of the scene.
    penalty
        Of the ridge, in units of users.
    """
    knows = (strength[:, inside].sum(axis=1) > 0) & (strength[:, ~inside].sum(axis=1) > 0)
    if not knows.any():
        n_inside, n_else = int(inside.sum()), int((~inside).sum())
        flat = np.full(n_inside, 1 / max(n_inside, 1))
        return Transfer(flat, np.zeros(n_else), np.zeros((n_else, n_inside)))
    there, elsewhere = _spread(strength[knows][:, inside]), _spread(strength[knows][:, ~inside])
    mean, centre = there.mean(axis=0), elsewhere.mean(axis=0)
    x = elsewhere - centre
    scale = x.var(axis=0).sum() / x.shape[1] + 1e-12
    system = x.T @ x + penalty * scale * np.eye(x.shape[1]) * 10
    slope = linalg.solve(system, x.T @ (there - mean), assume_a="pos")
    return Transfer(mean, centre, slope)


def _spread(strength: Floats) -> Floats:
    """Shares after a square root, so that one strong tag does not hide the others."""
    root = np.sqrt(np.maximum(strength, 0.0))
    shares: Floats = root / np.maximum(root.sum(axis=1, keepdims=True), 1e-12)
    return shares
