"""What a line of danmaku can be read as, and the readings of many lines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

INTENTS = (
    "ask_price",
    "ask_link",
    "ask_detail",
    "will_buy",
    "bought",
    "complaint",
    "request",
    "spam",
    "none",
)
SENTIMENTS = ("negative", "neutral", "positive")
EMOTIONS = ("joy", "affection", "surprise", "anger", "disappointment", "worry", "none")
HEADS = (INTENTS, SENTIMENTS, EMOTIONS)
NOTHING = (INTENTS.index("none"), SENTIMENTS.index("neutral"), EMOTIONS.index("none"))

Labels = NDArray[np.int8]
Chances = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class DanmakuReading:
    """One line."""

    sentiment: str
    emotion: str
    intent: str
    confidence: float  # of the intent, 0..1
    sentiment_confidence: float
    emotion_confidence: float


@dataclass(frozen=True, slots=True)
class DanmakuReadings:
    """Readings of n lines in their order: positions in the label tuples, and calibrated chances.

    A line without a letter, digit or sign is neutral and none, surely.
    """

    intent: Labels  # (n,) position in INTENTS
    sentiment: Labels  # (n,) position in SENTIMENTS
    emotion: Labels  # (n,) position in EMOTIONS
    intent_chances: Chances  # (n, 9), rows sum to 1
    sentiment_chances: Chances  # (n, 3)
    emotion_chances: Chances  # (n, 7)

    def __len__(self) -> int:
        return len(self.intent)

    @property
    def confidence(self) -> Chances:
        """(n,) chance of the intent that was taken."""
        return _of(self.intent_chances, self.intent)

    @property
    def sentiment_confidence(self) -> Chances:
        """(n,) chance of the sentiment that was taken."""
        return _of(self.sentiment_chances, self.sentiment)

    @property
    def emotion_confidence(self) -> Chances:
        """(n,) chance of the emotion that was taken."""
        return _of(self.emotion_chances, self.emotion)

    def __iter__(self) -> Iterator[DanmakuReading]:
        rows = zip(
            self.sentiment.tolist(),
            self.emotion.tolist(),
            self.intent.tolist(),
            self.confidence.tolist(),
            self.sentiment_confidence.tolist(),
            self.emotion_confidence.tolist(),
            strict=True,
        )
        for sentiment, emotion, intent, *sure in rows:
            yield DanmakuReading(SENTIMENTS[sentiment], EMOTIONS[emotion], INTENTS[intent], *sure)


def readings_of(
    chances: tuple[Chances, Chances, Chances], empty: NDArray[np.bool_]
) -> DanmakuReadings:
    """Take the likeliest label of every head; `empty` (n,) lines are neutral and none."""
    surely = []
    for chance, nothing in zip(chances, NOTHING, strict=True):
        sure = chance.astype(np.float32)
        sure[empty] = 0
        sure[empty, nothing] = 1
        surely.append(sure)
    intent, sentiment, emotion = surely
    return DanmakuReadings(
        intent.argmax(axis=1).astype(np.int8),
        sentiment.argmax(axis=1).astype(np.int8),
        emotion.argmax(axis=1).astype(np.int8),
        intent,
        sentiment,
        emotion,
    )


def _of(chances: Chances, labels: Labels) -> Chances:
    return np.take_along_axis(chances, labels[:, None].astype(np.int64), axis=1)[:, 0]
