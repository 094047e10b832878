"""A part of the validation targets: enough to steer by, cheap enough to ask often."""

from __future__ import annotations

import numpy as np

from tagcf.recommend.evaluate.splits import Holdout

MOST, FEWEST = 4_000, 500  # targets
CELLS = 100_000_000  # scores of them all, between these limits


def some_rows(holdout: Holdout, seed: int) -> Holdout:
    """Draw targets once: fewer where the catalogue is large, all where they are few."""
    most = int(np.clip(CELLS // max(holdout.train.n_items, 1), FEWEST, MOST))
    if len(holdout) <= most:
        return holdout
    chosen = np.random.default_rng(seed).choice(len(holdout), most, replace=False)
    return holdout.rows(np.sort(chosen))
