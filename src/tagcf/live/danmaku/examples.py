"""Labelled lines: those that ship with TagCF, and a line of every term that means something alone.

``examples.tsv`` was written for TagCF by hand of language models; its last column says by which
writer, so that what is learned of some can be tried on others.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from importlib import resources

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tagcf.live.danmaku.labels import HEADS
from tagcf.live.danmaku.lexicon import shipped_concepts

FILE = "examples.tsv"
LEARNED_FROM = (FILE, "lexicon.toml", "traditional.txt")
TERM_COUNTS = 0.1  # of a line that is a term alone, against 1 of an example


@dataclass(frozen=True, slots=True)
class Examples:
    """Lines with the positions of their labels in `HEADS`."""

    texts: pl.Series  # (n,)
    labels: NDArray[np.int8]  # (n, 3): intent, sentiment, emotion
    writer: NDArray[np.str_]  # (n,)
    importance: NDArray[np.float64]  # (n,)

    def texts_of_writers(self) -> pl.Series:
        """Return the lines without the terms of the lexicon."""
        return self.texts.filter(pl.Series(self.writer != "term"))

    def of(self, chosen: NDArray[np.bool_]) -> Examples:
        """Return some of them."""
        return Examples(
            self.texts.filter(pl.Series(chosen)),
            self.labels[chosen],
            self.writer[chosen],
            self.importance[chosen],
        )


@cache
def shipped_examples() -> Examples:
    """Return the lines of ``examples.tsv``, then the terms of the lexicon ("term")."""
    content = resources.files("tagcf.live.danmaku").joinpath(FILE).read_text("utf-8")
    rows = [tuple(line.split("\t")) for line in content.splitlines()[1:]]
    lines = [(text, labels, writer) for text, _, *labels, writer in rows]
    lines += [
        (term, list(concept.alone), "term")
        for concept in shipped_concepts()
        if concept.alone is not None
        for _, term in concept.terms
    ]
    return Examples(
        pl.Series([text for text, _, _ in lines], dtype=pl.String),
        np.array(
            [
                [head.index(label) for head, label in zip(HEADS, labels, strict=True)]
                for _, labels, _ in lines
            ],
            dtype=np.int8,
        ),
        np.array([writer for _, _, writer in lines]),
        np.array([TERM_COUNTS if writer == "term" else 1.0 for _, _, writer in lines]),
    )


@cache
def shipped_version() -> str:
    """Hash of all that the shipped weights are learned from."""
    digest = hashlib.sha256()
    for name in LEARNED_FROM:
        digest.update(resources.files("tagcf.live.danmaku").joinpath(name).read_bytes())
    return digest.hexdigest()[:16]
