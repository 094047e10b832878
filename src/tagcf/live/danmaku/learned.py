"""What is learned from the examples, and how it is kept: ``weights.npz``, no pickle."""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import cache
from importlib import resources

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tagcf.live.danmaku.examples import Examples
from tagcf.live.danmaku.features import keys_of, known_keys, rows_of
from tagcf.live.danmaku.hashed.kernels import add_weights, fill_table
from tagcf.live.danmaku.labels import HEADS, Chances
from tagcf.live.danmaku.lexicon import TextLanguage
from tagcf.live.danmaku.linear import Softmax, Weights, fit_softmax
from tagcf.live.danmaku.network import Network

FILE = "weights.npz"
FEWEST = 2  # examples that a feature must occur in
PENALTY = 0.03
TO = np.cumsum([len(head) for head in HEADS])  # where the columns of a head end


@dataclass(frozen=True, slots=True)
class LineModel:
    """A linear model of hashed features, with a column for every label of every head."""

    known: NDArray[np.uint64]  # (features,) hashes, sorted
    table: NDArray[np.int32]
    bits: int
    weights: Weights  # (features, K)
    bias: Weights  # (K,)

    def __call__(self, texts: pl.Series, lang: TextLanguage = "auto") -> Chances:
        """(n, K) scores of lines."""
        lines = keys_of(texts, lang)
        parts = (lines.keys, lines.ends, self.known, self.table, self.bits, self.weights)
        return np.asarray(add_weights(*parts)[0] + self.bias, dtype=np.float32)


def line_model(known: NDArray[np.uint64], weights: Weights, bias: Weights) -> LineModel:
    """Prepare the table in which features are looked up."""
    bits = max(int(np.ceil(np.log2(max(len(known), 1) * 2))), 4)
    return LineModel(known, fill_table(known, bits), bits, weights, bias)


def learn(examples: Examples, penalty: float = PENALTY, fewest: int = FEWEST) -> LineModel:
    """Fit all heads of `HEADS` on examples; the same examples give the same weights."""
    lines = keys_of(examples.texts)
    known = known_keys(lines, fewest)
    rows = rows_of(lines, known)
    fitted: list[Softmax] = [
        fit_softmax(rows, examples.labels[:, k], len(head), penalty, examples.importance)
        for k, head in enumerate(HEADS)
    ]
    weights = np.hstack([one.weights for one in fitted])
    return line_model(known, weights, np.concatenate([one.bias for one in fitted]))


@dataclass(frozen=True, slots=True)
class Shipped:
    """The content of ``weights.npz``."""

    version: str  # of what it was learned from
    words: LineModel
    heat: Weights  # (3,) scores of a head are divided by it before they become chances
    meaning: Network  # on the sentence embedding
    shares: Weights  # (3, 2) of words and meaning in the fused scores of a head


def write_shipped(shipped: Shipped) -> bytes:
    """Pack the weights; they are kept as half floats."""
    content = io.BytesIO()
    np.savez_compressed(
        content,
        version=np.array(shipped.version),
        known=shipped.words.known,
        weights=shipped.words.weights.astype(np.float16),
        bias=shipped.words.bias,
        heat=shipped.heat,
        inner=shipped.meaning.inner.astype(np.float16),
        inner_bias=shipped.meaning.inner_bias,
        outer=shipped.meaning.outer.astype(np.float16),
        outer_bias=shipped.meaning.outer_bias,
        shares=shipped.shares,
    )
    return content.getvalue()


@cache
def shipped_model() -> Shipped:
    """Load the weights that ship with TagCF."""
    packed = resources.files("tagcf.live.danmaku").joinpath(FILE).read_bytes()
    with np.load(io.BytesIO(packed), allow_pickle=False) as kept:
        weights = kept["weights"].astype(np.float32)
        return Shipped(
            version=str(kept["version"]),
            words=line_model(kept["known"], weights, kept["bias"]),
            heat=kept["heat"],
            meaning=Network(
                kept["inner"].astype(np.float32),
                kept["inner_bias"],
                kept["outer"].astype(np.float32),
                kept["outer_bias"],
            ),
            shares=kept["shares"],
        )


def by_head(scores: Chances) -> tuple[Chances, Chances, Chances]:
    """Split the columns of all heads."""
    intent, sentiment, emotion = np.split(scores, TO[:-1], axis=1)
    return intent, sentiment, emotion
