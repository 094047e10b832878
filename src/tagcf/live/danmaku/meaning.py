"""Words beside the meaning of the whole line: the sentence encoder of the extra ``text``."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from tagcf.live.danmaku.labels import Chances
from tagcf.live.danmaku.learned import by_head, shipped_model
from tagcf.live.danmaku.lexicon import TextLanguage
from tagcf.live.danmaku.linear import Weights, softmax
from tagcf.tags.embedding import load_encoder

LONGEST = 200  # letters of a line that the encoder sees


@dataclass(frozen=True, slots=True)
class Meaning:
    """Scores of the words and of the sentence embedding, added with fitted shares.

    Raises
    ------
    MissingExtraError
        On use, where the package with the encoder's weights is not installed.
    """

    batch: int = 1024

    def chances(self, texts: pl.Series, lang: TextLanguage) -> tuple[Chances, Chances, Chances]:
        """Return calibrated chances of every label of every head."""
        shipped = shipped_model()
        words = by_head(shipped.words(texts, lang))
        meaning = by_head(shipped.meaning(embedded(texts, self.batch)))
        intent, sentiment, emotion = (
            softmax(share[0] * one + share[1] * other)
            for share, one, other in zip(shipped.shares, words, meaning, strict=True)
        )
        return intent, sentiment, emotion


def embedded(texts: pl.Series, batch: int = 1024) -> Weights:
    """(n, 512) unit vectors of lines; the encoder is shown a full stop for an empty one."""
    embed = load_encoder()
    lines = texts.fill_null("").str.normalize("NFKC").str.slice(0, LONGEST)
    told = lines.str.strip_chars().replace("", "。").to_list()
    parts = [embed(told[start : start + batch]) for start in range(0, len(told), batch)]
    return np.concatenate(parts) if parts else np.zeros((0, 512), np.float32)
