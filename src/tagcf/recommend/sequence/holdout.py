"""A part of the validation targets: enough to steer by, cheap enough to ask often."""

from __future__ import annotations

import numpy as np

from tagcf.recommend.evaluate.splits import Holdout


def some_rows(holdout: Holdout, most: int, seed: int) -> Holdout:
    """At most so many targets, drawn once."""
    if len(holdout) <= most:
        return holdout
    chosen = np.random.default_rng(seed).choice(len(holdout), most, replace=False)
    return holdout.rows(np.sort(chosen))
