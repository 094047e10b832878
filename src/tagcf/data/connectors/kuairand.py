"""KuaiRand: standard and random exposure logs of a short-video app, videos and users."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from tagcf.data.connectors.source import Imported, need_columns, need_folder, scan_texts
from tagcf.errors import DataError
from tagcf.types import Reason

# Their column -> our outcome. Like is `is_like` in the logs and `label` in the sample.
_OUTCOMES = {
    "is_click": "click",
    "long_view": "long_view",
    "is_like": "like",
    "is_follow": "follow",
    "is_comment": "comment",
    "is_forward": "forward",
    "is_hate": "hate",
    "is_profile_enter": "profile_enter",
    "label": "like",
}
_USER_COLUMNS = (
    "user_active_degree",
    "is_lowactive_period",
    "is_live_streamer",
    "is_video_author",
    "follow_user_num_range",
    "fans_user_num_range",
    "friend_user_num_range",
    "register_days_range",
)


def import_kuairand(path: Path, folder: Path) -> Imported:
    """Import a folder in the public layout, or the sample of liked and hated rows.

    Reads log_standard*.csv, log_random*.csv (or processed_standard*.csv, tab separated),
    user_features*.csv and video_features_basic*.csv. The statistics of the videos are left
    alone: they were counted after the impressions.
    """
    home = need_folder(path, "kuairand")
    logs = [(one, 0) for one in sorted(home.rglob("log_standard*.csv"))]
    logs += [(one, 1) for one in sorted(home.rglob("log_random*.csv"))]
    sample = sorted(home.rglob("processed_standard*.csv"))
    frames = [_log(one, ",", is_random) for one, is_random in logs]
    if not logs:
        frames = [_log(one, "\t", 0) for one in sample]
    if not frames:
        raise DataError("import.no_source", path=home, name="kuairand")
    log = pl.concat(frames, how="diagonal")
    log.sink_parquet(folder / "impressions.parquet")
    has_users = _users(home, folder)
    has_items = _videos(home, folder)
    columns = log.collect_schema().names()
    notes = [] if logs else [Reason("import.kuairand_sample")]
    if not any(is_random for _, is_random in logs):
        notes.append(Reason("import.kuairand_no_random"))
    settings = _settings(columns, has_users=has_users, has_items=has_items, is_sample=not logs)
    return Imported(settings, tuple(notes))


def _log(path: Path, separator: str, is_random: int) -> pl.LazyFrame:
    """Scan one log under our names; ``is_rand`` counts where a file has it."""
    frame = scan_texts(path, separator)
    known = frame.collect_schema().names()
    need_columns(path, known, ("user_id", "video_id", "time_ms"), "kuairand")
    columns = {
        "user_id": pl.col("user_id"),
        "item_id": pl.col("video_id"),
        "ts": pl.col("time_ms").cast(pl.Float64) / 1000,
        "is_random": pl.col("is_rand").cast(pl.Int8)
        if "is_rand" in known
        else pl.lit(is_random, pl.Int8),
    }
    for theirs, ours in _OUTCOMES.items():
        if theirs in known:
            columns[ours] = pl.col(theirs).cast(pl.Int8, strict=False)
    if "play_time_ms" in known:
        columns["watch_s"] = pl.col("play_time_ms").cast(pl.Float64, strict=False) / 1000
    if "tab" in known:
        columns["tab"] = pl.col("tab")
    return frame.select(**columns)


def _videos(home: Path, folder: Path) -> bool:
    """Write items.parquet and item_tags.parquet; tags are numbers without a published name."""
    paths = sorted(home.rglob("video_features_basic*.csv"))
    if not paths:
        return False
    frame = scan_texts(paths)
    needed = ("video_id", "author_id", "video_duration", "tag")
    need_columns(paths[0], frame.collect_schema().names(), needed, "kuairand")
    videos = frame.select(
        pl.col("video_id").alias("item_id"),
        pl.col("author_id"),
        (pl.col("video_duration").cast(pl.Float64, strict=False) / 1000).alias("duration_s"),
        pl.col("^(video_type|upload_dt|upload_type|music_id|music_type)$"),
        pl.col("tag"),
    ).collect()
    videos.drop("tag").write_parquet(folder / "items.parquet")
    tags = videos.select("item_id", tag=pl.col("tag").str.split(",")).explode("tag")
    tags = tags.with_columns(pl.col("tag").str.strip_chars()).filter(pl.col("tag") != "")
    tags.select(
        "item_id", tag="kuairand-tag-" + pl.col("tag"), source=pl.lit("kuairand")
    ).write_parquet(folder / "item_tags.parquet")
    return True


def _users(home: Path, folder: Path) -> bool:
    paths = sorted(home.rglob("user_features*.csv"))
    if not paths:
        return False
    frame = scan_texts(paths)
    known = frame.collect_schema().names()
    need_columns(paths[0], known, ("user_id",), "kuairand")
    wanted = ["user_id", *(column for column in _USER_COLUMNS if column in known)]
    frame.select(wanted).sink_parquet(folder / "users.parquet")
    return True


def _settings(
    columns: list[str], *, has_users: bool, has_items: bool, is_sample: bool
) -> dict[str, Any]:
    outcomes: dict[str, dict[str, str]] = {
        ours: {"column": ours, "kind": "binary"}
        for ours in dict.fromkeys(_OUTCOMES.values())
        if ours in columns
    }
    if "watch_s" in columns:
        outcomes["watch_s"] = {"column": "watch_s", "kind": "real"}
    covariates = ["hour"] + (["tab"] if "tab" in columns else [])
    design: dict[str, Any] = {"randomized": "is_random"}
    if has_items:
        design["author"] = "author_id"
        covariates.append("duration_s")
    if has_users:
        covariates.append("user_active_degree")
        design["segments"] = ["user_active_degree"]
    title = "KuaiRand (sample of liked and hated rows: no causal claims)"
    return {
        "data": {
            "timezone": "Asia/Shanghai",
            "title": title if is_sample else "KuaiRand",
        },
        "outcomes": outcomes,
        "design": design | {"covariates": covariates},
    }
