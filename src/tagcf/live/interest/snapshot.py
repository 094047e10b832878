"""The state on disk: a folder that is complete or not there.

::

    snapshot-<offset>/head.json      what it was made with, the length and check sum of each file
                      users.*  pairs.*  scenes.*  vectors  memory   rows in use, as in memory
                      content        keys of the content that `memory` speaks of by position
                      edits.jsonl    edits in force
"""

from __future__ import annotations

import json
import os
import shutil
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from tagcf.data.store import remove_abandoned
from tagcf.errors import OutputError
from tagcf.live.interest.index.kernels import put_all
from tagcf.live.interest.index.rows import Table
from tagcf.live.interest.reading.answers import Edit
from tagcf.live.interest.shared_lines import as_line
from tagcf.live.interest.state import Sizes, State, make_room, new_state
from tagcf.live.interest.update.arrays import Memory
from tagcf.types.live import Keys

FORMAT = 1  # goes up when the layout changes
_PREFIX, _STAGING = "snapshot-", "staging-"
_CHUNK = 1 << 24


@dataclass(frozen=True, slots=True)
class Head:
    """What a snapshot was made with; the state means something else with anything else."""

    format: int
    offset: int
    made_with: dict[str, Any]
    last_edit: int
    used: dict[str, int]  # rows in use, by table
    clock: float
    counts: list[int]
    files: dict[str, tuple[int, int]]  # bytes and CRC-32


def newest(folder: Path) -> Path | None:
    """Newest complete snapshot in a folder; ``None`` where there is none."""
    found = [path for path in folder.glob(f"{_PREFIX}*") if (path / "head.json").is_file()]
    return max(found, key=lambda path: path.name, default=None)


@dataclass(frozen=True, slots=True)
class Saved:
    """What a snapshot holds beside the rows of the state."""

    made_with: dict[str, Any]
    content: Keys
    edits: tuple[Edit, ...]
    last_edit: int


def save(state: State, beside: Saved, folder: Path, offset: int) -> Path:
    """Write a snapshot beside the earlier ones, then remove those."""
    staging = folder / f"{_STAGING}{os.getpid()}-{offset}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        remove_abandoned(folder, _STAGING)
        staging.mkdir()
        _fill(staging, state, beside, offset)
        final = folder / f"{_PREFIX}{offset:020d}"
        _put_in_place(staging, final)
        for older in folder.glob(f"{_PREFIX}*"):
            if older != final:
                shutil.rmtree(older, ignore_errors=True)
    except OSError as failed:
        detail = failed.strerror or str(failed)
        raise OutputError("live_interest.not_saved", path=folder, detail=detail) from failed
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return final


def _fill(folder: Path, state: State, beside: Saved, offset: int) -> None:
    """Write the files of a snapshot; its head last."""
    lines = np.frombuffer("".join(map(as_line, beside.edits)).encode(), np.uint8)
    written = {**arrays_of(state), "content": beside.content, "edits.jsonl": lines}
    files = {name: _write(folder / name, array) for name, array in written.items()}
    head = Head(
        *(FORMAT, offset, beside.made_with, beside.last_edit, used_of(state)),
        *(float(state.tally.clock[0]), state.tally.counts.tolist(), files),
    )
    text = json.dumps(asdict(head), ensure_ascii=False).encode()
    _write(folder / "head.json", np.frombuffer(text, np.uint8))
    _sync(folder)


def find(folder: Path) -> tuple[Path, Head]:
    """Find the newest snapshot in a folder, and what it says of itself.

    Raises
    ------
    OutputError
        There is none, or it cannot be read.
    """
    path = newest(folder)
    if path is None:
        raise OutputError("live_interest.no_snapshot", path=folder)
    return path, read_head(path)


def load(sizes: Sizes, path: Path, head: Head) -> tuple[State, Saved]:
    """Read a snapshot into a state of these sizes."""
    state = new_state(sizes)
    read_into(state, path, head)
    content = content_of(path, head)
    edits = tuple(read_edits_of(path, head))
    return state, Saved(head.made_with, content, edits, head.last_edit)


def arrays_of(state: State) -> dict[str, NDArray[Any]]:
    """Rows in use of each array, by the name of its file."""
    n = state.users.used
    found: dict[str, NDArray[Any]] = {}
    for name, table in tables_of(state).items():
        found[f"{name}.keys"] = table.rows.keys[: table.used]
        found[f"{name}.about"] = table.rows.about[: table.used]
        found[f"{name}.cells"] = table.cells[: table.used * table.width]
    return {**found, "vectors": state.vectors[:n], "memory": state.memory.when[:n]}


def tables_of(state: State) -> dict[str, Table]:
    """Tables by name."""
    return {"users": state.users, "pairs": state.pairs, "scenes": state.scenes}


def used_of(state: State) -> dict[str, int]:
    """Rows in use, by table."""
    return {name: table.used for name, table in tables_of(state).items()}


def bytes_used(state: State) -> int:
    """Bytes of the rows in use and of the indexes."""
    slots = sum(table.rows.slots.nbytes for table in tables_of(state).values())
    return slots + sum(array.nbytes for array in arrays_of(state).values())


def read_head(path: Path) -> Head:
    """Read what a snapshot says of itself."""
    try:
        head = msgspec.json.decode((path / "head.json").read_bytes(), type=Head)
    except (OSError, msgspec.DecodeError) as broken:
        raise OutputError("live_interest.broken_snapshot", path=path, detail=broken) from broken
    if head.format != FORMAT:
        raise OutputError(
            "live_interest.other_format", path=path, found=head.format, expected=FORMAT
        )
    return head


def check_made_with(path: Path, then: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Refuse a snapshot whose state would mean something else here."""
    for name, value in now.items():
        if then.get(name) != value:
            raise OutputError(
                *("live_interest.made_otherwise",),
                **{"path": path, "name": name, "found": then.get(name), "expected": value},
            )


def read_into(state: State, path: Path, head: Head) -> None:
    """Fill an empty state."""
    for name, table in tables_of(state).items():
        n = head.used[name]
        if n > table.capacity:
            raise OutputError(
                "live_interest.too_small", path=path, name=name, n=n, room=table.capacity
            )
        table.rows.n_rows[0] = n
    make_room(state, 0)
    for name, array in arrays_of(state).items():
        _read(path, name, head, into=array)
    for table in tables_of(state).values():
        put_all(table.rows.slots, table.rows.keys[: table.used, 0].copy(), 0)
    state.tally.clock[0] = head.clock
    state.tally.counts[:] = head.counts


def repoint(memory: Memory, position: NDArray[np.int64], n_users: int) -> None:
    """Let remembered events point at content by new positions; -1 where it is gone."""
    what = memory.what[:n_users, :, 2]
    what[...] = np.append(position, -1)[what]


def content_of(path: Path, head: Head) -> Keys:
    """Keys of the content that a snapshot speaks of by position."""
    return np.frombuffer(_read(path, "content", head), np.uint64)


def read_edits_of(path: Path, head: Head) -> list[Edit]:
    """Edits of a snapshot, in order."""
    lines = _read(path, "edits.jsonl", head).tobytes().splitlines()
    return [msgspec.json.decode(line, type=Edit) for line in lines]


def _read(path: Path, name: str, head: Head, into: NDArray[Any] | None = None) -> NDArray[np.uint8]:
    """Bytes of a file, which have to be those that were written."""
    size, crc = head.files[name]
    target = np.empty(size, np.uint8) if into is None else into.reshape(-1).view(np.uint8)
    found = 0
    try:
        with (path / name).open("rb") as file:
            complete = os.fstat(file.fileno()).st_size == size == target.size
            for first in range(0, size if complete else 0, _CHUNK):
                part = target[first : first + _CHUNK].data
                complete &= file.readinto(part) == len(part)
                found = zlib.crc32(part, found)
    except OSError as broken:
        raise OutputError("live_interest.broken_snapshot", path=path, detail=broken) from broken
    if not complete or found != crc:
        raise OutputError("live_interest.broken_snapshot", path=path, detail=name)
    return target


def _write(path: Path, array: NDArray[Any]) -> tuple[int, int]:
    """Write an array through to disk; return its bytes and their check sum."""
    raw, crc = array.reshape(-1).view(np.uint8), 0
    with path.open("wb") as file:
        for first in range(0, raw.size, _CHUNK):
            part = raw[first : first + _CHUNK].data
            crc = zlib.crc32(part, crc)
            file.write(part)
        file.flush()
        os.fsync(file.fileno())
    return raw.size, crc


def _put_in_place(staging: Path, final: Path) -> None:
    """Give a complete snapshot its name; one of the same offset makes way for it."""
    if final.exists():
        stale = final.with_name(f"{_STAGING}{os.getpid()}-old")
        final.rename(stale)
        staging.rename(final)
        shutil.rmtree(stale, ignore_errors=True)
    else:
        staging.rename(final)
    _sync(final.parent)


def _sync(folder: Path) -> None:
    """Make names in a folder outlive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
