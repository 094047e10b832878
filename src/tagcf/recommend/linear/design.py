"""What a linear next-item model regresses on: windows over the past, weights of rows."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from tagcf.recommend.histories import Histories
from tagcf.recommend.linear.pairs.kernels import last_of_each
from tagcf.types import Floats


@dataclass(frozen=True, slots=True)
class Window:
    """The last `length` events, of which one of age a counts exp(−decay · (a − 1))."""

    length: int
    decay: float = 0.0
    fade: float | None = None  # decay when a history is scored; None: the same

    @property
    def scoring(self) -> float:
        """Decay when a history is scored."""
        return self.decay if self.fade is None else self.fade


@dataclass(frozen=True, slots=True)
class Design:
    """Which rows the regression has. N windows over I items make N · I features.

    With `ordered`, every event but a user's first is a row: its features are the windows before
    it, its target is its item. Without, a user is one row, the set of the last
    ``windows[0].length`` different items, and each item is regressed on the others (EASE); the
    window's decays then serve scoring alone.
    """

    windows: tuple[Window, ...]
    ordered: bool = True
    span: float | None = None  # τ: a row a events before the user's last weighs exp(−a / τ)
    length_power: float = 0.0  # a row of a user with n rows weighs n^−length_power

    @property
    def local(self) -> bool:
        """Whether later events leave a row's weight alone, so that tails suffice for updates."""
        return self.ordered and self.span is None and self.length_power == 0.0

    @property
    def reach(self) -> int:
        """Events that the longest window holds."""
        return max(window.length for window in self.windows)

    @property
    def lengths(self) -> np.ndarray:
        """(N,) int64."""
        return np.array([window.length for window in self.windows], np.int64)

    @property
    def decays(self) -> Floats:
        """(N,) float64, of training."""
        return np.array([window.decay for window in self.windows], np.float64)

    @property
    def fades(self) -> Floats:
        """(N,) float64, of scoring."""
        return np.array([window.scoring for window in self.windows], np.float64)

    def row_weights(self, histories: Histories) -> Floats:
        """(E,) weight of the row whose target each event is."""
        rows = np.maximum(histories.sizes - 1, 1).astype(np.float64)
        weight = np.repeat(rows**-self.length_power, histories.sizes)
        if self.span is not None:
            last = np.repeat(histories.indptr[1:] - 1, histories.sizes)
            weight *= np.exp(-(last - np.arange(weight.size)) / self.span)
        return weight


FADES = (0.0, 0.1, 0.3, 0.7)


def faded(design: Design) -> list[Design]:
    """Give designs of the same statistics that score with other decays, the design's own first."""
    if len(design.windows) > 1:
        return [design]
    (window,) = design.windows
    decays = dict.fromkeys((window.decay, *FADES))
    return [replace(design, windows=(replace(window, fade=decay),)) for decay in decays]


def distinct(histories: Histories) -> Histories:
    """Each user's different items, in the order of their last events."""
    return histories.where(last_of_each(histories.indptr, histories.item, histories.n_items))
