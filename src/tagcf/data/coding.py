"""Labels to dense integers, once, for columns that are in memory."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import ArrayLike, NDArray

from tagcf.errors import DataError
from tagcf.types import Codes, Floats, IdMap, Mask


@dataclass(frozen=True, slots=True)
class Coded:
    """A column as dense integers, -1 where missing, and its level names in order."""

    codes: Codes
    levels: tuple[str, ...]


def number_labels(values: NDArray[np.generic]) -> Coded:
    """Code the distinct values in sorted order; None and NaN become -1."""
    if values.dtype.kind in "iub":
        distinct, inverse = np.unique(values, return_inverse=True)
        return Coded(inverse.astype(np.int32), tuple(str(one) for one in distinct.tolist()))
    if values.dtype.kind == "f":
        missing = np.isnan(values.astype(np.float64))
        distinct, inverse = np.unique(values[~missing], return_inverse=True)
        codes = np.full(len(values), -1, np.int32)
        codes[~missing] = inverse
        return Coded(codes, tuple(f"{one:g}" for one in distinct.tolist()))
    text = pa.array(values.tolist(), from_pandas=True)
    text = text if pa.types.is_string(text.type) else text.cast(pa.string())
    distinct_text = pc.unique(text.drop_null()).sort()
    found = pc.index_in(text, value_set=distinct_text).fill_null(-1)
    return Coded(
        np.asarray(found.to_numpy(zero_copy_only=False), np.int32), tuple(distinct_text.to_pylist())
    )


def number_ids(
    external: NDArray[np.generic], known: IdMap | None, axis: str
) -> tuple[Codes, IdMap]:
    """Return dense integers of ids and their map; integers with a given map are codes already."""
    if known is None:
        coded = number_labels(external)
        return coded.codes, IdMap(pa.array(coded.levels, pa.string()))
    if np.issubdtype(external.dtype, np.integer):
        codes = external.astype(np.int32)
        outside = (codes < -1) | (codes >= len(known))
    else:
        codes = known.find([str(one) for one in external])
        outside = codes < 0
    if outside.any():
        first = external[int(np.argmax(outside))]
        raise DataError("arrays.unknown_id", axis=axis, id=first, count=int(outside.sum()))
    return codes, known


def column_of(name: str, values: ArrayLike, n: int) -> NDArray[np.generic]:
    """(n,) array of a column; raises `DataError` at another length."""
    column = np.asarray(values)
    if column.shape != (n,):
        raise DataError("arrays.wrong_shape", name=name, found=column.shape, expected=(n,))
    return column


def seconds_of(ts: NDArray[np.generic]) -> Floats:
    """Epoch seconds in UTC of numbers or datetime64; NaN where unknown."""
    if ts.dtype.kind == "M":
        seconds = ts.astype("datetime64[us]").astype(np.int64) / 1e6
        return np.where(np.isnat(ts.astype("datetime64[us]")), np.nan, seconds)
    return ts.astype(np.float64)


def mask_of(values: NDArray[np.generic]) -> Mask:
    """Mark where the value is 1 or true."""
    mask: Mask = values.astype(np.float64) == 1
    return mask
