"""What is known of items and users: one row each, as numbers and as codes of categories."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from tagcf.data.bad_rows import Ledger
from tagcf.data.dictionary import natural_order
from tagcf.data.files import RawBatch, Table, whole
from tagcf.data.values import as_numbers, as_texts, looks_numeric
from tagcf.errors import DataError
from tagcf.types import Codes, Floats, Mask


@dataclass(frozen=True, slots=True)
class Attributes:
    """Rows of items.* or users.*, each id once, in the order of the file."""

    file: str
    ids: pl.Series  # (R,) text
    codes: dict[str, Codes]  # column -> (R,), -1 missing
    levels: dict[str, tuple[str, ...]]  # column -> level names in sorted order
    numbers: dict[str, Floats]  # columns that hold numbers -> (R,), NaN missing


def read_attributes(
    table: Table, id_column: str, columns: Sequence[str], ledger: Ledger
) -> Attributes:
    """Read the columns that the log needs of items.* or users.*; the first row of an id counts.

    Raises
    ------
    DataError
        The file has a header and no rows.
    """
    batch = whole(table, list(dict.fromkeys([id_column, *columns])), ledger)
    if not batch.frame.height and not ledger.has(table.file):
        raise DataError("data.no_rows", path=table.path)
    ids = as_texts(batch.frame[id_column])
    keep = first_of_each(batch, ids, id_column, ledger)
    frame = batch.frame.with_columns(ids.alias(id_column)).filter(keep)
    codes: dict[str, Codes] = {}
    levels: dict[str, tuple[str, ...]] = {}
    numbers: dict[str, Floats] = {}
    for column in columns:
        raw = batch.frame[column]
        codes[column], levels[column] = code_levels(as_texts(raw).filter(keep))
        if looks_numeric(raw):
            read = as_numbers(raw, truths=True)
            ledger.note(
                "bad.wrong_type",
                batch.place,
                read.wrong_type,
                column=column,
                action="as_missing",
                values=raw,
            )
            numbers[column] = np.where(np.isfinite(read.values), read.values, np.nan)[keep]
        missing = raw.is_null().to_numpy()
        ledger.note("bad.missing_attribute", batch.place, missing, column=column, action="kept")
    return Attributes(table.file, frame[id_column], codes, levels, numbers)


def first_of_each(batch: RawBatch, ids: pl.Series, column: str, ledger: Ledger) -> Mask:
    """Mark the first row of every id; rows without an id and repeated ids are reported."""
    missing = ids.is_null().to_numpy()
    first = ids.is_first_distinct().to_numpy()
    again = ~first & ~missing
    ledger.note("bad.missing_id", batch.place, missing, column=column, action="dropped")
    ledger.note("bad.duplicate_id", batch.place, again, column=column, action="dropped", values=ids)
    keep: Mask = first & ~missing
    return keep


def code_levels(texts: pl.Series) -> tuple[Codes, tuple[str, ...]]:
    """Codes (n,) of a column in memory, levels sorted; -1 where missing."""
    distinct = texts.drop_nulls().unique()
    levels = distinct.gather(natural_order(distinct))
    numbered = pl.Series(np.arange(len(levels), dtype=np.int32))
    if not len(levels):
        return np.full(len(texts), -1, np.int32), ()
    codes = texts.replace_strict(levels, numbered, default=-1, return_dtype=pl.Int32)
    return codes.fill_null(-1).to_numpy(), tuple(levels.to_list())


def stored(attributes: Attributes | None, ids: pl.Series) -> pa.Table:
    """Table of all ids (more may have turned up in the log) with the attributes of the first."""
    columns: dict[str, pa.Array[Any]] = {"id": ids.to_arrow().cast(pa.large_string())}
    if attributes is not None:
        extra = len(ids) - len(attributes.ids)
        for column, codes in attributes.codes.items():
            padded = np.concatenate([codes, np.full(extra, -1, np.int32)])
            columns[f"code:{column}"] = pa.array(padded)
        for column, numbers in attributes.numbers.items():
            columns[f"number:{column}"] = pa.array(
                np.concatenate([numbers, np.full(extra, np.nan)])
            )
    return pa.table(columns)
