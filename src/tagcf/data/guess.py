"""A first tagcf.toml from the names and values of the files: to be read and corrected."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from tagcf.data.files import Table, head, open_table
from tagcf.data.values import as_numbers, as_texts
from tagcf.errors import DataError

_ROWS = 10_000  # rows looked at
_FEW = 12  # a column with at most so many values can split the audience
_LONG = 8  # characters from which a text is more than a label, on average

# What people call their columns, most telling first.
_USER = ("user_id", "uid", "userid", "user", "visitor_id", "member_id", "student_id", "device_id")
_ITEM = (
    "item_id",
    "video_id",
    "photo_id",
    "note_id",
    "goods_id",
    "product_id",
    "course_id",
    "article_id",
    "news_id",
    "content_id",
    "itemid",
    "iid",
    "item",
)
_TIME = ("ts", "timestamp", "time", "time_ms", "event_time", "datetime", "date", "created_at")
_RANDOM = ("is_random", "is_rand", "randomized", "random", "is_randomized")
_PROPENSITY = ("p", "propensity", "exposure_prob", "propensity_score", "prob")
_WEIGHT = ("weight", "n_rows")
_STRATUM = ("test_id", "clickability_test_id", "stratum", "experiment_id")
_AUTHOR = ("author_id", "author", "creator_id", "uploader_id", "streamer_id", "seller_id", "brand")
_TRIALS = ("impressions", "exposures", "views", "trials")
_SUCCESSES = ("clicks", "click", "conversions", "successes", "purchases")
_DURATION = ("duration_s", "duration", "duration_ms", "video_duration", "length_s")
_TEXT = ("title", "headline", "caption", "name", "description", "text", "excerpt", "body")
# A path on this disk; an address in the net is none.
_FILM = re.compile(r"(?i)^(?![a-z][a-z0-9+.-]*://).*\.(mp4|m4v|mov|flv|mkv|webm|avi|ts|gif)$")
_SOUND = re.compile(r"(?i)^(?![a-z][a-z0-9+.-]*://).*\.(wav|flac|mp3|m4a|ogg|aac)$")
_PICTURE = re.compile(r"(?i)^(?![a-z][a-z0-9+.-]*://).*\.(png|jpe?g|webp|bmp)$")
_MOSTLY = 0.8  # share of the values that must be paths to media
_NO_OUTCOME = re.compile(
    r"(^|_)(id|ts|time_ms|timestamp|date|hour|hourmin|weekday|bucket|group|arm|position|rank|tab|"
    r"device|week|test_week|version)$"
)


@dataclass(frozen=True, slots=True)
class _Look:
    """A table with its first rows."""

    table: Table
    rows: pl.DataFrame

    def first(self, names: Iterable[str]) -> str | None:
        """Return the first of `names` that the table has, in whatever case."""
        lower = {column.lower(): column for column in self.table.columns}
        return next((lower[name] for name in names if name in lower), None)


def guess_settings(root: Path) -> dict[str, Any]:
    """Guess the settings of a folder by looking at its files.

    Content without impressions can be tagged, and no more: then there are no outcomes.

    Raises
    ------
    DataError
        There are neither impressions nor anything of items.* to tag, or no column looks like an
        item or an outcome.
    """
    log, items, users = (_look(root, name) for name in ("impressions", "items", "users"))
    if log is None:
        return _to_tag(root, items)
    data = {
        "user": log.first(_USER) or "",
        "item": _item(log),
        "time": log.first(_TIME) or "",
    }
    weight = log.first(_WEIGHT)
    data |= {"weight": weight} if weight else {}
    design = _design(log, items, users, has_time=bool(data["time"]))
    taken = {*data.values(), design.get("stratum"), design.get("randomized")}
    outcomes = _outcomes(log, {*taken, design.get("propensity")})
    if not outcomes:
        raise DataError("init.no_outcome_found", path=log.table.path)
    settings: dict[str, Any] = {"data": data, "outcomes": outcomes, "design": design}
    content = _content(items, str(data["item"])) if items else {}
    return settings | ({"content": content} if content else {})


def _to_tag(root: Path, items: _Look | None) -> dict[str, Any]:
    """Settings of a folder that has items.* alone."""
    item = items.first((*_ITEM, "id")) if items else None
    content = _content(items, item) if items and item else {}
    if not content:
        raise DataError("init.nothing", path=root)
    return {"data": {"user": "", "item": item, "time": ""}, "content": content}


def _content(items: _Look, item: str) -> dict[str, Any]:
    """What of the items can be read: texts, and files of media."""
    media = _media_column(items, item)
    text = [column for column in _text_columns(items, item) if column != media]
    return ({"text": text} if text else {}) | ({"media": media} if media else {})


def _media_column(items: _Look, item: str) -> str | None:
    """Column of paths to media: films before sounds before pictures, which may be their covers."""
    for kind in (_FILM, _SOUND, _PICTURE):
        for column in items.table.columns:
            if column != item and _are_paths(items.rows[column], kind):
                return column
    return None


def _are_paths(values: pl.Series, kind: re.Pattern[str]) -> bool:
    """Whether most values are paths to media, of this kind above all."""
    if values.dtype != pl.String:
        return False
    texts = [text.strip() for text in values.drop_nulls().to_list() if text.strip()]
    of_kind = sum(bool(kind.match(text)) for text in texts)
    media = sum(any(one.match(text) for one in (_FILM, _SOUND, _PICTURE)) for text in texts)
    return bool(texts) and of_kind > 0 and media >= _MOSTLY * len(texts) and 2 * of_kind >= media


def _look(root: Path, name: str) -> _Look | None:
    table = open_table(root, name)
    return None if table is None else _Look(table, head(table, _ROWS))


def _item(log: _Look) -> str:
    found = log.first(_ITEM)
    if found is None:
        raise DataError(
            "init.no_item_column", path=log.table.path, known=", ".join(log.table.columns)
        )
    return found


def _design(
    log: _Look, items: _Look | None, users: _Look | None, *, has_time: bool
) -> dict[str, Any]:
    found: dict[str, Any] = {
        "stratum": log.first(_STRATUM),
        "randomized": log.first(_RANDOM),
        "propensity": log.first(_PROPENSITY),
        "author": items.first(_AUTHOR) if items else None,
    }
    duration = (items.first(_DURATION) if items else None) or log.first(_DURATION)
    covariates = (["hour"] if has_time else []) + ([duration] if duration else [])
    segments = _few_valued(users) if users else []
    found = {key: value for key, value in found.items() if value}
    return found | {"covariates": covariates, "segments": segments}


def _outcomes(log: _Look, taken: set[str | None]) -> dict[str, dict[str, str]]:
    """Find columns whose values are those of a behaviour; clicks out of impressions come first."""
    successes, trials = log.first(_SUCCESSES), log.first(_TRIALS)
    if successes and trials and _kind(log.rows[trials]) == "count":
        taken = taken | {successes, trials}
        found = {"ctr": {"column": successes, "kind": "count", "trials": trials}}
    else:
        found = {}
    for column in log.table.columns:
        if column in taken or _NO_OUTCOME.search(column.lower()):
            continue
        kind = _kind(log.rows[column])
        if kind is not None:
            found[column.removeprefix("is_")] = {"column": column, "kind": kind}
    return found


def _kind(raw: pl.Series) -> str | None:
    """Kind of outcome that the values fit, the narrowest first; ``None`` for texts."""
    numbers = as_numbers(raw, truths=True)
    values = numbers.values[~numbers.missing]
    if not len(values) or numbers.wrong_type.any():
        return None
    if bool(((values == 0) | (values == 1)).all()):
        return "binary"
    if bool(((values >= 0) & (values <= 1)).all()):
        return "rate"
    whole = bool((values == values.round()).all())
    return "count" if whole and bool((values >= 0).all()) else "real"


def _few_valued(users: _Look) -> list[str]:
    """Columns of users.* with between 2 and 12 values."""
    columns: Sequence[str] = users.table.columns[1:]
    return [
        column
        for column in columns
        if 2 <= as_texts(users.rows[column]).drop_nulls().n_unique() <= _FEW
    ][:4]


def _text_columns(items: _Look, item: str) -> list[str]:
    """Columns of items.* to read: known names, else long texts that differ between items."""
    lower = {column.lower(): column for column in items.table.columns}
    named = [lower[name] for name in _TEXT if name in lower]
    if named:
        return named
    return [column for column in items.table.columns if column != item and _is_prose(items, column)]


def _is_prose(items: _Look, column: str) -> bool:
    texts = items.rows[column]
    if texts.dtype != pl.String or texts.null_count() == len(texts):
        return False
    length = texts.str.len_chars().mean()
    differing = texts.drop_nulls().n_unique() * 2 > len(texts.drop_nulls())
    return isinstance(length, float) and length >= _LONG and differing and _kind(texts) is None
