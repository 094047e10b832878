"""Where the snapshots of all shards are, and how they become those of more or fewer."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from tagcf.data.workspace import write_text
from tagcf.errors import OutputError
from tagcf.live.interest import snapshot
from tagcf.live.interest.index.kernels import jump, jump_all
from tagcf.live.interest.index.rows import Table, add_rows
from tagcf.live.interest.reading.answers import Edit
from tagcf.live.interest.snapshot import Head, Saved
from tagcf.live.interest.state import Sizes, State, make_room, new_state

_FILE, _PREFIX = "shards.json", "at-"


@dataclass(frozen=True, slots=True)
class Layout:
    """So many shards, saved with the log up to an offset."""

    shards: int
    offset: int

    def path(self, folder: Path) -> Path:
        """Folder of the snapshots."""
        return folder / f"{_PREFIX}{self.offset}-of-{self.shards}"


def read_layout(folder: Path) -> Layout | None:
    """Layout of the snapshots in a folder; ``None`` where there are none."""
    path = folder / _FILE
    if not path.exists():
        return None
    try:
        return msgspec.json.decode(path.read_bytes(), type=Layout)
    except (OSError, msgspec.DecodeError) as broken:
        raise OutputError("live_interest.broken_snapshot", path=path, detail=broken) from broken


def write_layout(folder: Path, layout: Layout) -> None:
    """Let these snapshots count from now on; others are removed."""
    write_text(folder / _FILE, json.dumps(asdict(layout)) + "\n")
    for older in folder.glob(f"{_PREFIX}*"):
        if older != layout.path(folder):
            shutil.rmtree(older, ignore_errors=True)


def reshard(folder: str | os.PathLike[str], shards: int) -> Layout:
    """Spread what is saved in a folder over another number of shards.

    Needs the memory of one old and one new shard. A process that is killed leaves the old
    snapshots as they were.

    Raises
    ------
    OutputError
        There is nothing, or something cannot be read or written.
    """
    home = Path(folder)
    old = read_layout(home)
    if old is None:
        raise OutputError("live_interest.no_snapshot", path=home)
    new = Layout(shards, old.offset)
    if new == old:
        return old
    found = [snapshot.find(old.path(home) / str(at)) for at in range(old.shards)]
    for at in range(shards):
        state, beside = _gathered(found, at, shards)
        snapshot.save(state, beside, new.path(home) / str(at), old.offset)
    write_layout(home, new)
    return new


def _gathered(found: list[tuple[Path, Head]], at: int, shards: int) -> tuple[State, Saved]:
    """State of one new shard, from all old ones."""
    content = np.unique(np.concatenate([snapshot.content_of(*one) for one in found]))
    whole = new_state(_sizes([head for _, head in found]))
    edits: list[Edit] = []
    for path, head in found:
        state, beside = snapshot.load(_sizes([head]), path, head)
        position = np.searchsorted(content, beside.content)
        snapshot.repoint(state.memory, position, state.users.used)
        _append(whole, state, at, shards)
        edits += [edit for edit in beside.edits if jump(np.uint64(edit.user), shards) == at]
    heads = [head for _, head in found]
    whole.tally.clock[0] = max(head.clock for head in heads)
    if at == 0:  # counts are told of all shards together
        whole.tally.counts[:] = np.sum([head.counts for head in heads], axis=0)
    last = max(head.last_edit for head in heads)
    edits.sort(key=lambda edit: edit.number)
    return whole, Saved(heads[0].made_with, content, tuple(edits), last)


def _sizes(heads: list[Head]) -> Sizes:
    """Sizes that hold everything of some snapshots."""
    used = {name: sum(head.used[name] for head in heads) for name in ("users", "pairs")}
    made_with = heads[0].made_with
    return Sizes(
        half_lives=tuple(made_with["half_lives"]),
        scene_half_life=made_with["scene_half_life"] or 1.0,
        users=max(1, used["users"]),
        scenes=max(1, used["pairs"]) if made_with["scene_half_life"] else 0,
        remembered=made_with["remembered"],
        n_tags=made_with["n_tags"],
        d=made_with["d"],
    )


def _append(whole: State, part: State, at: int, shards: int) -> None:
    """Append the users of one new shard, and all scenes."""
    make_room(whole, part.users.used + part.pairs.used)
    scenes = part.scenes.rows.keys[: part.scenes.used]
    new = np.array([whole.scenes.row(key) < 0 for key in scenes[:, 0]], np.bool_)
    add_rows(whole.scenes, scenes[new], np.zeros((int(new.sum()), 8)))
    _append_rows(whole.pairs, part.pairs, at, shards)
    first, rows = _append_rows(whole.users, part.users, at, shards)
    last = first + len(rows)
    whole.memory.when[first:last] = part.memory.when[rows]
    if len(whole.vectors):
        whole.vectors[first:last] = part.vectors[rows]


def _append_rows(whole: Table, part: Table, at: int, shards: int) -> tuple[int, NDArray[np.int64]]:
    """Append the rows of a shard's users; return the first one, and which they were."""
    user = part.rows.keys[: part.used, 1].copy()
    rows = np.flatnonzero(jump_all(user, shards) == at)
    first = add_rows(whole, part.rows.keys[rows], part.rows.about[rows])
    for to, row in enumerate(rows.tolist(), start=first):
        whole.line(to)[:] = part.line(row)
    return first, rows
