"""Texts to a `TagMatrix`: run the chosen encoders in batches and fuse what they found."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

import polars as pl
import pyarrow as pa

from tagcf.tags.embedding import SentenceEmbedding, embedding_installed
from tagcf.tags.lexicon import Lexicon
from tagcf.tags.matrix import tag_matrix_from_frame
from tagcf.tags.names import known_tags
from tagcf.tags.surface import Surface
from tagcf.tags.vocabulary import Vocabulary, default_vocabulary
from tagcf.types import IdMap, TagMatrix

BATCH = 16_384  # texts; bounds the memory of a pass


class TextEncoder(Protocol):
    """What finds tags in texts: `Lexicon`, `SentenceEmbedding`, `Surface`, or your own."""

    @property
    def source(self) -> str:
        """Name of the origin, kept with every tag found."""

    def encode(self, texts: pl.Series, vocabulary: Vocabulary) -> pl.DataFrame:
        """Columns row (u32), tag (slug), strength, confidence (f32, 0..1), source."""


def default_encoders(*, surface: bool = False) -> tuple[TextEncoder, ...]:
    """Words, meaning where its weights are installed, and, if wanted, surface tags."""
    meaning: tuple[TextEncoder, ...] = (SentenceEmbedding(),) if embedding_installed() else ()
    return (Lexicon(), *meaning, *((Surface(),) if surface else ()))


def encode_tags(
    items: pl.Series | pl.DataFrame,
    vocabulary: Vocabulary | None = None,
    using: Sequence[TextEncoder] | None = None,
    progress: Callable[[int], None] | None = None,
) -> TagMatrix:
    """Tag texts.

    Parameters
    ----------
    items
        A frame with ``item_id`` and one or more text columns, or a series of texts, whose
        items are then called "0", "1" …
    vocabulary
        The tags to look for; default: the one that ships with TagCF.
    using
        Encoders. Where several find one tag in one text, strengths and confidences are
        joined as a noisy or, ``1 - Π(1 - strength)``, and the source names them all, so a
        word found raises what the meaning suggests and never lowers it.
    progress
        Called with the number of different texts done after each batch; each is read once.

    Returns
    -------
    TagMatrix
        Its columns are the tags found at least once. A text without a tag is an empty row.

    Examples
    --------
    >>> import polars as pl
    >>> from tagcf.tags.lexicon import Lexicon
    >>> found = encode_tags(pl.Series(["带狗狗去露营", "Camping with my dog"]), using=[Lexicon()])
    >>> [tag.slug for tag in found.tags]
    ['dogs', 'camping']
    """
    vocabulary = vocabulary or default_vocabulary()
    encoders = default_encoders() if using is None else tuple(using)
    ids, texts = _ids_and_texts(items)
    distinct = texts.drop_nulls().unique(maintain_order=True)
    found = [_NOTHING]
    for start in range(0, len(distinct), BATCH):
        batch = distinct.slice(start, BATCH)
        evidence = pl.concat([encoder.encode(batch, vocabulary) for encoder in encoders])
        found.append(fuse(evidence).with_columns(pl.col("row") + start))
        if progress is not None:
            progress(len(batch))
    rows = pl.concat(found)
    frame = pl.DataFrame({"item_id": ids, "text": texts}).join(
        rows.with_columns(distinct.gather(rows["row"]).alias("text")).drop("row"), on="text"
    )
    found_items = IdMap(pa.array(ids.to_list(), pa.string()))
    matrix = tag_matrix_from_frame(frame, found_items, known_tags(vocabulary))
    return replace(matrix, version=vocabulary.version)


_NOTHING = pl.DataFrame(
    schema={
        "row": pl.UInt32,
        "tag": pl.String,
        "strength": pl.Float32,
        "confidence": pl.Float32,
        "source": pl.String,
    }
)


def fuse(evidence: pl.DataFrame) -> pl.DataFrame:
    """One row per text and tag: noisy or of strengths and confidences, sources joined by +."""
    return (
        evidence.with_columns(
            doubt=(1 - pl.col("strength")).log(), distrust=(1 - pl.col("confidence")).log()
        )
        .group_by("row", "tag", maintain_order=True)
        .agg(
            (1 - pl.col("doubt").sum().exp()).cast(pl.Float32).alias("strength"),
            (1 - pl.col("distrust").sum().exp()).cast(pl.Float32).alias("confidence"),
            pl.col("source").sort(descending=True).str.join("+"),
        )
    )


def _ids_and_texts(items: pl.Series | pl.DataFrame) -> tuple[pl.Series, pl.Series]:
    """Item ids, and their texts with the columns of an item joined by a line break."""
    if isinstance(items, pl.Series):
        ids = pl.Series("item_id", range(len(items)), dtype=pl.Int64).cast(pl.String)
        return ids, items.cast(pl.String)
    columns = [name for name in items.columns if name != "item_id"]
    if not columns:  # items that are media alone
        return items["item_id"].cast(pl.String), pl.repeat(
            None, items.height, dtype=pl.String, eager=True
        )
    texts = items.select(
        pl.concat_str(pl.col(columns).cast(pl.String), separator="\n", ignore_nulls=True)
    ).to_series()
    return items["item_id"].cast(pl.String), texts
