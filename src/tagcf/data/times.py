"""Times as people write them to epoch seconds in UTC, and what the clock says there."""

from __future__ import annotations

import zoneinfo
from dataclasses import dataclass

import numpy as np
import polars as pl

from tagcf.errors import SettingsError
from tagcf.text import did_you_mean
from tagcf.types import Codes, Floats, Mask

CLOCK_LEVELS = {
    "hour": tuple(str(hour) for hour in range(24)),
    "weekday": tuple(str(day) for day in range(1, 8)),  # ISO: Monday is 1
}
# Epoch seconds of this size would lie after the year 5000; the finer units start here.
_MILLISECONDS, _MICROSECONDS, _NANOSECONDS = 1e11, 1e14, 1e17
_OFFSET = r"\s*(Z|z|[+-]\d{2}(?::?\d{2})?)"
_ISO = (
    r"^(\d{4}-\d{1,2}-\d{1,2})"
    rf"(?:[T ](\d{{1,2}}:\d{{2}}(?::\d{{2}}(?:\.\d+)?)?)(?:{_OFFSET})?)?$"
)
_FEW_ENDINGS = 100  # different time zone offsets of one block


@dataclass(frozen=True, slots=True)
class ReadTimes:
    """Epoch seconds (n,), NaN where unreadable or missing."""

    seconds: Floats
    unreadable: Mask
    milliseconds: Mask  # numbers too large for seconds, divided accordingly


def check_zone(name: str) -> str:
    """Return `name` if it is a time zone, else raise `SettingsError` with near names."""
    epoch = pl.Series([0], dtype=pl.Int64).cast(pl.Datetime("us", "UTC"))
    try:  # polars brings its own zones; the system may have none
        epoch.dt.convert_time_zone(name or "?").dt.hour()
    except pl.exceptions.PolarsError:
        hint = did_you_mean(name, zoneinfo.available_timezones())
        raise SettingsError("data.unknown_zone", name=name, hint=hint) from None
    return name


def read_times(raw: pl.Series, zone: str) -> ReadTimes:
    """Read ISO 8601 (with or without offset) or epoch seconds, milli-, micro-, nanoseconds.

    Times that name no zone are taken to be in `zone`.
    """
    nothing = np.zeros(len(raw), bool)
    if raw.dtype.is_temporal():
        seconds = _of_datetimes(raw.cast(pl.Datetime("us")) if raw.dtype == pl.Date else raw, zone)
        return ReadTimes(seconds, np.isnan(seconds) & ~raw.is_null().to_numpy(), nothing)
    given = raw.is_not_null().to_numpy()
    numbers = raw.cast(pl.Float64, strict=False)
    seconds, large = _of_epochs(numbers.fill_null(np.nan).to_numpy())
    if raw.dtype == pl.String and numbers.null_count() > raw.null_count():
        written = _of_iso(raw, zone)
        seconds = np.where(numbers.is_null().to_numpy(), written, seconds)
    return ReadTimes(seconds, given & ~np.isfinite(seconds), large)


def clock(seconds: Floats, part: str, zone: str) -> Codes:
    """Hour 0..23 or weekday 0..6 (Monday first) on the clocks of `zone`; -1 where unknown."""
    micros = pl.Series(np.where(np.isfinite(seconds), seconds, 0) * 1e6).cast(pl.Int64)
    local = micros.cast(pl.Datetime("us", "UTC")).dt.convert_time_zone(zone).dt
    code = local.hour() if part == "hour" else local.weekday() - 1
    return np.where(np.isfinite(seconds), code.to_numpy(), -1).astype(np.int32)


def _of_epochs(numbers: Floats) -> tuple[Floats, Mask]:
    size = np.abs(numbers)
    with np.errstate(invalid="ignore"):
        large = size >= _MILLISECONDS
        unit = np.select([size >= _NANOSECONDS, size >= _MICROSECONDS, large], [1e9, 1e6, 1e3], 1.0)
    return numbers / unit, large


def _of_iso(raw: pl.Series, zone: str) -> Floats:
    """Epoch seconds of texts; dates may be written with slashes.

    Logs are written by machines: nearly all times are 19 characters and one of a few
    endings, which need no regular expression. The others take the slow way.
    """
    texts = raw.str.strip_chars().str.replace_all("/", "-", literal=True)
    stem, ending = texts.str.slice(0, 19).str.replace(" ", "T", literal=True), texts.str.slice(19)
    local = stem.str.to_datetime("%Y-%m-%dT%H:%M:%S", strict=False, time_unit="us")
    shift = _shifts_of_endings(ending.set(local.is_null(), None))
    plain = _of_datetimes(local, "UTC") - shift
    naive = (local.is_not_null() & (ending == "")).to_numpy()
    seconds = np.where(naive, _of_datetimes(local, zone), plain) if naive.any() else plain
    rest = np.isnan(shift) & texts.is_not_null().to_numpy()
    if rest.any():
        seconds[rest] = _of_any_iso(texts.filter(rest), zone)
    return seconds


def _shifts_of_endings(endings: pl.Series) -> Floats:
    """Offset from UTC in seconds (n,), 0 for none; NaN where the ending is not an offset."""
    different = endings.drop_nulls().unique()
    if not 0 < len(different) <= _FEW_ENDINGS:
        return np.full(len(endings), np.nan)
    offsets = different.str.extract(rf"^{_OFFSET}$", 1)
    shifts = pl.select(_shift(offsets))[:, 0].fill_null(0).cast(pl.Float64)
    known = (different == "") | offsets.is_not_null()
    found = endings.replace_strict(
        different.filter(known), shifts.filter(known), default=None, return_dtype=pl.Float64
    )
    return found.fill_null(np.nan).to_numpy().copy()


def _of_any_iso(texts: pl.Series, zone: str) -> Floats:
    """Epoch seconds of texts that may lack the time, have fractions or any offset."""
    day, time_of_day, offset = (texts.str.extract(_ISO, group) for group in (1, 2, 3))
    time = pl.col("time").fill_null("00:00:00")
    full = pl.when(time.str.len_chars() <= 5).then(time + ":00").otherwise(time)
    read = pl.select(day=day, time=time_of_day, shift=_shift(offset)).select(
        local=(pl.col("day") + " " + full).str.to_datetime(
            "%Y-%m-%d %H:%M:%S%.f", strict=False, time_unit="us"
        ),
        shift=pl.col("shift").cast(pl.Float64),
    )
    shifts = read["shift"].fill_null(np.nan).to_numpy()
    zoned, plain = _of_datetimes(read["local"], zone), _of_datetimes(read["local"], "UTC")
    return np.where(np.isnan(shifts), zoned, plain - shifts)


def _shift(offset: pl.Series) -> pl.Expr:
    """Seconds that an offset (Z, +08, -0330, +05:30) is ahead of UTC; null for none."""
    written = pl.lit(offset)
    digits = written.str.replace_all(r"\D", "").str.pad_end(4, "0")
    sign = pl.when(written.str.starts_with("-")).then(-1).otherwise(1)
    hours = digits.str.slice(0, 2).cast(pl.Int64, strict=False)
    minutes = digits.str.slice(2, 2).cast(pl.Int64, strict=False)
    return sign * (hours * 3600 + minutes * 60)


def _of_datetimes(moments: pl.Series, zone: str) -> Floats:
    """Epoch seconds; NaN for local times that the clocks skipped, the first of doubled ones."""
    if getattr(moments.dtype, "time_zone", None) is None:
        moments = moments.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
    return moments.dt.epoch("us").cast(pl.Float64).fill_null(np.nan).to_numpy() / 1e6
