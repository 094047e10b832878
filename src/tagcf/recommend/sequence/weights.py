"""What a trained transformer is: a handful of arrays, kept in a file without pickle."""

from __future__ import annotations

import os
import zipfile
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Self
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from tagcf.errors import OutputError

Array = NDArray[np.float32]

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Block:
    """One layer: attention, then a gated feed-forward, each on a normalised input. d wide."""

    norm_attention: Array  # (d,)
    query_key_value: Array  # (d, 3 d)
    attention_out: Array  # (d, d)
    recency: Array  # (heads, L) added to the attention logit of the event k steps back
    norm_forward: Array  # (d,)
    gate_up: Array  # (d, 2 f)
    down: Array  # (f, d)


@dataclass(frozen=True, slots=True)
class Weights:
    """A trained causal transformer over I items, d wide; reads the last L events."""

    item: Array  # (I, d) what an item is: its own vector plus the mean of its tags'
    bias: Array  # (I,) what every item scores whatever the history
    topic: Array  # (T, d) what a topic tag adds to an item; T may be 0
    role: Array  # (R, d) the same for the roles of an item; R may be 0
    first: Array  # (I,) log chance that a history begins with it: scores of an empty history
    norm_out: Array  # (d,)
    blocks: tuple[Block, ...]

    @property
    def n_items(self) -> int:
        """Count the items that can be scored."""
        return len(self.item)

    @property
    def length(self) -> int:
        """Count the events that are read, the latest ones."""
        return int(self.blocks[0].recency.shape[1])

    def with_items(self, topics: Array, roles: Array) -> Self:
        """Add items known by their tags alone.

        Parameters
        ----------
        topics
            (N, T) share of each topic tag in each new item, rows summing to 1 or 0.
        roles
            (N, R) the same for roles.
        """
        new = topics @ self.topic + roles @ self.role
        quiet = np.zeros(len(new), np.float32)
        last = np.full(len(new), self.first.min(initial=0.0), np.float32)
        return replace(
            self,
            item=np.vstack([self.item, new.astype(np.float32)]),
            bias=np.concatenate([self.bias, quiet]),
            first=np.concatenate([self.first, last]),
        )

    def save(self, path: Path) -> None:
        """Write one ``.npz``; a file of that name is replaced whole or not at all."""
        names = [one.name for one in fields(Weights) if one.name != "blocks"]
        arrays = {name: getattr(self, name) for name in names}
        for at, block in enumerate(self.blocks):
            arrays |= {f"block{at}.{one.name}": getattr(block, one.name) for one in fields(Block)}
        unfinished = path.with_name(f".{path.name}.{uuid4().hex}")
        try:
            with unfinished.open("wb") as file:
                np.savez(file, format=np.int64(FORMAT), **arrays)
            os.replace(unfinished, path)
        finally:
            unfinished.unlink(missing_ok=True)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote.

        Raises
        ------
        OutputError
            The file is missing, broken or of another format.
        """
        try:
            with np.load(path, allow_pickle=False) as file:
                kept = {name: file[name] for name in file.files}
            if int(kept.pop("format")) != FORMAT:
                raise OutputError("recommend.weights_unreadable", file=path)
            count = 1 + max(int(name[5 : name.index(".")]) for name in kept if "." in name)
            blocks = tuple(
                Block(*(kept[f"block{at}.{one.name}"] for one in fields(Block)))
                for at in range(count)
            )
            whole = {one.name: kept[one.name] for one in fields(cls) if one.name != "blocks"}
        except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as error:
            raise OutputError("recommend.weights_unreadable", file=path) from error
        return cls(**whole, blocks=blocks)
