"""Raw columns to numbers and texts, each value judged against what the column should hold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from tagcf.types import Floats, Mask, OutcomeKind

# Besides these, the readers have already turned empty fields into missing values.
_NOT_A_NUMBER = ("na", "n/a", "nan", "null", "none", "-", "")
_TRUTHS = {"true": 1.0, "false": 0.0, "yes": 1.0, "no": 0.0, "t": 1.0, "f": 0.0}


@dataclass(frozen=True, slots=True)
class Numbers:
    """A column as floats (n,), NaN where there is none, and why."""

    values: Floats
    missing: Mask
    wrong_type: Mask


def as_numbers(raw: pl.Series, *, truths: bool = False) -> Numbers:
    """Read numbers; with `truths`, true/false count as 1/0."""
    absent = raw.is_null()
    if raw.dtype == pl.String:
        read = raw.cast(pl.Float64, strict=False)
        if read.null_count() > absent.sum():
            tidy = raw.str.strip_chars().str.to_lowercase()
            absent |= tidy.is_in(_NOT_A_NUMBER).fill_null(value=False)
            again = tidy.cast(pl.Float64, strict=False)
            if truths:
                words = tidy.replace_strict(_TRUTHS, default=None, return_dtype=pl.Float64)
                again = again.fill_null(words)
            read = read.fill_null(again)
    elif raw.dtype.is_numeric() or raw.dtype == pl.Boolean:
        read = raw.cast(pl.Float64)
    else:
        return as_numbers(as_texts(raw), truths=truths)
    values = read.fill_null(np.nan).to_numpy()
    missing = (absent | read.is_nan().fill_null(value=False)).to_numpy()
    return Numbers(values, missing, np.isnan(values) & ~missing)


def out_of_kind(values: Floats, kind: OutcomeKind) -> Mask:
    """Mark the numbers that an outcome of this kind cannot take; NaN is not marked."""
    with np.errstate(invalid="ignore"):
        fits = {
            "binary": (values == 0) | (values == 1),
            "rate": (values >= 0) & (values <= 1),
            "real": np.isfinite(values),
            "count": (values >= 0) & (values == np.floor(values)) & np.isfinite(values),
        }[kind]
    wrong: Mask = ~fits & ~np.isnan(values)
    return wrong


def as_texts(raw: pl.Series) -> pl.Series:
    """Read ids and categories as text; whole floats lose their ``.0``, empty is missing."""
    if raw.dtype.is_float():
        raw = raw.fill_nan(None)
        given = raw.drop_nulls()
        if bool(((given == given.floor()) & (given.abs() < 2**53)).all()):
            raw = raw.cast(pl.Int64)
    texts = raw.cast(pl.String)
    if not (texts == "").any():
        return texts
    return texts.zip_with(texts != "", pl.Series([None], dtype=pl.String))


def looks_numeric(raw: pl.Series) -> bool:
    """Whether a column of attributes holds numbers: at least 95% of its values read as such.

    The rest are reported as values of the wrong type, so that one stray word does not turn
    a million numbers into a million categories.
    """
    if raw.dtype.is_numeric() or raw.dtype == pl.Boolean:
        return True
    numbers = as_numbers(raw, truths=True)
    given = int((~numbers.missing).sum())
    return given > 0 and int(numbers.wrong_type.sum()) * 20 <= given
