"""Whether an audience's emotion follows the content's: lagged association, tested by shifting time.

For emotion e and lag L, with c the content's share of e in a bin less its course over the stretch,
a the lines of e, n all lines and p the course of the share of e among them,

    S_e(L) = Σ_t c_e(t - L) · (a_e(t) - n(t) p_e(t))

is the score of a regression at no association. Courses are taken out (`course`), as shifts are fair
only to what is the same at all times of a show: openings that are glad on both sides would be
found to follow. Both sides have a memory of minutes, so
that bins are no independent witnesses: chances come from shifting the content around in time,
circularly and by another random amount in every stretch on air, which keeps the memory of both and
breaks their link. The largest S over all lags is compared with the largest of each shift, so that
looking at several lags costs nothing in honesty (maxT, Westfall and Young 1993, chapter 2). The
verdict goes by the false discovery rate among the rooms that are asked about together. That
the emotion follows is one-sided. `strength` is the r of a mixture in which a line shows the
content's emotion with chance r and the audience's usual one otherwise; intervals leave out one
segment after the other (jackknife), as lines within a segment are alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from tagcf.live.danmaku.labels import EMOTIONS
from tagcf.live.viewing.resonance.course import without_course
from tagcf.live.viewing.resonance.measures import (
    EmotionLink,
    lag_interval,
    links_at,
    strength_at,
)
from tagcf.live.viewing.resonance.series import STEP, EmotionSeries
from tagcf.types import Floats

Follows = Literal["follows", "no clear link", "cannot tell"]
Codes = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Shifts:
    """How the test is made.

    Parameters
    ----------
    lags
        Seconds by which the audience may be later; multiples of the bins'.
    draws
        Random shifts of each room.
    level
        False discoveries among those that are said to follow; of one room, its chance.
    fewest_lines, fewest_segments
        Of a room, below which it cannot be told; an emotion needs a third of the lines, and two
        segments with it and two without.
    """

    lags: tuple[int, ...] = (0, 5, 10, 15, 20, 30, 45, 60)
    draws: int = 1_999
    level: float = 0.05
    fewest_lines: int = 60
    fewest_segments: int = 6
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Resonance:
    """Whether one room's audience follows its content; NaN where that cannot be told."""

    room_id: str
    verdict: Follows
    reason: str  # of "cannot tell": few_lines, few_segments, one_emotion; else empty
    lines: int
    segments: int
    told: int  # segments whose emotion the platform told, and not the text
    strength: float
    low: float  # 95% interval
    high: float
    lag: float  # seconds by which the audience is later
    lag_low: float  # 95% of resampled segments
    lag_high: float
    p: float
    q: float  # false discovery rate among the rooms asked about together
    emotions: tuple[EmotionLink, ...]


def resonance(
    series: Sequence[EmotionSeries], using: Shifts | None = None
) -> tuple[Resonance, ...]:
    """Tell for each room whether the audience's emotion follows the content's.

    The more rooms are asked about together, the more is asked of each.

    Parameters
    ----------
    series
        As `emotion_series` makes them.
    """
    using = using or Shifts()
    rng = np.random.default_rng(using.seed)
    found = [_of_room(one, using, rng) for one in series]
    tested = [k for k, one in enumerate(found) if np.isfinite(one.p)]
    q = dict(zip(tested, _discovery([found[k].p for k in tested]), strict=True))
    return tuple(_judged(one, q[k], using.level) if k in q else one for k, one in enumerate(found))


def _discovery(chances: list[float]) -> list[float]:
    return stats.false_discovery_control(chances).tolist() if chances else []


def _judged(one: Resonance, q: float, level: float) -> Resonance:
    return replace(one, q=q, verdict="follows" if q <= level else "no clear link")


def _of_room(series: EmotionSeries, using: Shifts, rng: np.random.Generator) -> Resonance:
    reason = _reason_not(series, using)
    if reason:
        return _untold(series, reason)
    lags = np.array(using.lags) // STEP
    content, residual = without_course(series)
    scores = _Scores(series.stretch, content, residual, lags)
    testable = [e for e in range(len(EMOTIONS)) if _testable(series, e, using)]
    p, of_emotions = scores.chances(testable, using.draws, rng)
    best = int(scores.whole.argmax())
    strength, low, high = strength_at(series, content, residual, int(lags[best]))
    lag_low, lag_high = lag_interval(series, content, residual, lags, rng)
    links = links_at(series, testable, int(lags[best]), of_emotions)
    seconds = float(STEP * lags[best])
    return Resonance(
        series.room_id, "no clear link", "", int(series.lines), len(series.parts), series.told,
        strength, low, high, seconds, lag_low, lag_high, p, float("nan"), links,
    )  # fmt: skip


def _reason_not(series: EmotionSeries, using: Shifts) -> str:
    """Why it cannot be told, or nothing."""
    if series.lines < using.fewest_lines:
        return "few_lines"
    if len(series.parts) < using.fewest_segments:
        return "few_segments"
    mean = np.average(series.content, axis=0, weights=series.audience.sum(axis=1))
    spread = np.average((series.content - mean) ** 2, axis=0, weights=series.audience.sum(axis=1))
    return "one_emotion" if spread.sum() < 0.02 else ""


def _untold(series: EmotionSeries, reason: str) -> Resonance:
    nan = float("nan")
    return Resonance(
        series.room_id, "cannot tell", reason, int(series.lines), len(series.parts), series.told,
        nan, nan, nan, nan, nan, nan, nan, nan, (),
    )  # fmt: skip


def _testable(series: EmotionSeries, emotion: int, using: Shifts) -> bool:
    if EMOTIONS[emotion] == "none":
        return False
    first = np.unique(series.segment, return_index=True)[1]
    carries = series.content[first, emotion] > 0.5
    enough = series.audience[:, emotion].sum() >= using.fewest_lines / 3
    return bool(enough and carries.sum() >= 2 and (~carries).sum() >= 2)


class _Scores:
    """S of the module's docstring at every circular shift, by stretch and emotion."""

    def __init__(
        self, stretch: NDArray[np.int32], content: Floats, residual: Floats, lags: Codes
    ) -> None:
        self.lags = lags
        self.shifted: list[Floats] = []  # per stretch (E + 1, T): the last row is all emotions'
        for run in np.unique(stretch).tolist():
            rows = stretch == run
            on, lines = content[rows], residual[rows]
            spectrum = np.fft.rfft(lines, axis=0) * np.fft.rfft(on, axis=0).conj()
            each = np.fft.irfft(spectrum, len(on), axis=0).T
            self.shifted.append(np.vstack([each, each.sum(axis=0)]))
        spread = np.sum([one.var(axis=1) for one in self.shifted], axis=0)
        self.size: Floats = np.sqrt(spread) + 1e-12
        at = np.sum([one[:, lags % one.shape[1]] for one in self.shifted], axis=0)
        self.scores: Floats = at / self.size[:, None]  # (E + 1, L)

    @property
    def whole(self) -> Floats:
        """(L,) of all emotions together."""
        whole: Floats = self.scores[-1]
        return whole

    def chances(
        self, testable: Sequence[int], draws: int, rng: np.random.Generator
    ) -> tuple[float, dict[int, float]]:
        """Chance of all emotions together, and by emotion after Holm (1979)."""
        rows = [*testable, len(EMOTIONS)]
        null = np.zeros((len(rows), draws, len(self.lags)))
        for one in self.shifted:
            turned = rng.integers(one.shape[1], size=draws)
            place = (turned[:, None] + self.lags) % one.shape[1]
            null += one[rows][:, place]
        largest = null.max(axis=2) / self.size[rows][:, None]
        reached = self.scores[rows].max(axis=1)
        # Shifts by nothing are among the draws and tie but for rounding.
        p = (1 + (largest >= reached[:, None] - 1e-9).sum(axis=1)) / (draws + 1)
        return float(p[-1]), dict(zip(testable, _holm(p[:-1]), strict=True))


def _holm(p: Floats) -> list[float]:
    order = np.argsort(p)
    raised = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(raised, 1.0)
    return adjusted.tolist()
