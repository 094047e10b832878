"""What a workspace keeps of its live stream, in out/live: events, interests, what users said."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypedDict

from tagcf.data.workspace import Workspace
from tagcf.errors import DataError
from tagcf.live.interest import InterestEngine
from tagcf.live.interest.snapshot import newest
from tagcf.live.log.log import FILE, read_log
from tagcf.live.rooms.workspace import LiveTables, Shown
from tagcf.live.stream import LiveStream
from tagcf.settings import LiveSettings
from tagcf.types import TagMatrix
from tagcf.types.live import LiveEvents

HOME = Path("out", "live")
MINUTE, DAY = 60.0, 86_400.0
Counting = Callable[[LiveEvents], LiveEvents]  # a batch to those of its events that count


class EngineOptions(TypedDict):
    """Options of `InterestEngine` that tagcf.toml sets."""

    half_lives: list[float]
    scene_half_life: float
    users_at_most: int
    remembered: int


def engine_options(settings: LiveSettings) -> EngineOptions:
    """Options of an engine, from the section [live] of tagcf.toml."""
    return EngineOptions(
        half_lives=[MINUTE * one for one in settings.half_lives_minutes],
        scene_half_life=7 * DAY if settings.scenes else 0.0,
        users_at_most=settings.users_at_most,
        remembered=settings.remembered,
    )


def open_kept(workspace: Workspace, shown: Shown | LiveTables) -> LiveStream:
    """Open the stream of a workspace for writing, or begin one; see `LiveStream.open`.

    Raises
    ------
    DataError
        There are no tags, or what is kept is broken.
    OutputError
        Another process writes, or the folder cannot be written.
    """
    options = engine_options(workspace.settings.live)
    return LiveStream.open(
        workspace.root / HOME, _tags(workspace, shown), segments=shown.segments, **options
    )


def is_kept(workspace: Workspace) -> bool:
    """Whether the workspace keeps a stream with any event in it."""
    log = workspace.root / HOME / "log"
    return (log / FILE).exists() and next(read_log(log), None) is not None


def kept_interests(
    workspace: Workspace, shown: Shown, counting: Counting | None = None
) -> InterestEngine:
    """Return the interests of the kept stream as of now; another process may be writing it.

    Parameters
    ----------
    counting
        Picks the events that count; they are then all read again, as a snapshot has the others
        in it.

    Raises
    ------
    DataError
        There are no tags, or what is kept is broken.
    OutputError
        The snapshot was made with other tags or settings.
    """
    home = workspace.root / HOME
    engine = _engine(workspace, shown)
    snapshots = home / "snapshots"
    whole = counting is not None or newest(snapshots) is None
    start = 0 if whole else engine.load(snapshots)
    if engine.overreached:
        engine.restart()
        start = 0
    for _, events in read_log(home / "log", start):
        engine.update(events if counting is None else counting(events))
    return engine


def recorded_interests(
    workspace: Workspace, tables: LiveTables, counting: Counting | None = None
) -> InterestEngine:
    """Return the interests of events.*; what users said is that of the stream."""
    engine = fresh_interests(workspace, tables)
    engine.update(tables.events if counting is None else counting(tables.events))
    return engine


def fresh_interests(workspace: Workspace, shown: Shown | LiveTables) -> InterestEngine:
    """Return an engine that has seen no events, and knows what users said to the stream.

    Raises
    ------
    DataError
        There are no tags.
    """
    return _engine(workspace, shown)


def _engine(workspace: Workspace, shown: Shown | LiveTables) -> InterestEngine:
    return InterestEngine(
        _tags(workspace, shown),
        segments=shown.segments,
        edits=workspace.root / HOME / "edits.jsonl",
        **engine_options(workspace.settings.live),
    )


def _tags(workspace: Workspace, shown: Shown | LiveTables) -> TagMatrix:
    if shown.tags is None:
        raise DataError("live_interest.no_tags", path=workspace.root)
    return shown.tags
