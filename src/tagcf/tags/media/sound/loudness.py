"""Loudness as broadcasters measure it: ITU-R BS.1770-4 and EBU Tech 3342.

Filters are those of the standard, moved from 48 kHz to the 16 kHz of `Media.audio`. What lies
above 8 kHz is not in these samples, and stereo was mixed down before: figures may differ from a
meter's by about 1 LU (by more where the two channels cancel).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tagcf.types import Floats

GATE_LUFS = -70.0  # absolute gate: quieter blocks never count
GATE_LU = -10.0  # relative gate of the integrated loudness
RANGE_GATE_LU = -20.0  # relative gate of the loudness range
PART_S = 0.1  # blocks begin every tenth of a second
BLOCK_PARTS, SHORT_PARTS = 4, 30  # momentary blocks of 0.4 s, short-term ones of 3 s
PARTS_AT_A_TIME = 100


@dataclass(frozen=True, slots=True)
class Loudness:
    """Loudness of a whole sound."""

    integrated: float | None  # LUFS; None: everything is quieter than -70
    range: float | None  # LU from the 10th to the 95th percentile; None: shorter than 3 s
    tenths: Floats  # (n,) dBFS, unweighted level of each tenth of a second, -120 at the least
    rms: float  # dBFS of all samples
    peak: float  # dBFS


def loudness(samples: NDArray[np.float32], rate: int) -> Loudness:
    """Measure (m,) samples; the last, incomplete tenth counts for peak and RMS only."""
    size = round(PART_S * rate)
    from scipy import signal  # a second to load

    weighting = k_weighting(rate)
    state = np.zeros((len(weighting), 2))
    weighted, plain, peak, total = [np.zeros(0)], [np.zeros(0)], 0.0, 0.0
    for start in range(0, len(samples), PARTS_AT_A_TIME * size):
        block = samples[start : start + PARTS_AT_A_TIME * size].astype(np.float64)
        filtered, state = signal.sosfilt(weighting, block, zi=state)
        peak, total = max(peak, float(np.abs(block).max())), total + float(block @ block)
        whole = len(block) // size * size
        weighted.append((filtered[:whole].reshape(-1, size) ** 2).mean(axis=1))
        plain.append((block[:whole].reshape(-1, size) ** 2).mean(axis=1))
    power = np.concatenate(weighted)
    return Loudness(
        integrated=_integrated(_means(power, BLOCK_PARTS)),
        range=_range(_means(power, SHORT_PARTS)),
        tenths=decibels(np.concatenate(plain)),
        rms=float(decibels(np.array(total / max(len(samples), 1)))),
        peak=float(decibels(np.array(peak**2))),
    )


def decibels(power: Floats) -> Floats:
    """Return power as dBFS, -120 at the least."""
    return np.asarray(10 * np.log10(np.maximum(power, 1e-12)))


def k_weighting(rate: int) -> Floats:
    """(2, 6) second-order sections: the head's high shelf and the low cut of BS.1770, annex 1.

    The standard gives coefficients for 48 kHz; these are the analogue filters behind them
    (De Man 2014, "Evaluation of implementations of the EBU R128 loudness measurement"), taken to
    another rate by the bilinear transform. At 48 kHz they are those of the standard.
    """
    gain, middle, quality = 3.999843853973347, 1681.974450955533, 0.7071752369554196
    k, high = np.tan(np.pi * middle / rate), 10 ** (gain / 20)
    band = high**0.4996667741545416
    a0 = 1 + k / quality + k * k
    shelf = [
        (high + band * k / quality + k * k) / a0,
        2 * (k * k - high) / a0,
        (high - band * k / quality + k * k) / a0,
        1.0,
        2 * (k * k - 1) / a0,
        (1 - k / quality + k * k) / a0,
    ]
    middle, quality = 38.13547087602444, 0.5003270373238773
    k = np.tan(np.pi * middle / rate)
    a0 = 1 + k / quality + k * k
    cut = [1.0, -2.0, 1.0, 1.0, 2 * (k * k - 1) / a0, (1 - k / quality + k * k) / a0]
    return np.array([shelf, cut])


def _means(power: Floats, parts: int) -> Floats:
    """Mean power of every run of so many tenths."""
    total = np.cumsum(np.concatenate([[0.0], power]))
    return (
        np.asarray((total[parts:] - total[:-parts]) / parts) if len(power) >= parts else total[:0]
    )


def _lufs(power: Floats) -> Floats:
    return decibels(power) - 0.691


def _gated(power: Floats, below_lu: float) -> Floats:
    """Blocks that pass the absolute gate, then the one relative to the mean of these."""
    loud = power[_lufs(power) > GATE_LUFS]
    return loud[_lufs(loud) > _lufs(loud.mean()) + below_lu] if len(loud) else loud


def _integrated(power: Floats) -> float | None:
    kept = _gated(power, GATE_LU)
    return float(_lufs(kept.mean())) if len(kept) else None


def _range(power: Floats) -> float | None:
    kept = _gated(power, RANGE_GATE_LU)
    if not len(kept):
        return None
    low, high = np.percentile(_lufs(kept), [10, 95])
    return float(high - low)
