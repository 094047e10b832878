"""Reading lines by their words alone: lexicon, letters, and what was learned of both."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from tagcf.live.danmaku.labels import Chances
from tagcf.live.danmaku.learned import by_head, shipped_model
from tagcf.live.danmaku.lexicon import TextLanguage
from tagcf.live.danmaku.linear import softmax


@dataclass(frozen=True, slots=True)
class Words:
    """The fast reader: a sum of learned weights, nothing beyond this package."""

    def chances(self, texts: pl.Series, lang: TextLanguage) -> tuple[Chances, Chances, Chances]:
        """Return calibrated chances of every label of every head."""
        shipped = shipped_model()
        heads = by_head(shipped.words(texts, lang))
        intent, sentiment, emotion = (
            softmax(scores / heat) for scores, heat in zip(heads, shipped.heat, strict=True)
        )
        return intent, sentiment, emotion
