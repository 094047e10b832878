"""Upworthy Research Archive: headline A/B tests, one row per arm."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from tagcf.data.connectors.source import Imported, need_columns, need_file, scan_texts
from tagcf.types import Reason

_TEST = "clickability_test_id"
_NEEDED = (_TEST, "test_week", "headline", "excerpt", "eyecatcher_id", "impressions", "clicks")
# The archive's owners doubt the randomisation of tests of 2013-06-25 to 2014-01-10.
_DOUBTFUL_WEEKS = (201325, 201402)


def import_upworthy(path: Path, folder: Path) -> Imported:
    """Import the archive as one csv or csv.gz file.

    An item is an arm: test, headline and image. Rows whose randomisation is suspect are left
    out (by their column if there is one, else by week). The editors' ``winner`` is never
    taken over: it was chosen after the clicks.
    """
    rows = scan_texts(need_file(path, "upworthy")).collect()
    need_columns(path, rows.columns, _NEEDED, "upworthy")
    if "randomization_suspect" in rows.columns:
        suspect = pl.col("randomization_suspect").cast(pl.Float64, strict=False) != 0
    else:
        suspect = pl.col("test_week").cast(pl.Int64, strict=False).is_between(*_DOUBTFUL_WEEKS)
    sound = rows.filter(~suspect.fill_null(value=True))
    arm = pl.struct(_TEST, "headline", "eyecatcher_id")
    numbered = sound.with_columns(arm.rank("dense").over(_TEST).alias("k")).with_columns(
        (pl.col(_TEST) + "-" + pl.col("k").cast(pl.String)).alias("item_id")
    )
    described = ["item_id", "headline", "excerpt", "eyecatcher_id", _TEST]
    numbered.select(described).unique("item_id", keep="first", maintain_order=True).write_csv(
        folder / "items.csv"
    )
    counted = ["item_id", _TEST, "impressions", "clicks", "test_week"]
    numbered.select(counted).write_csv(folder / "impressions.csv")
    return Imported(_SETTINGS, (_told(rows.height, sound),))


def _told(n_rows: int, sound: pl.DataFrame) -> Reason:
    return Reason(
        "import.upworthy",
        (
            ("left_out", n_rows - sound.height),
            ("rows", sound.height),
            ("tests", sound[_TEST].n_unique()),
        ),
    )


_SETTINGS = {
    "data": {"user": "", "item": "item_id", "time": "", "title": "Upworthy Research Archive"},
    "outcomes": {"ctr": {"column": "clicks", "kind": "count", "trials": "impressions"}},
    "design": {"stratum": _TEST, "cluster": [_TEST]},
    "content": {"text": ["headline"]},
    "tags": {"surface": True},
}
