"""The audience's emotion to expect of a segment before it runs.

A multinomial logistic regression of every line's emotion on what is known beforehand: the content's
emotion, the room, what the room made of that emotion so far, and the tags. Lines of a segment are
alike, so that each counts for less than one: as many independent lines as their spread between
segments tells. Ridge penalties are chosen on the last fifth of the past segments, those that ran
last; a temperature fitted there makes the chances neither too sure nor too timid.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize, minimize_scalar
from scipy.special import log_softmax, softmax

from tagcf.errors import EstimationError
from tagcf.live.danmaku.labels import EMOTIONS
from tagcf.live.danmaku.read import DanmakuReader
from tagcf.live.viewing.parts import RoomPart
from tagcf.live.viewing.resonance.series import EmotionSeries, read_content
from tagcf.types import Floats

FEWEST = 12  # segments with lines, to learn from
HELD_OUT = 0.2
PENALTIES = (0.3, 1.0, 3.0, 10.0)
E = len(EMOTIONS)


@dataclass(frozen=True, slots=True)
class Expected:
    """What to expect of one segment."""

    segment_id: str
    room_id: str
    shares: tuple[float, ...]  # of EMOTIONS, adding up to 1

    @property
    def emotion(self) -> str:
        """The likeliest emotion that is one."""
        return EMOTIONS[int(np.argmax(self.shares[:-1]))]

    def by_emotion(self) -> dict[str, float]:
        """Shares by the name of the emotion."""
        return {name: round(share, 4) for name, share in zip(EMOTIONS, self.shares, strict=True)}


@dataclass(frozen=True, slots=True)
class EmotionForecast:
    """What was learned: weights of features, by emotion."""

    rooms: tuple[str, ...]
    tags: tuple[str, ...]
    weights: Floats  # (features, E)
    penalty: float
    temperature: float
    segments: int  # learned from
    reader: DanmakuReader | None = None

    def expect(self, parts: Sequence[RoomPart]) -> tuple[Expected, ...]:
        """Expected shares of emotions among the lines of segments, in their order."""
        content, _ = read_content(parts, self.reader)
        logits = _design(parts, content, self.rooms, self.tags) @ self.weights
        shares = softmax(logits / self.temperature, axis=1)
        return tuple(
            Expected(part.segment_id, part.room_id, tuple(row))
            for part, row in zip(parts, shares.tolist(), strict=True)
        )


def fit_forecast(
    series: Sequence[EmotionSeries], using: DanmakuReader | None = None
) -> EmotionForecast:
    """Learn from segments that have run.

    Raises
    ------
    EstimationError
        Fewer than `FEWEST` segments have lines.
    """
    parts, content, lines = _past(series)
    if len(parts) < FEWEST:
        raise EstimationError("live_viewing.too_few_segments", n=len(parts), needed=FEWEST)
    rooms = tuple(sorted({part.room_id for part in parts}))
    tags = tuple(sorted({slug for part in parts for slug, _ in part.tags}))
    table = _design(parts, content, rooms, tags)
    counts = lines * _independent(lines)
    cut = len(parts) - max(2, int(HELD_OUT * len(parts)))
    tried = []
    for penalty in PENALTIES:
        weights = _fit(table[:cut], counts[:cut], penalty)
        logits, late = table[cut:] @ weights, counts[cut:]
        temperature = _temperature(logits, late)
        tried.append((_loss(logits / temperature, late), penalty, temperature))
    _, penalty, temperature = min(tried)
    weights = _fit(table, counts, penalty)
    return EmotionForecast(rooms, tags, weights, penalty, temperature, len(parts), using)


def _past(series: Sequence[EmotionSeries]) -> tuple[list[RoomPart], Floats, Floats]:
    """Segments with lines in the order of time, their content's emotion, and lines by emotion."""
    rows: list[tuple[float, RoomPart, Floats, Floats]] = []
    for one in series:
        lines = np.zeros((len(one.parts), E))
        np.add.at(lines, one.segment, one.audience)
        content = np.zeros((len(one.parts), E))
        content[one.segment] = one.content
        rows += [
            (part.start, part, content[g], lines[g])
            for g, part in enumerate(one.parts)
            if lines[g].sum() > 0
        ]
    rows.sort(key=lambda row: (row[0], row[1].room_id))
    shape = (len(rows), E)
    return (
        [row[1] for row in rows],
        np.array([row[2] for row in rows]).reshape(shape),
        np.array([row[3] for row in rows]).reshape(shape),
    )


def _independent(lines: Floats) -> Floats:
    """(n, 1) what a line counts for: 1 / (1 + (n - 1) ρ), with ρ a tenth at most.

    ρ is the intraclass correlation of lines within segments, by the moments of Pearson's statistic.
    What features explain is in it as well; the bound keeps that from silencing long segments.
    """
    n = lines.sum(axis=1, keepdims=True)
    share = lines.sum(axis=0) / lines.sum()
    pearson = ((lines - n * share) ** 2 / np.maximum(n * share, 1e-9)).sum()
    surplus = pearson / ((E - 1) * max(1, len(lines) - 1)) - 1
    rho = float(np.clip(surplus / max(1.0, float(n.mean()) - 1), 0.0, 0.1))
    weight: Floats = 1 / (1 + (n - 1) * rho)
    return weight


def _design(
    parts: Sequence[RoomPart], content: Floats, rooms: Sequence[str], tags: Sequence[str]
) -> Floats:
    """(n, 1 + E + R + R·E + T) features; unknown rooms and tags are zeros."""
    room_at = {room: k for k, room in enumerate(rooms)}
    tag_at = {slug: k for k, slug in enumerate(tags)}
    room, tag = np.zeros((len(parts), len(rooms))), np.zeros((len(parts), len(tags)))
    for row, part in enumerate(parts):
        if part.room_id in room_at:
            room[row, room_at[part.room_id]] = 1.0
        for slug, strength in part.tags:
            if slug in tag_at:
                tag[row, tag_at[slug]] = strength
    both = (room[:, :, None] * content[:, None, :]).reshape(len(parts), -1)
    ones = np.ones((len(parts), 1))
    return np.concatenate([ones, content, room, both, tag], axis=1)


def _fit(table: Floats, counts: Floats, penalty: float) -> Floats:
    """Ridge multinomial logistic regression of counts (n, E); the intercept is free."""
    free = np.full((table.shape[1], 1), penalty)
    free[0] = 1e-3
    total = counts.sum(axis=1, keepdims=True)

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        weights = flat.reshape(-1, E)
        log_chance = log_softmax(table @ weights, axis=1)
        value = -(counts * log_chance).sum() + 0.5 * (free * weights**2).sum()
        slope = table.T @ (total * np.exp(log_chance) - counts) + free * weights
        return float(value), slope.ravel()

    start = np.zeros(table.shape[1] * E)
    fitted = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 300})
    weights: Floats = np.asarray(fitted.x, np.float64).reshape(-1, E)
    return weights


def _temperature(logits: Floats, counts: Floats) -> float:
    found = minimize_scalar(
        lambda log_t: _loss(logits / np.exp(log_t), counts), bounds=(-1.0, 1.5), method="bounded"
    )
    return float(np.exp(found.x))


def _loss(logits: Floats, counts: Floats) -> float:
    """Mean log loss of a line."""
    return float(-(counts * log_softmax(logits, axis=1)).sum() / max(counts.sum(), 1e-12))
