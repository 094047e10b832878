"""Content and audience as emotions over time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tagcf.live.danmaku.labels import EMOTIONS, INTENTS, DanmakuReadings
from tagcf.live.danmaku.read import DanmakuReader, read_danmaku
from tagcf.live.danmaku.rooms import DanmakuByRoom, danmaku_by_room
from tagcf.live.viewing.parts import PAUSE, RoomPart
from tagcf.live.wire.keys import id_key
from tagcf.types import Floats
from tagcf.types.live import ACTIONS, LiveEvents

STEP = 5  # seconds of a bin
TALK = ("danmaku", "comment")
NONE = EMOTIONS.index("none")
# Other words for what EMOTIONS name; what is in neither is read from the segment's text.
MEANT_BY = {
    "joy": ("happy", "happiness", "hilarious", "fun", "laughter", "快乐", "开心", "爆笑", "欢乐"),
    "affection": ("love", "warmth", "touched", "sweetness", "喜爱", "温暖", "感动", "甜蜜"),
    "surprise": ("awe", "shock", "excitement", "惊喜", "惊讶", "震撼"),
    "anger": ("angry", "rage", "愤怒", "生气"),
    "disappointment": ("sad", "sadness", "regret", "悲伤", "伤心", "失望", "难过", "遗憾"),
    "worry": ("fear", "anxiety", "tension", "担忧", "焦虑", "恐惧", "紧张"),
    "none": ("neutral", "calm", "平静", "中性", "无"),
}
_CODE = {
    word: EMOTIONS.index(emotion)
    for emotion, words in MEANT_BY.items()
    for word in (emotion, *words)
}


@dataclass(frozen=True, slots=True)
class EmotionSeries:
    """One room in bins of `STEP` seconds; B bins, E of `EMOTIONS`, G segments.

    A stretch is a run of bins without a pause: time is only shifted within it.
    """

    room_id: str
    start: Floats  # (B,) epoch seconds at which bins begin
    stretch: NDArray[np.int32]  # (B,) counted from 0
    segment: NDArray[np.int32]  # (B,) position in `parts`
    content: Floats  # (B, E) share of each emotion in what is on; rows sum to 1
    audience: Floats  # (B, E) lines by emotion
    parts: tuple[RoomPart, ...]  # (G,)
    told: int  # segments whose emotion the platform tells; the others' are read from text

    @property
    def lines(self) -> float:
        """Lines of danmaku in all bins."""
        return float(self.audience.sum())


def emotion_series(
    parts: Sequence[RoomPart],
    events: LiveEvents,
    using: DanmakuReader | None = None,
) -> tuple[EmotionSeries, ...]:
    """Put what rooms show and what their viewers write on one time axis.

    Parameters
    ----------
    parts
        Of one or several rooms; what is only announced is left out.
    events
        With their texts.
    using
        Who reads danmaku, and the text of segments whose emotion is not told; `Words()` by default.

    Returns
    -------
    A series for each room, in order.
    """
    shown = [part for part in parts if part.airing != "announced"]
    counts = read_audience(events, using)
    content, told = read_content(shown, using)
    rooms: dict[str, list[int]] = {}
    for k, part in enumerate(shown):
        rooms.setdefault(part.room_id, []).append(k)
    return tuple(
        _series(room, [shown[k] for k in rows], content[rows], int(told[rows].sum()), counts)
        for room, rows in sorted(rooms.items())
    )


def read_audience(events: LiveEvents, using: DanmakuReader | None = None) -> DanmakuByRoom:
    """Read what viewers wrote, and count it by room and second."""
    talk = np.isin(events.action, [ACTIONS.index(name) for name in TALK]) & (events.room != 0)
    rows = np.flatnonzero(talk)
    texts = pl.Series(events.rows["text"].take(rows).to_pylist(), dtype=pl.String)
    readings = read_danmaku(texts, using=using)
    # Who asks, buys or advertises says nothing of a mood, unless the line does.
    moody = (readings.intent == INTENTS.index("none")) | (readings.emotion != NONE)
    rows, readings = rows[moody], _some(readings, moody)
    return danmaku_by_room(events.room[rows], events.user[rows], events.ts[rows], readings)


def _some(readings: DanmakuReadings, chosen: NDArray[np.bool_]) -> DanmakuReadings:
    names = (field.name for field in fields(readings))
    return DanmakuReadings(*(getattr(readings, name)[chosen] for name in names))


def read_content(
    parts: Sequence[RoomPart], using: DanmakuReader | None = None
) -> tuple[Floats, NDArray[np.bool_]]:
    """(G, E) emotion of segments, told or else read from their text, and (G,) which are told."""
    codes = np.array([_CODE.get((part.emotion or "").strip().lower(), -1) for part in parts], int)
    told = codes >= 0
    content = np.zeros((len(parts), len(EMOTIONS)))
    content[told, codes[told]] = 1.0
    if not told.all():
        texts = [part.text for part, known in zip(parts, told.tolist(), strict=True) if not known]
        content[~told] = read_danmaku(texts, using=using).emotion_chances
    return content, told


def _series(
    room: str, parts: list[RoomPart], content: Floats, told: int, counts: DanmakuByRoom
) -> EmotionSeries:
    starts, segment, stretch, run = [], [], [], 0
    for k, part in enumerate(parts):
        if k and part.start - parts[k - 1].end >= PAUSE:
            run += 1
        end = min(part.end, parts[k + 1].start) if k + 1 < len(parts) else part.end
        first = np.arange(part.start, end - STEP / 2, STEP)
        starts.append(first)
        segment.append(np.full(len(first), k, np.int32))
        stretch.append(np.full(len(first), run, np.int32))
    start, of = np.concatenate(starts), np.concatenate(segment)
    audience = np.zeros((len(start), len(EMOTIONS)))
    rows = counts.room == np.uint64(id_key(room))
    second = counts.second[rows].astype(np.float64)
    at = np.searchsorted(start, second, side="right") - 1
    inside = (at >= 0) & (second < start[at.clip(0)] + STEP)
    np.add.at(audience, at[inside], counts.emotions[rows][inside])
    return EmotionSeries(
        room, start, np.concatenate(stretch), of, content[of], audience, tuple(parts), told
    )
