"""The public verb: lines of danmaku to sentiment, emotion and intent."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

import numpy as np
import polars as pl

from tagcf.live.danmaku.labels import HEADS, Chances, DanmakuReadings, readings_of
from tagcf.live.danmaku.lexicon import TextLanguage
from tagcf.live.danmaku.words import Words

BATCH = 8_192  # lines; bounds the memory of a pass
HeadChances = tuple[Chances, Chances, Chances]


class DanmakuReader(Protocol):
    """What reads lines: `Words`, `Meaning`, `LanguageModel`, or your own."""

    def chances(self, texts: pl.Series, lang: TextLanguage) -> HeadChances:
        """(n, 9) of `INTENTS`, (n, 3) of `SENTIMENTS`, (n, 7) of `EMOTIONS`, rows sum to 1."""


def read_danmaku(
    texts: pl.Series | Iterable[str | None],
    lang: TextLanguage = "auto",
    using: DanmakuReader | None = None,
) -> DanmakuReadings:
    """Read what viewers say.

    Parameters
    ----------
    texts
        (n,) lines; null is an empty one.
    lang
        "en" leaves out abbreviated pinyin (dsq, xswl), which may be English words; "zh" and "auto"
        read every line as either language.
    using
        `Words()` by default.

    Returns
    -------
    DanmakuReadings
        In the order of the lines. A line without letters, digits or signs is neutral and none.

    Examples
    --------
    >>> for one in read_danmaku(["多少钱", "好漂亮哈哈哈哈"]):
    ...     print(one.intent, one.sentiment)
    ask_price neutral
    none positive
    """
    lines = texts if isinstance(texts, pl.Series) else pl.Series(list(texts), dtype=pl.String)
    reader = Words() if using is None else using
    parts = [tuple(np.zeros((0, len(head)), np.float32) for head in HEADS)]
    starts = range(0, len(lines), BATCH)
    parts.extend(reader.chances(lines.slice(start, BATCH), lang) for start in starts)
    intent, sentiment, emotion = (np.concatenate(head) for head in zip(*parts, strict=True))
    empty = lines.fill_null("").str.contains(r"[\p{L}\p{N}\p{P}\p{S}]").not_().to_numpy()
    return readings_of((intent, sentiment, emotion), empty)
