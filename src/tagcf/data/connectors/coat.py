"""Coat shopping (Schnabel et al. 2016): self-selected ratings beside randomly assigned ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from tagcf.data.connectors.source import Imported, need_file, need_folder
from tagcf.errors import DataError
from tagcf.types import Floats, Reason


def import_coat(path: Path, folder: Path) -> Imported:
    """Import the folder with train.ascii, test.ascii, propensities.npz and the features.

    ``is_random`` is 1 for the 16 coats that each person was given at random; ``p`` is the
    chance of being rated: the authors' propensity of a self-selected row, the share of coats
    drawn of a random one.
    """
    home = need_folder(path, "coat")
    chosen, drawn = _grid(home / "train.ascii"), _grid(home / "test.ascii")
    with np.load(need_file(home / "propensities.npz", "coat")) as archive:
        propensity: Floats = archive["p"].astype(np.float64)
    if not chosen.shape == drawn.shape == propensity.shape:
        raise DataError("import.wrong_grid", path=home / "test.ascii", name="coat")
    share = np.broadcast_to((drawn > 0).mean(axis=1, keepdims=True), drawn.shape)
    ratings = pl.concat([_ratings(chosen, propensity, 0), _ratings(drawn, share, 1)])
    ratings.write_csv(folder / "impressions.csv")
    users, items = (
        _features(home, kind, rows)
        for kind, rows in (("user", chosen.shape[0]), ("item", chosen.shape[1]))
    )
    _wide(users, "user_id").write_csv(folder / "users.csv")
    _wide(items, "item_id").write_csv(folder / "items.csv")
    items.select(
        pl.col("id").alias("item_id"), tag=pl.col("group") + ":" + pl.col("level")
    ).write_csv(folder / "item_tags.csv")
    counts = (("chosen", int((chosen > 0).sum())), ("drawn", int((drawn > 0).sum())))
    return Imported(_SETTINGS, (Reason("import.coat", counts),))


def _grid(path: Path) -> Floats:
    """Read users × items of numbers, 0 = not rated."""
    try:
        return np.loadtxt(need_file(path, "coat"), ndmin=2)
    except ValueError as broken:
        raise DataError("data.broken_csv", path=path, detail=broken) from broken


def _ratings(grid: Floats, propensity: Floats, is_random: int) -> pl.DataFrame:
    user, item = np.nonzero(grid)
    return pl.DataFrame(
        {
            "user_id": user,
            "item_id": item,
            "rating": grid[user, item].astype(np.int64),
            "is_random": np.full(len(user), is_random),
            "p": propensity[user, item],
        }
    )


def _features(home: Path, kind: str, rows: int) -> pl.DataFrame:
    """One-hot features as rows of id, group, level."""
    hot = _grid(home / f"{kind}_features.ascii")
    names = need_file(home / f"{kind}_features_map.txt", "coat").read_text("utf-8").split("\n")
    names = [name.strip() for name in names if name.strip()]
    if hot.shape != (rows, len(names)):
        raise DataError("import.wrong_grid", path=home / f"{kind}_features.ascii", name="coat")
    row, feature = np.nonzero(hot)
    named = pl.Series([names[one] for one in feature.tolist()])
    parts = named.str.split_exact(":", 1).struct.rename_fields(["group", "level"])
    return pl.DataFrame({"id": row, "feature": parts}).unnest("feature")


def _wide(features: pl.DataFrame, id_column: str) -> pl.DataFrame:
    """One row per user or item, one column per group of features."""
    wide = features.pivot("group", index="id", values="level", aggregate_function="first")
    return wide.rename({"id": id_column}).sort(id_column)


_SETTINGS = {
    "data": {"time": "", "title": "Coat"},
    "outcomes": {"rating": {"column": "rating", "kind": "real"}},
    "design": {
        "randomized": "is_random",
        "propensity": "p",
        "segments": ["gender", "age"],
    },
}
