"""Moments at which audience and content part: something cheerful is on, and viewers complain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from tagcf.live.danmaku.labels import EMOTIONS
from tagcf.live.viewing.resonance.series import STEP, EmotionSeries
from tagcf.types import Floats

WINDOW = 60  # seconds
FEWEST = 8  # lines in a window
GLAD, UNWELL = ("joy", "affection"), ("anger", "disappointment", "worry")
OPPOSITE = {**dict.fromkeys(GLAD, UNWELL), **dict.fromkeys(UNWELL, GLAD)}


@dataclass(frozen=True, slots=True)
class Parting:
    """A stretch in which many viewers felt the opposite of what was on; epoch seconds."""

    room_id: str
    segment_id: str
    start: float
    end: float
    content: str  # emotion
    audience: str  # the opposite emotion that was written most
    lines: int  # of all lines in it …
    opposite: int  # … those of an opposite emotion
    usual: float  # their share in this room
    q: float  # false discovery rate among all windows looked at


def find_partings(series: Sequence[EmotionSeries], *, q: float = 0.05) -> tuple[Parting, ...]:
    """Find minutes in which opposite emotions are written beyond the room's own habit.

    Each minute of a segment with a glad or an unwell emotion is compared with the share of the
    opposite ones in the room's other segments by a beta-binomial tail, whose spread is that of
    their minutes; minutes of all rooms are judged together (Benjamini and Hochberg 1995), and
    neighbours joined.
    """
    windows = [window for one in series for window in _windows(one)]
    if not windows:
        return ()
    judged = stats.false_discovery_control([chance for _, chance in windows])
    found = [
        replace(window, q=float(rate))
        for (window, _), rate in zip(windows, judged, strict=True)
        if rate <= q
    ]
    return tuple(_joined(found))


def _windows(series: EmotionSeries) -> list[tuple[Parting, float]]:
    """Windows that can be judged, with their chances; q is not known yet."""
    lines = series.audience
    if not lines.sum():
        return []
    per = WINDOW // STEP
    found: list[tuple[Parting, float]] = []
    for side, against in ((GLAD, UNWELL), (UNWELL, GLAD)):
        columns = [EMOTIONS.index(name) for name in against]
        minutes, of = _minutes(series, per, columns)
        for g, part in enumerate(series.parts):
            rows = np.flatnonzero(series.segment == g)
            if not len(rows):
                continue
            content = EMOTIONS[int(series.content[rows[0]].argmax())]
            if content not in side or series.content[rows[0]].max() < 0.5:
                continue
            # Of other segments: what stands out must not be part of what is usual.
            share, spread = _habit(minutes[of != g])
            for at in range(0, len(rows), per):
                span = rows[at : at + per]
                n, k = int(lines[span].sum()), int(lines[span][:, columns].sum())
                if n < FEWEST:
                    continue
                chance = _tail(k, n, share, spread)
                shown = EMOTIONS[columns[int(lines[span][:, columns].sum(axis=0).argmax())]]
                window = Parting(
                    series.room_id,
                    part.segment_id,
                    float(series.start[span[0]]),
                    float(series.start[span[-1]] + STEP),
                    content,
                    shown,
                    n,
                    k,
                    share,
                    float("nan"),
                )
                found.append((window, chance))
    return found


def _minutes(
    series: EmotionSeries, per: int, columns: list[int]
) -> tuple[Floats, NDArray[np.int32]]:
    """(m, 2) lines, and those of some emotions, of all minutes of a room; (m,) their segments."""
    within = np.concatenate([np.arange(n) for n in np.bincount(series.segment) if n])
    key = series.segment.astype(np.int64) * len(series.start) + within // per
    minute, place = np.unique(key, return_inverse=True)
    table = np.zeros((len(minute), 2))
    np.add.at(table[:, 0], place, series.audience.sum(axis=1))
    np.add.at(table[:, 1], place, series.audience[:, columns].sum(axis=1))
    return table, (minute // len(series.start)).astype(np.int32)


def _habit(minutes: Floats) -> tuple[float, float]:
    """Share of a room, and the intraclass correlation of its minutes, by moments.

    The share is drawn to a half-line beforehand, so that a room without any is no certainty.
    """
    n, k = minutes[minutes[:, 0] > 0].reshape(-1, 2).T
    share = float((k.sum() + 0.5) / (n.sum() + 1.0))
    variance = share * (1 - share)
    surplus = float(((k - n * share) ** 2).sum() - (n * variance).sum())
    pairs = float((n * (n - 1)).sum()) * variance
    return share, float(np.clip(surplus / max(pairs, 1e-12), 1e-4, 0.5))


def _tail(k: int, n: int, share: float, spread: float) -> float:
    """Chance of at least k of n."""
    size = (1 - spread) / spread
    return float(stats.betabinom.sf(k - 1, n, share * size, (1 - share) * size))


def _joined(found: list[Parting]) -> list[Parting]:
    """Join neighbouring minutes of one segment."""
    whole: list[Parting] = []
    for one in sorted(found, key=lambda each: (each.room_id, each.start)):
        last = whole[-1] if whole else None
        if last and last.segment_id == one.segment_id and last.end == one.start:
            whole[-1] = Parting(
                last.room_id, last.segment_id, last.start, one.end, last.content,
                one.audience if one.opposite > last.opposite else last.audience,
                last.lines + one.lines, last.opposite + one.opposite, last.usual,
                min(last.q, one.q),
            )  # fmt: skip
        else:
            whole.append(one)
    return whole
