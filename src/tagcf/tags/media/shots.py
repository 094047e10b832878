"""Shot boundaries: where the colours of a video change all at once.

A hard cut changes the colours in the quarters of the picture from one frame to the next, much
more than the frames around it do (adaptive threshold), and for good (a flash comes back).
Dissolves and fades change little between two frames and count as no cut.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Series = NDArray[np.float64]

_LEAST = 0.25  # distance below which nothing is a cut
_OUTSTANDING = 3.0  # times the mean distance of the frames around it
_AROUND = 12  # frames before and after
_STAYS = 0.5  # of its distance must be left between the frames around a cut
_SHORTEST = 0.1  # seconds between two cuts


@dataclass(frozen=True, slots=True)
class Changes:
    """Distances in colour of each frame k to frames before it; nan where there is none."""

    seconds: Series  # (n,)
    one: Series  # (n,) to k - 1
    two: Series  # (n,) to k - 2
    three: Series  # (n,) to k - 3


def cut_seconds(changes: Changes) -> tuple[float, ...]:
    """Seconds of the first frames of new shots; the start of the video is none."""
    one = np.nan_to_num(changes.one)
    candidate = (one >= _LEAST) & (one >= _OUTSTANDING * _surroundings(one))
    candidate &= (one >= _shifted(one, 1)) & (one > _shifted(one, -1))
    lasting = np.full(len(one), np.inf)
    for lag, apart in ((2, changes.two), (3, changes.three)):
        for later in range(lag):  # pairs of frames `lag` apart with the boundary between them
            lasting = np.fmin(lasting, _shifted(apart, -later, fill=np.nan))
    candidate &= lasting >= _STAYS * one
    cuts: list[float] = []
    for second in changes.seconds[candidate]:
        if not cuts or second - cuts[-1] >= _SHORTEST:
            cuts.append(float(second))
    return tuple(cuts)


def _surroundings(one: Series) -> Series:
    """Mean distance of the frames around each, itself and the two largest others left out.

    Leaving those out keeps a cut findable when others are near, as in fast editing.
    """
    if len(one) < 4:
        return np.zeros(len(one))
    padded = np.pad(one, _AROUND, constant_values=np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * _AROUND + 1).copy()
    windows[:, _AROUND] = np.nan
    ranked = np.sort(windows, axis=1)  # nan last
    known = np.sum(~np.isnan(windows), axis=1)
    keep = np.arange(windows.shape[1]) < np.maximum(known - 2, 1)[:, None]
    mean: Series = np.sum(np.where(keep, ranked, 0.0), axis=1) / np.maximum(known - 2, 1)
    return mean


def _shifted(values: Series, by: int, fill: float = 0.0) -> Series:
    """Entry k holds what stood at k - by."""
    moved = np.full(len(values), fill)
    if by >= 0:
        moved[by:] = values[: len(values) - by]
    else:
        moved[:by] = values[-by:]
    return moved
