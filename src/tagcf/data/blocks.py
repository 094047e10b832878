"""The stored log to batches: one block in memory at a time, joined with its items and users."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tagcf.data.store import Head, Slot, read_table
from tagcf.types import (
    ClusterAxis,
    Codes,
    EventBatch,
    EventLog,
    Floats,
    IdMap,
    ReadReport,
)

Column = NDArray[Any]
Number = TypeVar("Number", np.float64, np.int32)


@dataclass(frozen=True, slots=True)
class Sources:
    """What a block is joined with: columns of items and users, and the order of levels."""

    tables: dict[str, dict[str, Column]]  # "items" | "users" -> column -> (I,) or (U,)
    ranks: dict[str, Codes]  # category column of the impressions -> rank of each code, -1 last


def log_from_store(folder: Path, head: Head, *, simulated: bool) -> EventLog:
    """Return the log in a store folder; nothing but items and users is loaded."""
    items, users = read_table(folder / "items.arrow"), read_table(folder / "users.arrow")
    sources = Sources(
        {"items": _columns(items), "users": _columns(users)},
        {name: np.array([*order, -1], np.int32) for name, order in head.orders.items()},
    )
    axes = tuple(_axis(axis, slot, sources) for axis, slot in head.clusters)
    author = sources.tables["items"][head.author.column] if head.author else None
    return EventLog(
        users=_ids(users),
        items=_ids(items),
        outcomes=head.outcomes,
        derived=head.derived,
        covariates=tuple(covariate for covariate, _ in head.covariates),
        segments=tuple(segment for segment, _ in head.segments),
        clusters=tuple(axis for axis, _ in axes),
        instruments=tuple(instrument for instrument, _ in head.instruments),
        n_rows=head.rows_used,
        n_strata=head.n_strata,
        n_authors=head.n_authors,
        item_author=None if author is None else author.astype(np.int32),
        user_segments=_user_segments(head, sources, len(users)),
        has_randomized=head.has_randomized,
        batches=partial(_blocks, folder, head, sources, tuple(codes for _, codes in axes)),
        report=ReadReport(
            head.rows_read, head.rows_used, tuple(one.worded() for one in head.findings)
        ),
        simulated=simulated,
    )


def _ids(table: pa.Table) -> IdMap:
    return IdMap(cast("pa.StringArray", table["id"].cast(pa.string()).combine_chunks()))


def _columns(table: pa.Table) -> dict[str, Column]:
    return {name: table[name].to_numpy() for name in table.column_names if name != "id"}


def _axis(axis: ClusterAxis, slot: Slot, sources: Sources) -> tuple[ClusterAxis, Codes | None]:
    """Finish an axis that is a column of items or users: codes (I,) or (U,), none missing.

    An item whose author is unknown is a cluster of one, numbered after the authors.
    """
    if slot.table not in sources.tables:
        return axis, None
    codes = sources.tables[slot.table][slot.column].astype(np.int32)
    unknown = np.flatnonzero(codes < 0)
    codes[unknown] = axis.n_clusters + np.arange(len(unknown), dtype=np.int32)
    return ClusterAxis(axis.name, axis.n_clusters + len(unknown)), codes


def _user_segments(head: Head, sources: Sources, n_users: int) -> Codes:
    """(U, S) segment of each user; -1 where the segment is a column of the impressions."""
    own = np.full((n_users, len(head.segments)), -1, np.int32)
    for s, (_, slot) in enumerate(head.segments):
        if slot.table == "users":
            own[:, s] = sources.tables["users"][slot.column]
    return own


def _blocks(
    folder: Path, head: Head, sources: Sources, axes: tuple[Codes | None, ...]
) -> Iterator[EventBatch]:
    """Yield the log block by block; see `EventBatch`."""
    # Read, not mapped: pages of a mapped file would count as memory of this process.
    with pa.OSFile(str(folder / "impressions.arrow"), "rb") as opened:
        file = pa.ipc.open_file(opened)
        for index in range(file.num_record_batches):
            block = file.get_batch(index)
            raw = {name: block[name].to_numpy(zero_copy_only=False) for name in block.schema.names}
            yield _joined(_Rows(raw, head, sources), axes)


class _Rows:
    """One stored block; `of` finds the values of any part of it."""

    __slots__ = ("head", "n", "raw", "sources")

    def __init__(self, raw: dict[str, Column], head: Head, sources: Sources) -> None:
        self.head, self.sources = head, sources
        self.n = len(raw["item"])
        self.raw = raw if "user" in raw else raw | {"user": np.zeros(self.n, np.int32)}

    def of(self, slot: Slot) -> Column:
        """Return the values (n,) at `slot`, joined through the row's item or user."""
        if slot.table in ("user", "item"):
            return self.raw[slot.table]
        if slot.table in self.sources.tables:
            ids = self.raw[slot.table.removesuffix("s")]
            known = self.sources.tables[slot.table][slot.column]
            joined: Column = known[ids]
            return joined
        ranks = self.sources.ranks.get(slot.column.removeprefix("code:"))
        if slot.column.startswith("code:") and ranks is not None:
            return cast("Column", ranks[self.raw[slot.column]])  # -1 finds the last, also -1
        return self.raw[slot.column]


def _joined(rows: _Rows, axes: tuple[Codes | None, ...]) -> EventBatch:
    head, raw, n = rows.head, rows.raw, rows.n
    outcomes, weights = _outcomes(head, raw, n)
    return EventBatch(
        user=raw["user"].astype(np.int32, copy=False),
        item=raw["item"].astype(np.int32, copy=False),
        ts=raw["ts"].astype(np.float64, copy=False) if "ts" in raw else np.full(n, np.nan),
        outcomes=outcomes,
        weights=weights,
        covariates=_stacked([rows.of(slot) for _, slot in head.covariates], n, np.float64),
        segments=_stacked([rows.of(slot) for _, slot in head.segments], n, np.int32),
        clusters=_clusters(rows, axes),
        instruments=_stacked([rows.of(slot) for _, slot in head.instruments], n, np.int32),
        stratum=None if head.stratum is None else rows.of(head.stratum).astype(np.int32),
        randomized=raw["randomized"].astype(bool) if "randomized" in raw else None,
        propensity=raw["propensity"].astype(np.float64) if "propensity" in raw else None,
    )


def _outcomes(head: Head, raw: dict[str, Column], n: int) -> tuple[Floats, Floats]:
    """Values (n, K), NaN where not measured, and weights (n, K), 0 there."""
    values, weights = np.empty((n, len(head.outcomes))), np.ones((n, len(head.outcomes)))
    for k, spec in enumerate(head.outcomes):
        values[:, k] = raw[f"outcome:{k}"]
        if spec.kind == "binary":
            values[values[:, k] < 0, k] = np.nan
        if "weight" in raw:
            weights[:, k] *= raw["weight"]
        if f"trials:{k}" in raw:
            weights[:, k] *= raw[f"trials:{k}"]
        weights[np.isnan(values[:, k]), k] = 0.0
    return values, weights


def _clusters(rows: _Rows, axes: tuple[Codes | None, ...]) -> Codes:
    """Cluster numbers (n, C); rows of an impressions column without a value share the last."""
    columns = []
    for (axis, slot), codes in zip(rows.head.clusters, axes, strict=True):
        if codes is not None:
            columns.append(codes[rows.raw[slot.table.removesuffix("s")]])
        else:
            found = rows.of(slot)
            columns.append(np.where(found < 0, axis.n_clusters - 1, found))
    return _stacked(columns, rows.n, np.int32)


def _stacked(columns: Sequence[Column], n: int, dtype: type[Number]) -> NDArray[Number]:
    """Columns side by side, (n, number of columns)."""
    side = np.empty((n, len(columns)), dtype)
    for j, column in enumerate(columns):
        side[:, j] = column
    return side
