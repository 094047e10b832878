"""Batches as Arrow tables with one column per array column: the form in which a log can travel."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tagcf.types import Codes, EventBatch, EventLog, Floats

_WIDE = ("outcomes", "weights", "covariates", "segments", "clusters", "instruments")
_OPTIONAL = ("stratum", "randomized", "propensity")


def to_arrow(batch: EventBatch) -> pa.RecordBatch:
    """Columns ``user``, ``item``, ``ts``, ``outcomes:0`` …, as `EventBatch` has them."""
    columns: dict[str, Any] = {"user": batch.user, "item": batch.item, "ts": batch.ts}
    for name in _WIDE:
        for at, column in enumerate(getattr(batch, name).T):
            columns[f"{name}:{at}"] = np.ascontiguousarray(column)
    columns |= {
        name: getattr(batch, name) for name in _OPTIONAL if getattr(batch, name) is not None
    }
    return pa.RecordBatch.from_pydict({name: pa.array(column) for name, column in columns.items()})


def from_arrow(table: pa.RecordBatch) -> EventBatch:
    """The batch that `to_arrow` made a table of; columns may come in any order."""
    columns = {name: table[name].to_numpy(zero_copy_only=False) for name in table.schema.names}

    def beside(name: str) -> list[np.ndarray]:
        count = sum(one.startswith(f"{name}:") for one in columns)
        return [columns[f"{name}:{at}"] for at in range(count)]

    def numbers(name: str) -> Floats:
        return np.asarray(_stacked(beside(name), table.num_rows, np.float64))

    def codes(name: str) -> Codes:
        return np.asarray(_stacked(beside(name), table.num_rows, np.int32))

    return EventBatch(
        user=columns["user"],
        item=columns["item"],
        ts=columns["ts"],
        outcomes=numbers("outcomes"),
        weights=numbers("weights"),
        covariates=numbers("covariates"),
        segments=codes("segments"),
        clusters=codes("clusters"),
        instruments=codes("instruments"),
        stratum=columns.get("stratum"),
        randomized=columns.get("randomized"),
        propensity=columns.get("propensity"),
    )


def _stacked(columns: list[np.ndarray], rows: int, dtype: Any) -> Any:
    out = np.empty((rows, len(columns)), dtype)
    for at, column in enumerate(columns):
        out[:, at] = column
    return out


def write_parts(log: EventLog, folder: Path, *, rows_per_part: int = 1_000_000) -> None:
    """Write a log as Parquet parts of about so many rows, for executors to share."""
    folder.mkdir(parents=True)
    part, rows, writer = 0, 0, None
    for batch in log.batches():
        table = to_arrow(batch)
        if writer is None:
            writer = pq.ParquetWriter(folder / f"part-{part:05d}.parquet", table.schema)
        writer.write_batch(table)
        rows += table.num_rows
        if rows >= rows_per_part:
            writer.close()
            part, rows, writer = part + 1, 0, None
    if writer is not None:
        writer.close()
