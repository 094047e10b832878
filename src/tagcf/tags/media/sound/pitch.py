"""Pitch by YIN (de Cheveigné and Kawahara 2002, sections II.A to II.E), many frames at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import fft

RATE = 16_000
LOWEST, HIGHEST = 60.0, 1000.0  # Hz looked for: voices, and the middle of most instruments
SHORTEST = int(RATE / HIGHEST)  # lags in samples
LONGEST = int(np.ceil(RATE / LOWEST)) + 1
COMPARED = 512  # samples compared with themselves shifted
LOOKS_AT = COMPARED + LONGEST + 1  # samples of one frame
TRANSFORM = 1024
DIP = 0.15  # aperiodicity below which a lag counts as a period
QUIETEST = 1e-5  # mean square (-50 dBFS) below which nothing is voiced


def yin(frames: NDArray[np.float32]) -> NDArray[np.float32]:
    """Pitch of each frame.

    The squared difference between the frame and itself shifted is divided by its mean over
    all shorter lags; the first dip below `DIP` is the period, refined by a parabola. Products
    of shifted frames come from one Fourier transform a frame: O(m log m) for m samples.

    Parameters
    ----------
    frames
        (n, LOOKS_AT) samples.

    Returns
    -------
    (n,) Hz; 0 where there is no period, or less than -50 dBFS.
    """
    start = fft.rfft(frames[:, :COMPARED], TRANSFORM, axis=1)
    whole = fft.rfft(frames, TRANSFORM, axis=1)
    product = fft.irfft(np.conj(start) * whole, TRANSFORM, axis=1)[:, : LONGEST + 1]
    running = np.cumsum(frames.astype(np.float64) ** 2, axis=1)
    running = np.pad(running, ((0, 0), (1, 0)))
    energy = running[:, COMPARED : COMPARED + LONGEST + 1] - running[:, : LONGEST + 1]
    difference = np.maximum(energy[:, :1] + energy - 2 * product, 0)
    lags = np.arange(1, LONGEST + 1)
    mean = np.cumsum(difference[:, 1:], axis=1) / lags
    ratio = difference[:, 1:] / np.maximum(mean, 1e-12)  # column k: lag k + 1
    inner = ratio[:, SHORTEST - 1 : -1]
    dips = (inner < DIP) & (inner <= ratio[:, SHORTEST:]) & (inner < ratio[:, SHORTEST - 2 : -2])
    found = dips.any(axis=1) & (energy[:, 0] / COMPARED > QUIETEST)
    column = dips.argmax(axis=1) + SHORTEST - 1
    row = np.arange(len(frames))
    left, middle, right = (ratio[row, column + shift] for shift in (-1, 0, 1))
    curve = left - 2 * middle + right
    shift = np.where(curve > 0, (left - right) / (2 * np.where(curve > 0, curve, 1)), 0)
    return np.where(found, RATE / (column + 1 + shift), 0).astype(np.float32)
