"""Progressive validation: how good predictions were, each made before its row was learned."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

from tagcf.types import Floats

BINS = 10


@dataclass(frozen=True, slots=True)
class Judged:
    """How good n predictions were. `auc` is NaN where only one class came."""

    n: int
    rate: float  # share of rows where the outcome came
    auc: float
    log_loss: float
    calibration: float  # expected over observed
    calibration_error: float  # mean |expected − observed| over tenths of the rows


def judge(chances: Floats, came: Floats) -> Judged:
    """Compare chances (n,) with what came (n,), 0 or 1."""
    n, positive = len(came), float(came.sum())
    auc = np.nan
    if 0 < positive < n:
        ranks = rankdata(chances)[came > 0].sum()
        auc = (ranks - positive * (positive + 1) / 2) / (positive * (n - positive))
    clipped = np.clip(chances, 1e-12, 1 - 1e-12)
    loss = -np.where(came > 0, np.log(clipped), np.log1p(-clipped))
    order = np.argsort(chances, kind="stable")
    parts = [part for part in np.array_split(order, BINS) if len(part)]
    gaps = [abs(chances[part].mean() - came[part].mean()) * len(part) for part in parts]
    return Judged(
        n=n,
        rate=positive / max(n, 1),
        auc=float(auc),
        log_loss=float(loss.mean()) if n else np.nan,
        calibration=float(chances.sum() / positive) if positive else np.nan,
        calibration_error=float(sum(gaps) / max(n, 1)),
    )


class Progress:
    """A log of `Judged`, one for every `window` rows."""

    def __init__(self, window: int) -> None:
        self.window = window
        self.log: list[Judged] = []
        self._chances: list[Floats] = []
        self._came: list[Floats] = []
        self._held = 0

    def add(self, chances: Floats, came: Floats) -> None:
        """Take in predictions and what came."""
        self._chances.append(chances.copy())
        self._came.append(came.copy())
        self._held += len(came)
        while self._held >= self.window:
            held, known = np.concatenate(self._chances), np.concatenate(self._came)
            self.log.append(judge(held[: self.window], known[: self.window]))
            self._chances, self._came = [held[self.window :]], [known[self.window :]]
            self._held -= self.window

    @property
    def latest(self) -> Judged | None:
        """The newest full window."""
        return self.log[-1] if self.log else None
