"""HetRec 2011 Last.fm: listens, folksonomy tags, friends (.dat files, tab separated)."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from tagcf.data.connectors.source import (
    Imported,
    need_columns,
    need_file,
    need_folder,
)
from tagcf.types import Reason


def import_lastfm(path: Path, folder: Path) -> Imported:
    """Import the folder with user_artists.dat, artists.dat, tags.dat and user_taggedartists.dat.

    The strength of an artist's tag is its number of taggers relative to the artist's most
    used tag.
    """
    home = need_folder(path, "lastfm")
    listens = _table(home / "user_artists.dat", ("userID", "artistID", "weight"))
    artists = _table(home / "artists.dat", ("id", "name"), header=("id", "name"))
    names = _table(home / "tags.dat", ("tagID", "tagValue"), latin=True)
    given = _table(home / "user_taggedartists.dat", ("userID", "artistID", "tagID"))
    listens.select(
        user_id="userID",
        item_id="artistID",
        listens=pl.col("weight").cast(pl.Int64),
        log_listens=pl.col("weight").cast(pl.Float64).log1p(),
    ).write_parquet(folder / "impressions.parquet")
    artists.select(item_id="id", name="name").write_csv(folder / "items.csv")
    tags = _strengths(given.join(names, on="tagID").unique(["userID", "artistID", "tagValue"]))
    tags.write_parquet(folder / "item_tags.parquet")
    friends = home / "user_friends.dat"
    if friends.is_file():
        _table(friends, ("userID", "friendID")).select(
            user_id="userID", friend_id="friendID"
        ).write_csv(folder / "social.csv")
    return Imported(_SETTINGS, (Reason("import.lastfm", (("rows", listens.height),)),))


def _strengths(given: pl.DataFrame) -> pl.DataFrame:
    """One row per artist and tag: taggers relative to the artist's most used tag."""
    counted = given.group_by("artistID", "tagValue").len("taggers")
    return counted.select(
        item_id="artistID",
        tag="tagValue",
        strength=pl.col("taggers") / pl.col("taggers").max().over("artistID"),
        source=pl.lit("folksonomy"),
    ).sort("item_id", "tag")


def _table(
    path: Path, needed: tuple[str, ...], *, latin: bool = False, header: tuple[str, ...] = ()
) -> pl.DataFrame:
    """Read one .dat file as text: nothing is quoted, tags are Latin-1.

    Some copies lack the line of names in artists.dat; `header` then gives the first ones.
    """
    content = need_file(path, "lastfm").read_bytes()
    text = content.decode("latin-1" if latin else "utf-8", "replace")
    named = not header or text.startswith((header[0], f"//{header[0]}"))
    frame = pl.read_csv(
        text.encode(), separator="\t", quote_char=None, infer_schema=False, has_header=named
    )
    if named:
        frame = frame.rename(lambda column: column.removeprefix("//"))
    else:
        frame = frame.rename(dict(zip(frame.columns, header, strict=False)))
    need_columns(path, frame.columns, needed, "lastfm")
    return frame


_SETTINGS = {
    "data": {"time": "", "title": "Last.fm (HetRec 2011)"},
    "outcomes": {
        "log_listens": {"column": "log_listens", "kind": "real"},
        "listens": {"column": "listens", "kind": "count"},
    },
    "content": {"text": ["name"]},
}
