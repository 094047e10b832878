"""A simulated live platform as files of a workspace."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq

from tagcf.data.simulate.live.world import LiveWorld
from tagcf.data.workspace import atomic_path


def write_live(world: LiveWorld, folder: Path) -> tuple[Path, ...]:
    """Write events, segments, products, friends, tags and the truth; return their paths.

    Tags of segments and products are added to item_tags.csv where there is one. The same world
    gives the same bytes.
    """
    writers: dict[str, Callable[[Path], object]] = {
        "events.parquet": lambda path: pq.write_table(world.events, path),
        "segments.parquet": world.segments.write_parquet,
        "products.csv": world.products.write_csv,
        "social.csv": world.social.write_csv,
        "item_tags.csv": lambda path: _tags(world, folder).write_csv(path),
        "truth_live.parquet": world.truth.write_parquet,
    }
    for name, write in writers.items():
        with atomic_path(folder / name) as partial:
            write(partial)
    return tuple(folder / name for name in writers)


def _tags(world: LiveWorld, folder: Path) -> pl.DataFrame:
    table = world.tags.strength.tocoo()
    slugs = [tag.slug for tag in world.tags.tags]
    ids = world.tags.items.ids.to_pylist()
    live = pl.DataFrame(
        {
            "item_id": [ids[item] for item in table.coords[0]],
            "tag": [slugs[tag] for tag in table.coords[1]],
            "strength": table.data.round(3).astype(float),
            "source": ["simulated"] * len(table.data),
        }
    )
    old = folder / "item_tags.csv"
    if not old.is_file():
        return live
    kept = pl.read_csv(old, schema=live.schema)
    return pl.concat([kept.filter(~pl.col("item_id").is_in(ids)), live])
