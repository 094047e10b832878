"""How alike tags are: their place in the tree, and their names or meaning."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tagcf.tags.embedding import embedding_installed, load_encoder
from tagcf.types import Floats, Tag

GRAM_SIZES = (1, 2, 3)


@dataclass(frozen=True, slots=True)
class Likeness:
    """Kernels (T, T), symmetric and positive semidefinite, with 1 on the diagonal."""

    same_parent: Floats
    same_facet: Floats
    meaning: Floats
    by: str  # "embedding" or "names"

    @property
    def kernels(self) -> tuple[Floats, Floats, Floats]:
        """All three."""
        return self.same_parent, self.same_facet, self.meaning


def likeness(tags: Sequence[Tag], *, embed: bool | None = None) -> Likeness:
    """Compare tags with one another.

    Parameters
    ----------
    embed
        Whether meaning is that of sentence embeddings (the extra ``text``) or of the character
        n-grams that names and keywords share; by default the first where it is installed.
    """
    use = embedding_installed() if embed is None else embed
    # A tag without a parent is alike itself alone.
    parents = [tag.parent or f"\n{tag.slug}" for tag in tags]
    return Likeness(
        same_parent=_same(parents),
        same_facet=_same([tag.facet for tag in tags]),
        meaning=_embedded(tags) if use else _shared_grams(tags),
        by="embedding" if use else "names",
    )


def _same(labels: Sequence[str]) -> Floats:
    names = np.array(labels, dtype=object)
    return np.asarray(names[:, None] == names[None, :], dtype=np.float64)


def _embedded(tags: Sequence[Tag]) -> Floats:
    """Cosines of the names' embeddings about their mean."""
    vectors = np.asarray(load_encoder()([" ".join(_terms(tag)) for tag in tags]), dtype=np.float64)
    return _cosines(vectors - vectors.mean(axis=0))


def _shared_grams(tags: Sequence[Tag]) -> Floats:
    """Cosines of character n-grams, rare ones counting more (tf-idf)."""
    counts = [
        Counter(
            term[start : start + size]
            for term in {one.casefold() for one in _terms(tag)}
            for size in GRAM_SIZES
            for start in range(len(term) - size + 1)
        )
        for tag in tags
    ]
    column = {gram: at for at, gram in enumerate(sorted(set().union(*counts)))}
    table = np.zeros((len(tags), len(column)))
    for row, count in enumerate(counts):
        for gram, number in count.items():
            table[row, column[gram]] = number
    return _cosines(table * np.log(len(tags) / np.maximum((table > 0).sum(axis=0), 1)))


def _cosines(vectors: Floats) -> Floats:
    norm = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit = vectors / np.where(norm > 0, norm, 1.0)
    cosine = unit @ unit.T
    np.fill_diagonal(cosine, 1.0)
    return np.asarray(cosine)


def _terms(tag: Tag) -> tuple[str, ...]:
    return (tag.zh, tag.en, *tag.aliases, *tag.keywords)
