"""A finished import to its place: all files of it or none."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from tagcf.data.connectors.source import Imported
from tagcf.data.files import locate
from tagcf.data.settings_file import render_settings
from tagcf.data.workspace import write_text
from tagcf.errors import DataError
from tagcf.settings import FILE_NAME

_TABLES = ("impressions", "items", "users", "item_tags", "social")


def write_workspace(
    connector: Callable[[Path, Path], Imported], path: Path, folder: Path, *, force: bool
) -> Imported:
    """Run a connector into a staging folder, then put the workspace in its place.

    With `force` a non-empty folder is used: tables of the same names and ``out/`` are replaced,
    other files stay.

    Raises
    ------
    DataError
        The folder is not empty (without `force`), or the source is not as the layout says.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())) and not force:
        raise DataError("import.folder_not_empty", path=folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        imported = connector(path, staging)
        write_text(staging / FILE_NAME, render_settings(imported.settings))
        _move_in(staging, folder)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return imported


def _move_in(staging: Path, folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    for table in _TABLES:
        old = locate(folder, table)
        if old is not None and old.is_dir():
            shutil.rmtree(old)
        elif old is not None:
            old.unlink()
    shutil.rmtree(folder / "out", ignore_errors=True)
    # The settings come last: a folder without them is not a workspace yet.
    for file in sorted(staging.iterdir(), key=lambda one: one.name == FILE_NAME):
        file.replace(folder / file.name)
