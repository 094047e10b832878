"""A workspace is a folder. Where its files are, and writing them so that a crash loses nothing."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tagcf.errors import OutputError
from tagcf.settings import Settings, load_settings


@dataclass(frozen=True, slots=True)
class Workspace:
    """A folder with ``tagcf.toml``, and the settings read from it."""

    root: Path
    settings: Settings

    @property
    def out(self) -> Path:
        """Folder of everything that tagcf writes; made on first use.

        Raises
        ------
        OutputError
            It cannot be made: a file of that name is in the way, or writing is not allowed.
        """
        folder = self.root / "out"
        try:
            folder.mkdir(exist_ok=True)
        except OSError as failed:
            detail = failed.strerror or str(failed)
            raise OutputError("error.no_out", path=folder, detail=detail) from failed
        return folder


def open_workspace(root: str | os.PathLike[str]) -> Workspace:
    """Open a workspace and read its settings (raises `SettingsError`)."""
    folder = Path(root)
    return Workspace(folder, load_settings(folder))


@contextmanager
def atomic_path(target: Path) -> Iterator[Path]:
    """Yield a path to write to; it takes the place of `target` only when the block succeeds.

    The file is flushed to disk before it is renamed, so that a killed run or a power cut
    leaves either the old file or the new one.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".partial")
    os.close(handle)
    partial = Path(name)
    try:
        yield partial
        with partial.open("rb+") as written:
            os.fsync(written.fileno())
        partial.chmod(0o644)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def write_text(target: Path, text: str) -> None:
    """Write text atomically, as UTF-8."""
    with atomic_path(target) as partial:
        partial.write_text(text, "utf-8")
