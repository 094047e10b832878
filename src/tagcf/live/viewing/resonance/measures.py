"""How strong and how late an audience follows, with intervals from leaving segments out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from tagcf.live.danmaku.labels import EMOTIONS
from tagcf.live.viewing.resonance.series import STEP, EmotionSeries
from tagcf.types import Floats

Codes = NDArray[np.int64]
Statistic = Callable[[Floats], Floats]


@dataclass(frozen=True, slots=True)
class EmotionLink:
    """One emotion: how often the audience shows it with it on, and without."""

    emotion: str
    lines: int  # that show it
    share_with: float  # of lines, at the room's lag
    share_without: float
    difference: float
    low: float  # 95% interval
    high: float
    p: float  # of "follows", lags corrected, Holm over the room's emotions; NaN: cannot tell


def _lagged(series: EmotionSeries, lag: int) -> tuple[Codes, Codes]:
    """Rows of the audience, and of the content that was on `lag` bins before."""
    late = np.arange(lag, len(series.start))
    early = late - lag
    same = series.stretch[late] == series.stretch[early]
    return late[same], early[same]


def _sums(series: EmotionSeries, lag: int, values: Floats) -> Floats:
    """(G, …) sums of values (bins, …) by the segment that was on `lag` before."""
    _, early = _lagged(series, lag)
    sums = np.zeros((len(series.parts), *values.shape[1:]))
    np.add.at(sums, series.segment[early], values)
    return sums


def strength_at(
    series: EmotionSeries, content: Floats, residual: Floats, lag: int
) -> tuple[float, float, float]:
    """R of the mixture at a lag by weighted least squares, and its jackknife interval.

    Content and lines, both (B, E), are those without the show's course.
    """
    late, early = _lagged(series, lag)
    n = series.audience[late].sum(axis=1, keepdims=True)
    lines, content = residual[late], content[early]
    # Sums from which r follows whichever segment is left out.
    parts = [n, lines, n * content, content * lines, n * content**2]
    by_segment = np.concatenate([_sums(series, lag, part) for part in parts], axis=1)
    e = len(EMOTIONS)

    def r(sums: Floats) -> Floats:
        total, of, on, both, square = np.split(sums, [1, 1 + e, 1 + 2 * e, 1 + 3 * e], axis=-1)
        total = np.maximum(total, 1e-12)
        up = (both - on * of / total).sum(axis=-1)
        down = (square - on**2 / total).sum(axis=-1)
        return np.asarray(up / np.maximum(down, 1e-12), np.float64)

    return _jackknife(by_segment, r)


def _jackknife(sums: Floats, statistic: Statistic) -> tuple[float, float, float]:
    """Statistic of column sums of (G, k), with its 95% interval from leaving out each row."""
    present = sums[:, 0] > 0
    rows, total = sums[present], sums.sum(axis=0)
    g = len(rows)
    value = float(statistic(total))
    if g < 3:
        return value, float("nan"), float("nan")
    without = statistic(total - rows)
    error = float(np.sqrt((g - 1) / g * ((without - without.mean()) ** 2).sum()))
    width = float(stats.t.ppf(0.975, g - 1)) * error
    return value, value - width, value + width


def links_at(
    series: EmotionSeries, testable: Sequence[int], lag: int, p: dict[int, float]
) -> tuple[EmotionLink, ...]:
    """Every emotion but "none", testable or not."""
    late, early = _lagged(series, lag)
    n = series.audience[late].sum(axis=1)
    links = []
    for e, emotion in enumerate(EMOTIONS[:-1]):
        lines, on = series.audience[late, e], series.content[early, e]
        columns = np.stack([n, n * on, lines * on, n * (1 - on), lines * (1 - on)], axis=1)
        by_segment = _sums(series, lag, columns)
        total = by_segment.sum(axis=0)
        with_it, without = (_share(total[2], total[1]), _share(total[4], total[3]))
        nan = float("nan")
        difference, low, high = (
            _jackknife(by_segment, _difference) if e in p else (with_it - without, nan, nan)
        )
        count = int(series.audience[:, e].sum())
        links.append(
            EmotionLink(emotion, count, with_it, without, difference, low, high, p.get(e, nan))
        )
    return tuple(links)


def _share(part: float, whole: float) -> float:
    return float(part / whole) if whole > 0 else float("nan")


def _difference(sums: Floats) -> Floats:
    _, n1, k1, n0, k0 = np.moveaxis(np.asarray(sums), -1, 0)
    return np.asarray(k1 / np.maximum(n1, 1e-12) - k0 / np.maximum(n0, 1e-12), np.float64)


def lag_interval(
    series: EmotionSeries,
    content: Floats,
    residual: Floats,
    lags: Codes,
    rng: np.random.Generator,
    draws: int = 500,
) -> tuple[float, float]:
    """95% of the best lags when segments are drawn again."""
    by_lag = []
    for lag in lags.tolist():
        late, early = _lagged(series, lag)
        product = (content[early] * residual[late]).sum(axis=1)
        by_lag.append(_sums(series, lag, product))
    table = np.stack(by_lag, axis=1)  # (G, L)
    weight = rng.multinomial(len(table), np.full(len(table), 1 / len(table)), size=draws)
    best = STEP * lags[(weight @ table).argmax(axis=1)]
    low, high = np.quantile(best, [0.025, 0.975], method="nearest")
    return float(low), float(high)
