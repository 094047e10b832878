"""A simulated platform as a workspace like any other, plus its truth."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from tagcf.data.simulate.configuration import settings_text, tag_graph
from tagcf.data.simulate.titles import item_titles
from tagcf.data.simulate.world import World, author_names, bucket_names, tier_names
from tagcf.data.workspace import atomic_path, write_text
from tagcf.types import Floats

ROW_GROUP = 262_144


def write_world(world: World, folder: Path) -> tuple[Path, ...]:
    """Write the workspace files of a world and return their paths.

    The same world gives the same bytes. Each file is written atomically; tagcf.toml comes
    last, so that a folder with it is complete.
    """
    writers: dict[str, Callable[[World, Path], None]] = {
        "impressions.parquet": _write_impressions,
        "items.csv": _write_items,
        "users.csv": _write_users,
        "item_tags.csv": _write_item_tags,
        "truth.parquet": lambda world, path: world.truth.write_parquet(path),
    }
    for name, write in writers.items():
        with atomic_path(folder / name) as partial:
            write(world, partial)
    texts = {"tag_graph.yaml": tag_graph(world), "tagcf.toml": settings_text(world)}
    for name, text in texts.items():
        write_text(folder / name, text)
    return tuple(folder / name for name in (*writers, *texts))


def _write_impressions(world: World, path: Path) -> None:
    with pq.ParquetWriter(path, _impressions(world, slice(0, 0)).schema) as writer:
        for start in range(0, world.log.n_rows, ROW_GROUP):
            writer.write_table(_impressions(world, slice(start, start + ROW_GROUP)))


def _impressions(world: World, rows: slice) -> pa.Table:
    shown, drawn = world.shown, world.drawn[rows]
    user = shown.user[rows]
    columns: dict[str, object] = {
        "user_id": world.log.users.ids.take(user),
        "item_id": world.log.items.ids.take(shown.item[rows]),
        "ts": pa.array(shown.ts[rows].astype(np.int64)),
        "hour": pa.array(shown.hour[rows].astype(np.int8)),
        "is_rand": pa.array(shown.randomized[rows].astype(np.int8)),
        "p": pa.array(shown.propensity[rows]),
        "bucket": pa.array(bucket_names(world.mechanism.audience, user), pa.string()),
    }
    for outcome, values in zip(world.log.outcomes, drawn.T, strict=True):
        columns[outcome.name] = _outcome_column(outcome.kind, values)
    return pa.table(columns)


def _outcome_column(kind: str, values: Floats) -> NDArray[np.generic]:
    if kind == "real":
        return np.round(values, 2)
    return values.astype(np.int8 if kind == "binary" else np.int32)


def _write_items(world: World, path: Path) -> None:
    catalogue = world.mechanism.catalogue
    names = author_names(catalogue)
    table = pl.DataFrame(
        {
            "item_id": world.log.items.ids.to_pylist(),
            "author_id": [names[author] for author in catalogue.author],
            "title": item_titles(world),
            "duration_s": catalogue.duration_s,
        }
    )
    table.write_csv(path)


def _write_users(world: World, path: Path) -> None:
    audience, sector = world.mechanism.audience, world.sector
    tiers = tier_names()
    table = pl.DataFrame(
        {
            "user_id": world.log.users.ids.to_pylist(),
            "city_tier": [tiers[tier] for tier in audience.city_tier],
            "age_band": [sector.age_bands[band] for band in audience.age_band],
            "role": [sector.roles[role] for role in audience.role],
            "user_activity": audience.user_activity,
        }
    )
    table.write_csv(path)


def _write_item_tags(world: World, path: Path) -> None:
    item, tag = np.nonzero(world.mechanism.catalogue.carried)
    slugs = [one.slug for one in world.tags.tags]
    table = pl.DataFrame(
        {
            "item_id": world.log.items.ids.take(item).to_pylist(),
            "tag": [slugs[t] for t in tag],
            "strength": np.ones(len(item)),
            "source": ["simulated"] * len(item),
        }
    )
    table.write_csv(path)
