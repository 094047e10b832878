"""Which tags of the vocabulary a model may choose from for one text.

All 450 would fit into few contexts and cost thousands of tokens an item. Words and meaning
preselect; the model decides. A tag that neither finds can't be chosen: `k` bounds recall.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, zip_longest

import polars as pl

from tagcf.tags.embedding import SentenceEmbedding, embedding_installed
from tagcf.tags.lexicon import Lexicon
from tagcf.tags.llm.plain import plain_text
from tagcf.tags.llm.request import TEXT_LIMIT
from tagcf.tags.vocabulary import Vocabulary
from tagcf.types import Tag


def candidates_of(texts: Sequence[str], vocabulary: Vocabulary, k: int) -> list[tuple[Tag, ...]]:
    """Return the `k` most likely tags of each text, most likely first.

    Tags whose words occur come first, then those nearest in meaning (where the sentence
    embeddings are installed), then the most general tags of every facet, so that a text
    without words has candidates, too: pictures may show what no word says.
    """
    by_slug = {tag.slug: tag for tag in vocabulary.tags}
    series = pl.Series([plain_text(text, TEXT_LIMIT) for text in texts], dtype=pl.String)
    found = [Lexicon().encode(series, vocabulary)]
    if embedding_installed():
        found.append(SentenceEmbedding(minimum=0.0).encode(series, vocabulary))
    ranked: list[list[str]] = [[] for _ in texts]
    for frame in found:
        best = frame.sort("strength", "confidence", descending=True, maintain_order=True)
        for row, tags in (
            best.group_by("row", maintain_order=True).agg(pl.col("tag").head(k)).rows()
        ):
            ranked[row] += tags
    general = tuple(_general(vocabulary))
    return [
        tuple(by_slug[slug] for slug in list(dict.fromkeys([*slugs, *general]))[:k])
        for slugs in ranked
    ]


def _general(vocabulary: Vocabulary) -> Iterator[str]:
    """Tags without a parent, one of each facet in turn."""
    facets: dict[str, list[str]] = {}
    for tag in vocabulary.tags:
        if tag.parent is None:
            facets.setdefault(tag.facet, []).append(tag.slug)
    turns = zip_longest(*facets.values())
    return (slug for slug in chain.from_iterable(turns) if slug is not None)
