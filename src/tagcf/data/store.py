"""The compact log under ``out/log/``: made once from the raw files, memory-mapped ever after.

::

    out/log/<fingerprint>/head.json          what the log contains, and its bad rows
                          impressions.arrow  one row per impression, ids as dense integers
                          items.arrow        one row per item: id and what is needed of items.*
                          users.arrow        likewise

It is written into a staging folder, which takes its final name only when complete. What a
killed run left behind is never read and is removed by the next one.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import pyarrow as pa
from pydantic import TypeAdapter, ValidationError

from tagcf.data.bad_rows import Finding
from tagcf.data.content import members
from tagcf.data.files import locate
from tagcf.data.workspace import Workspace, write_text
from tagcf.types import ClusterAxis, Covariate, Instrument, Outcome, Segment

FORMAT = 1  # goes up when the layout changes, so that older stores are made again
_STAGING = "staging-"


@dataclass(frozen=True, slots=True)
class Slot:
    """Where the values of one part are: a column of a stored table, or the ids themselves."""

    table: str  # "impressions" | "items" | "users" | "user" | "item"
    column: str = ""


@dataclass(frozen=True, slots=True)
class Head:
    """What a stored log contains."""

    rows_read: int
    rows_used: int
    outcomes: tuple[Outcome, ...]
    derived: tuple[Outcome, ...]
    covariates: tuple[tuple[Covariate, Slot], ...]
    segments: tuple[tuple[Segment, Slot], ...]
    clusters: tuple[tuple[ClusterAxis, Slot], ...]
    instruments: tuple[tuple[Instrument, Slot], ...]
    stratum: Slot | None
    n_strata: int
    author: Slot | None
    n_authors: int
    orders: dict[str, list[int]]  # category column of the impressions: rank of each code
    has_user: bool
    has_randomized: bool
    findings: tuple[Finding, ...]


def fingerprint(workspace: Workspace) -> str:
    """Short hash of everything that the stored log depends on: files by size and time, settings."""
    files = []
    for name in ("impressions", "items", "users"):
        path = locate(workspace.root, name)
        for part in [] if path is None else members(path):
            stat = part.stat()
            files.append([str(part.relative_to(workspace.root)), stat.st_size, stat.st_mtime_ns])
    settings = workspace.settings.model_dump(include={"outcomes", "data", "design"})
    explicit_time = "time" in workspace.settings.data.model_fields_set
    content = json.dumps([FORMAT, files, settings, explicit_time], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()[:16]


def find_store(workspace: Workspace, key: str) -> tuple[Path, Head] | None:
    """Folder and head of a complete store; ``None`` where it has to be made."""
    folder = workspace.out / "log" / key
    try:
        head = TypeAdapter(Head).validate_json((folder / "head.json").read_bytes())
    except (OSError, ValidationError):
        return None
    return folder, head


@contextmanager
def staging(workspace: Workspace, key: str) -> Iterator[Path]:
    """Yield a folder to fill; when the block succeeds it becomes the store, the only one."""
    home = workspace.out / "log"
    home.mkdir(exist_ok=True)
    remove_abandoned(home, _STAGING)
    folder = home / f"{_STAGING}{os.getpid()}-{key}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    try:
        yield folder
        final = home / key
        shutil.rmtree(final, ignore_errors=True)  # a broken store of the same name
        folder.rename(final)
        for older in home.iterdir():
            if older != final and not older.name.startswith(_STAGING):
                shutil.rmtree(older, ignore_errors=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def write_head(folder: Path, head: Head) -> None:
    """Write the head last: a store without it is not complete."""
    write_text(folder / "head.json", json.dumps(asdict(head), ensure_ascii=False))


def write_table(path: Path, table: pa.Table) -> None:
    """Write a small table (items, users) as Arrow IPC."""
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)


def read_table(path: Path) -> pa.Table:
    """Read a table back without copying it."""
    return pa.ipc.open_file(pa.memory_map(str(path))).read_all()


def remove_abandoned(home: Path, prefix: str) -> None:
    """Remove what killed runs left: folders named by prefix and process whose process is gone."""
    for folder in home.glob(f"{prefix}*"):
        process = folder.name.removeprefix(prefix).partition("-")[0]
        if not (process.isdigit() and _alive(int(process))):
            shutil.rmtree(folder, ignore_errors=True)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
