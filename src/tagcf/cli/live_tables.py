"""Live tables as every verb of ``tagcf live`` reads them, and answers that say what they are of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tagcf.cli.json_text import echo_json
from tagcf.cli.talk import tell
from tagcf.data.workspace import Workspace, open_workspace
from tagcf.live.rooms.workspace import LiveTables, read_live


def read_told(folder: Path) -> tuple[Workspace, LiveTables]:
    """Read the live tables of a workspace; say what could not be used, and what is simulated."""
    workspace = open_workspace(folder)
    tables = read_live(workspace)
    _tell_faults(tables)
    tell_simulated(workspace)
    return workspace, tables


def tell_simulated(workspace: Workspace) -> None:
    """Say where the platform is a simulated one."""
    if workspace.settings.data.simulated:
        tell("check.simulated")


def echo_answer(workspace: Workspace, answer: dict[str, Any]) -> None:
    """Print an answer as JSON, with whether it is of a simulated platform."""
    echo_json({"simulated": workspace.settings.data.simulated, **answer})


def _tell_faults(tables: LiveTables) -> None:
    """Say what of the live tables could not be used."""
    if tables.bad.count:
        tell("live_rooms.bad_rows", count=f"{tables.bad.count:,}")
        for one in tables.bad.examples[:5]:
            tell("live_rooms.bad_row", what=one.worded())
    if tables.repeated:
        tell("live_rooms.repeated", count=f"{tables.repeated:,}")
    if tables.bad_segments:
        tell("live_rooms.bad_segments", count=f"{tables.bad_segments:,}")
    if tables.segments is None:
        tell("live_rooms.no_segments")
    if tables.tags is None:
        tell("live_rooms.no_tags")
