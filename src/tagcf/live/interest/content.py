"""What can be watched: items, products and segments of rooms, with their tags."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from tagcf.errors import DataError
from tagcf.live.interest.index.kernels import find_all, put_all
from tagcf.live.interest.update.arrays import Content, Single
from tagcf.live.wire.keys import id_keys
from tagcf.types import IdMap, TagMatrix
from tagcf.types.live import Keys

SEGMENT_COLUMNS = ("room_id", "start_ts", "end_ts")


@dataclass(frozen=True, slots=True)
class Shelf:
    """All content known: ids by position, and the arrays that the compiled code reads."""

    items: IdMap
    strength: sparse.csr_array  # (I, T) float32
    embedding: Single  # (I, d); (0, 0): none
    segments: pl.DataFrame
    arrays: Content

    def __len__(self) -> int:
        return len(self.items)

    def rows(self, ids: pa.Array[Any]) -> NDArray[np.int64]:
        """(n,) positions of ids; -1 where one is unknown."""
        return np.asarray(find_all(self.arrays.slots, id_keys(ids)))


def shelve(
    tags: TagMatrix, segments: pl.DataFrame | None = None, embeddings: ArrayLike | None = None
) -> Shelf:
    """Put content on the shelf.

    Parameters
    ----------
    segments
        Columns `room_id`, `start_ts`, `end_ts` (epoch seconds) and, where segments have ids of
        their own, `segment_id`; else a segment's id is ``f"{room_id}@{start_ts:.0f}"``.
    embeddings
        (I, d) vectors of the content of `tags`; rows of zeros where there is none.

    Raises
    ------
    DataError
        A column is missing, or the embeddings have another shape.
    """
    strength = tags.strength.astype(np.float32)
    cut = _segments(segments)
    embedding = _embedding(embeddings, len(tags.items))
    return _arranged(tags.items, strength, embedding, cut)


def restocked(shelf: Shelf, more: Shelf) -> Shelf:
    """Return both as one: positions of the first stay; where both have an id, `more` counts."""
    ids = shelf.items.ids.cast(pa.string())
    at = more.rows(ids)
    fresh = shelf.rows(more.items.ids.cast(pa.string())) < 0
    source = np.concatenate(
        [np.where(at >= 0, len(ids) + at, np.arange(len(ids))), len(ids) + np.flatnonzero(fresh)]
    )
    strength = sparse.csr_array(sparse.vstack([shelf.strength, more.strength], "csr")[source])
    if shelf.embedding.shape[1:] != more.embedding.shape[1:]:
        raise DataError(
            "live_interest.wrong_embeddings",
            found=more.embedding.shape,
            expected=(len(more), shelf.embedding.shape[1]),
        )
    embedding = np.concatenate([shelf.embedding, more.embedding])
    if len(embedding):
        embedding = embedding[source]
    added = more.items.ids.cast(pa.string()).filter(pa.array(fresh))
    items = IdMap(cast("pa.StringArray", pa.concat_arrays([ids, added])))
    segments = pl.concat([shelf.segments, more.segments]).unique(
        ["room_id", "start_ts"], keep="last", maintain_order=True
    )
    return _arranged(items, strength, embedding, segments)


def _segments(segments: pl.DataFrame | None) -> pl.DataFrame:
    """Columns room_id, start_ts, end_ts, segment_id."""
    if segments is None:
        segments = pl.DataFrame(schema=dict.fromkeys(SEGMENT_COLUMNS, pl.Float64))
    for column in SEGMENT_COLUMNS:
        if column not in segments.columns:
            known = ", ".join(segments.columns)
            raise DataError("live_interest.missing_column", name=column, known=known)
    room, start = pl.col("room_id").cast(pl.String), pl.col("start_ts").cast(pl.Float64)
    made = room + "@" + start.round(0).cast(pl.Int64).cast(pl.String)
    own = (
        pl.coalesce(pl.col("segment_id").cast(pl.String), made)
        if "segment_id" in segments.columns
        else made
    )
    return segments.select(
        room_id=room, start_ts=start, end_ts=pl.col("end_ts").cast(pl.Float64), segment_id=own
    )


def _embedding(embeddings: ArrayLike | None, n_items: int) -> Single:
    """Vectors of length 1."""
    if embeddings is None:
        return np.zeros((0, 0), np.float32)
    given = np.asarray(embeddings, np.float32)
    if given.ndim != 2 or len(given) != n_items:
        raise DataError(
            "live_interest.wrong_embeddings", found=given.shape, expected=(n_items, "d")
        )
    length = np.linalg.norm(given, axis=1, keepdims=True)
    return (given / np.where(length > 0, length, 1)).astype(np.float32)


def _arranged(
    items: IdMap, strength: sparse.csr_array, embedding: Single, segments: pl.DataFrame
) -> Shelf:
    strength = strength.copy()
    strength.eliminate_zeros()
    slots = _slots(id_keys(items.ids.cast(pa.string())))
    played = segments.sort("room_id", "start_ts")
    runs = played.group_by("room_id", maintain_order=True).len()
    tags = np.empty(2 * strength.nnz, np.int32)
    tags[::2] = strength.indices
    strengths = tags.view(np.float32)
    strengths[1::2] = strength.data
    norms = np.sqrt(np.asarray(strength.multiply(strength).sum(axis=1), np.float64).ravel())
    arrays = Content(
        slots=slots,
        indptr=strength.indptr.astype(np.int64),
        tags=tags,
        strengths=strengths,
        norms=norms.astype(np.float32),
        embedding=np.ascontiguousarray(embedding),
        rooms=_slots(id_keys(runs["room_id"].to_arrow().cast(pa.string()))),
        parts=np.concatenate([[0], runs["len"].to_numpy().cumsum()]).astype(np.int64),
        start=played["start_ts"].to_numpy().copy(),
        end=played["end_ts"].to_numpy().copy(),
        played=find_all(slots, id_keys(played["segment_id"].to_arrow().cast(pa.string()))),
    )
    return Shelf(items, strength, embedding, segments, arrays)


def _slots(keys: Keys) -> Keys:
    """Return the hash table of keys by position; of equal keys the first counts."""
    n_slots = 1 << max(4, int(2 * len(keys)).bit_length())
    slots = np.zeros((n_slots, 2), np.uint64)
    put_all(slots, np.ascontiguousarray(keys), 0)
    return slots
