"""MovieLens in three layouts: RecBole atomic files, u.data/u.item, ratings.csv/movies.csv."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from tagcf.data.connectors.source import (
    Imported,
    need_columns,
    need_file,
    need_folder,
    scan_texts,
)
from tagcf.errors import DataError
from tagcf.types import Reason

# Columns 6 to 24 of u.item, in the order of u.genre.
_GENRES = [
    "unknown",
    "Action",
    "Adventure",
    "Animation",
    "Children's",
    "Comedy",
    "Crime",
    "Documentary",
    "Drama",
    "Fantasy",
    "Film-Noir",
    "Horror",
    "Musical",
    "Mystery",
    "Romance",
    "Sci-Fi",
    "Thriller",
    "War",
    "Western",
]


@dataclass(frozen=True, slots=True)
class _Layout:
    """The three tables of a layout, columns already under our names."""

    ratings: pl.LazyFrame  # user_id, item_id, rating, ts
    items: pl.DataFrame  # item_id, title, year, genres (list)
    users: pl.DataFrame | None


def import_movielens(path: Path, folder: Path) -> Imported:
    """Import a MovieLens folder; ratings of 4 and more count as liked, genres become tags."""
    home = need_folder(path, "movielens")
    layout = _read(home)
    rating = pl.col("rating").cast(pl.Float64)
    layout.ratings.select(
        "user_id",
        "item_id",
        ts=pl.col("ts").cast(pl.Float64).cast(pl.Int64),
        rating=rating,
        liked=(rating >= 4).cast(pl.Int8),
    ).sink_parquet(folder / "impressions.parquet")
    layout.items.drop("genres").write_csv(folder / "items.csv")
    if layout.users is not None:
        layout.users.write_csv(folder / "users.csv")
    tags = layout.items.select("item_id", tag=pl.col("genres")).explode("tag").drop_nulls()
    tags.with_columns(source=pl.lit("genre")).write_csv(folder / "item_tags.csv")
    segments = {"segments": ["gender"]} if layout.users is not None else {}
    settings = _SETTINGS | ({"design": segments} if segments else {})
    return Imported(settings, (Reason("import.movielens"),))


def _read(home: Path) -> _Layout:
    atomic = sorted(home.glob("*.inter"))
    if atomic:
        return _atomic(atomic[0])
    if (home / "u.data").is_file():
        return _original(home)
    if (home / "ratings.csv").is_file():
        return _csv(home)
    raise DataError("import.no_source", path=home, name="movielens")


def _atomic(inter: Path) -> _Layout:
    ratings = _typed(inter, ("user_id", "item_id", "rating", "timestamp"))
    items = _typed(inter.with_suffix(".item"), ("item_id", "movie_title", "class")).collect()
    users = inter.with_suffix(".user")
    return _Layout(
        ratings.rename({"timestamp": "ts"}),
        items.select(
            "item_id",
            title="movie_title",
            year="release_year",
            genres=pl.col("class").str.split(" "),
        ),
        _typed(users, ("user_id",)).drop("zip_code", strict=False).collect()
        if users.is_file()
        else None,
    )


def _typed(path: Path, needed: tuple[str, ...]) -> pl.LazyFrame:
    """Scan an atomic file, whose header says ``name:type``."""
    frame = scan_texts(need_file(path, "movielens"), "\t", quoted=False)
    frame = frame.rename(lambda column: column.partition(":")[0])
    need_columns(path, frame.collect_schema().names(), needed, "movielens")
    return frame


def _original(home: Path) -> _Layout:
    """Read ml-100k as GroupLens publishes it: no headers, Latin-1 titles."""
    ratings = pl.scan_csv(
        home / "u.data",
        separator="\t",
        has_header=False,
        infer_schema=False,
        new_columns=["user_id", "item_id", "rating", "ts"],
    )
    items = _headless(home / "u.item", 5 + len(_GENRES))
    flags = [
        pl.when(pl.col(f"column_{6 + k}") == "1").then(pl.lit(genre))
        for k, genre in enumerate(_GENRES)
    ]
    users = home / "u.user"
    return _Layout(
        ratings,
        items.select(
            item_id="column_1",
            title=pl.col("column_2").str.replace(r" \(\d{4}\)$", ""),
            year=pl.col("column_3").str.extract(r"(\d{4})$"),
            genres=pl.concat_list(flags).list.drop_nulls(),
        ),
        _headless(users, 5).select(
            user_id="column_1", age="column_2", gender="column_3", occupation="column_4"
        )
        if users.is_file()
        else None,
    )


def _headless(path: Path, width: int) -> pl.DataFrame:
    text = need_file(path, "movielens").read_bytes().decode("latin-1").encode()
    frame = pl.read_csv(text, separator="|", has_header=False, quote_char=None, infer_schema=False)
    # Named by position here, because polars releases count from 0 or from 1.
    frame = frame.rename({old: f"column_{k + 1}" for k, old in enumerate(frame.columns)})
    need_columns(path, frame.columns, [f"column_{k + 1}" for k in range(width)], "movielens")
    return frame


def _csv(home: Path) -> _Layout:
    """Read the later releases: ratings.csv and movies.csv with headers, genres joined by |."""
    ratings = scan_texts(home / "ratings.csv")
    need_columns(
        home / "ratings.csv",
        ratings.collect_schema().names(),
        ("userId", "movieId", "rating", "timestamp"),
        "movielens",
    )
    movies = scan_texts(need_file(home / "movies.csv", "movielens")).collect()
    need_columns(home / "movies.csv", movies.columns, ("movieId", "title", "genres"), "movielens")
    listed = pl.when(pl.col("genres") != "(no genres listed)").then(pl.col("genres"))
    return _Layout(
        ratings.rename({"userId": "user_id", "movieId": "item_id", "timestamp": "ts"}),
        movies.select(
            item_id="movieId",
            title=pl.col("title").str.replace(r" \(\d{4}\)\s*$", ""),
            year=pl.col("title").str.extract(r"\((\d{4})\)\s*$"),
            genres=listed.str.split("|"),
        ),
        None,
    )


_SETTINGS = {
    "data": {"title": "MovieLens"},
    "outcomes": {
        "liked": {"column": "liked", "kind": "binary"},
        "rating": {"column": "rating", "kind": "real"},
    },
    "content": {"text": ["title"]},
}
