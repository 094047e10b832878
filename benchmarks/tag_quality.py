"""Precision and recall at 3 of the text encoders on the labelled texts, with intervals.

A tag is right as `benchmarks.labels` says. Precision at 3 is the share of right ones among three
tags, where fewer than three count as wrong; recall at 3 the share of a text's right tags that are
among the three. Texts without a right tag are left out of both. Intervals are percentiles of
2,000 bootstrap samples of texts; differences of encoders are taken text by text.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from benchmarks.labels import Labelled, labelled_texts
from tagcf.tags.embedding import SentenceEmbedding, load_encoder
from tagcf.tags.encode import TextEncoder, encode_tags
from tagcf.tags.lexicon import Lexicon
from tagcf.tags.vocabulary import Vocabulary

SAMPLES = 2_000
Scores = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class NamesAlone:
    """Zero-shot embeddings as they come: cosine of the text to the tag's two names."""

    source: str = "names"

    def encode(self, texts: pl.Series, vocabulary: Vocabulary) -> pl.DataFrame:
        """Every tag for every text, by similarity."""
        embed = load_encoder()
        names = embed([tag.zh for tag in vocabulary.tags]) + embed([t.en for t in vocabulary.tags])
        names /= np.linalg.norm(names, axis=1, keepdims=True)
        strength = (1 + embed(texts.to_list()) @ names.T) / 2
        count = len(vocabulary)
        return pl.DataFrame(
            {
                "row": np.repeat(np.arange(len(texts), dtype=np.uint32), count),
                "tag": [tag.slug for tag in vocabulary.tags] * len(texts),
                "strength": strength.ravel().clip(0, 1).astype(np.float32),
            }
        ).with_columns(pl.lit(1.0, pl.Float32).alias("confidence"), pl.lit("names").alias("source"))


# Rankings need every strength, so nothing is cut off here.
SOURCES: dict[str, tuple[TextEncoder, ...]] = {
    "zero-shot embedding, tag names": (NamesAlone(),),
    "zero-shot embedding, keyword-expanded": (SentenceEmbedding(minimum=0.0, plain=True),),
    "embedding, meant and with examples": (SentenceEmbedding(minimum=0.0),),
    "lexicon": (Lexicon(),),
    "lexicon without words.toml": (Lexicon(word_hit=0.0, hint_hit=0.0),),
    "fused": (Lexicon(), SentenceEmbedding(minimum=0.0)),
}
BASELINES = tuple(name for name in SOURCES if name.startswith("zero-shot"))


@dataclass(frozen=True, slots=True)
class Marked:
    """What one source gave on every text of a split."""

    precision: Scores  # at 3; NaN for texts without a right tag
    recall: Scores
    allowed: Scores  # share of the tags among the three that both annotators allow
    carried: NDArray[np.int64]  # tags of strength .5 or more
    carried_right: NDArray[np.int64]
    carried_allowed: NDArray[np.int64]
    wanted: NDArray[np.int64]  # right tags


def texts_of(split: str) -> tuple[Labelled, ...]:
    """Texts of a split."""
    return tuple(one for one in labelled_texts() if one.split == split)


@cache
def marked(source: str, split: str) -> Marked:
    """Run a source on a split and compare."""
    texts = texts_of(split)
    matrix = encode_tags(pl.Series([one.text for one in texts]), using=SOURCES[source])
    slugs = [tag.slug for tag in matrix.tags]
    rows: dict[str, list[float]] = {name: [] for name in Marked.__slots__}
    for one, strength in zip(texts, matrix.strength.toarray(), strict=True):
        order = np.argsort(-strength, kind="stable")
        top = [slugs[k] for k in order[:3] if strength[k] > 0]
        carried = {slugs[k] for k in np.flatnonzero(strength >= 0.5)}
        hits = len(one.right & set(top))
        rows["precision"].append(hits / 3 if one.right else np.nan)
        rows["recall"].append(hits / len(one.right) if one.right else np.nan)
        rows["allowed"].append(len(one.acceptable & set(top)) / len(top) if top else np.nan)
        rows["carried"].append(len(carried))
        rows["carried_right"].append(len(carried & one.right))
        rows["carried_allowed"].append(len(carried & one.acceptable))
        rows["wanted"].append(len(one.right))
    return Marked(**{name: np.array(values) for name, values in rows.items()})


def report(split: str) -> dict[str, Any]:
    """All figures of a split, by source and by kind of text."""
    texts = texts_of(split)
    groups = {"all": np.ones(len(texts), dtype=bool)}
    for what in ("lang", "kind"):
        values = np.array([getattr(one, what) for one in texts])
        groups |= {f"{what} {value}": values == value for value in sorted(set(values))}
    return {
        "texts": len(texts),
        "sources": {
            source: {
                name: figures(marked(source, split), rows)
                for name, rows in groups.items()
                if name != "kind none"
            }
            for source in SOURCES
        },
        "fused against": {
            baseline: {
                name: difference(marked("fused", split), marked(baseline, split), rows)
                for name, rows in groups.items()
                if name == "all" or name.startswith("lang")
            }
            for baseline in (*BASELINES, "lexicon")
        },
        "texts_without_a_tag_given_one": {
            source: round(float((marked(source, split).carried[groups["kind none"]] > 0).mean()), 3)
            for source in SOURCES
            if source not in BASELINES[:1]
        },
    }


def figures(one: Marked, rows: NDArray[np.bool_]) -> dict[str, Any]:
    """Figures of a source on some texts."""
    scored = rows & ~np.isnan(one.precision)
    carried = max(int(one.carried[rows].sum()), 1)
    return {
        "texts": int(scored.sum()),
        "precision@3": with_interval(one.precision[scored]),
        "recall@3": with_interval(one.recall[scored]),
        "allowed@3": round(float(np.nanmean(one.allowed[scored])), 3),
        "at .5": {
            "tags_per_text": round(float(one.carried[rows].mean()), 2),
            "precision": round(float(one.carried_right[rows].sum() / carried), 3),
            "allowed": round(float(one.carried_allowed[rows].sum() / carried), 3),
            "recall": round(float(one.carried_right[rows].sum() / one.wanted[rows].sum()), 3),
        },
    }


def difference(one: Marked, other: Marked, rows: NDArray[np.bool_]) -> dict[str, Any]:
    """How much better `one` is than `other`, text by text."""
    scored = rows & ~np.isnan(one.precision)
    return {
        "texts": int(scored.sum()),
        "precision@3": with_interval((one.precision - other.precision)[scored]),
        "recall@3": with_interval((one.recall - other.recall)[scored]),
    }


def with_interval(values: Scores, seed: int = 0) -> dict[str, float]:
    """Return the mean with its 95% bootstrap interval."""
    rng = np.random.default_rng(seed)
    means = values[rng.integers(0, len(values), (SAMPLES, len(values)))].mean(axis=1)
    low, high = np.quantile(means, (0.025, 0.975))
    return {
        "mean": round(float(values.mean()), 3),
        "ci_low": round(float(low), 3),
        "ci_high": round(float(high), 3),
    }
