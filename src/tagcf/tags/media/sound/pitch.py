"""Pitch by YIN (de Cheveigné and Kawahara 2002, sections II.A to II.E), many frames at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from tagcf.types import Mask

RATE = 16_000
LOWEST, HIGHEST = 60.0, 1000.0  # Hz looked for: voices, and the middle of most instruments
SHORTEST = int(RATE / HIGHEST)  # lags in samples
LONGEST = int(np.ceil(RATE / LOWEST)) + 1
COMPARED = 512  # samples compared with themselves shifted
LOOKS_AT = COMPARED + LONGEST + 1  # samples of one frame
TRANSFORM = 1024
DIP = 0.25  # aperiodicity below which the first dip counts as the period
WORST = 0.35  # without such a dip, the deepest counts up to here; noise stays above 0.5
QUIETEST = 1e-6  # mean square (-60 dBFS) below which nothing is voiced


def yin(samples: NDArray[np.float32], step: int) -> NDArray[np.float32]:
    """Pitch every `step` samples.

    The squared difference between a frame and itself shifted is divided by its mean over all
    shorter lags. The deepest place of the first stretch of lags below `DIP`, or else the deepest
    of all if below `WORST`, is the period, refined by a parabola. Products of shifted frames
    come from Fourier transforms: O(m log m) for m samples.

    Parameters
    ----------
    samples
        (m,), of which a frame takes `LOOKS_AT`; as many frames as fit.

    Returns
    -------
    (n,) Hz; 0 where there is no period, or less than -60 dBFS.
    """
    window = np.lib.stride_tricks.sliding_window_view
    frames = window(samples, LOOKS_AT)[::step]
    start = fft.rfft(frames[:, :COMPARED], TRANSFORM, axis=1)
    whole = fft.rfft(frames, TRANSFORM, axis=1)
    np.conj(start, out=start)
    whole *= start
    product = fft.irfft(whole, TRANSFORM, axis=1)[:, : LONGEST + 1]
    total = np.cumsum(np.concatenate([[0.0], samples.astype(np.float64) ** 2]))
    of_frame = (total[COMPARED:] - total[:-COMPARED]).astype(np.float32)
    energy = window(of_frame, LONGEST + 1)[::step][: len(frames)]
    difference = np.maximum(energy[:, :1] + energy - 2 * product, 0)[:, 1:]
    mean = np.cumsum(difference, axis=1) / np.arange(1, LONGEST + 1, dtype=np.float32)
    ratio = difference / np.maximum(mean, np.float32(1e-12))  # column k: lag k + 1
    lag, found = _period(ratio)
    found &= energy[:, 0] > QUIETEST * COMPARED
    left, middle, right = (difference[np.arange(len(lag)), lag + shift] for shift in (-1, 0, 1))
    curve = left - 2 * middle + right
    shift = np.where(curve > 0, (left - right) / (2 * np.where(curve > 0, curve, 1)), 0)
    period = lag + 1 + np.clip(shift, -0.5, 0.5)
    return np.where(found, RATE / period, 0).astype(np.float32)


def _period(ratio: NDArray[np.float32]) -> tuple[NDArray[np.intp], Mask]:
    """Column of each row's period, and whether it is one."""
    inner = ratio[:, SHORTEST - 1 : -1]
    row, place = np.arange(len(ratio)), np.arange(inner.shape[1])
    low: Mask = np.asarray(inner < DIP)
    first = low.argmax(axis=1)
    over: Mask = np.logical_and(np.greater(place, first[:, None]), ~low)
    end = np.where(over.max(axis=1), over.argmax(axis=1), len(place))
    stretch = (place >= first[:, None]) & (place < end[:, None])
    nowhere: Mask = np.asarray(inner.min(axis=1) >= DIP)
    within = stretch | nowhere[:, None]
    column = np.where(within, inner, np.float32(np.inf)).argmin(axis=1) + SHORTEST - 1
    left, middle, right = (ratio[row, column + shift] for shift in (-1, 0, 1))
    return column, np.asarray((middle < WORST) & (middle <= left) & (middle <= right))
