"""The users of one platform over several processes, and over more or fewer of them later.

A user's shard is the jump consistent hash of their key: over one process more, only 1 of n users
moves. ::

    folder/shards.json             number of shards, and the folder of the newest complete snapshots
           at-<offset>-of-<n>/0 …  a snapshot of each shard
           edits.jsonl             edits, as they are made
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Self

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import ArrayLike

from tagcf.errors import OutputError, ServerError, TagCFError
from tagcf.live.interest.batches import AnyEvents, as_batch
from tagcf.live.interest.edits import Editable, Edits, read_edits
from tagcf.live.interest.engine import InterestEngine
from tagcf.live.interest.index.kernels import jump, jump_all
from tagcf.live.interest.layout import Layout, read_layout, write_layout
from tagcf.live.interest.reading.answers import (
    Edit,
    EditKind,
    InterestReason,
    TagInterest,
    Updated,
)
from tagcf.live.interest.update.arrays import Batch, chosen
from tagcf.live.wire.event import Id
from tagcf.live.wire.keys import id_key
from tagcf.types import Floats, TagMatrix

_PATIENCE = 10.0  # seconds for a process to end by itself


@dataclass(slots=True)
class _Shard:
    """A process and the way to it."""

    process: multiprocessing.process.BaseProcess
    wire: Connection


@dataclass(frozen=True, slots=True)
class _Failed:
    """An error on its way to the process that asked."""

    kind: type[TagCFError]
    key: str
    facts: dict[str, object]


class ShardedEngine(Editable):
    """An `InterestEngine` in several processes of this machine: the same questions and answers.

    Parameters
    ----------
    tags
        As of `InterestEngine`.
    shards
        Number of processes.
    folder
        Where snapshots and edits are kept. What is there is loaded, if it is of as many shards;
        `reshard` makes it so.
    **settings
        As of `InterestEngine`; `users_at_most` is that of each shard.

    Notes
    -----
    Processes are spawned: a script that makes one needs ``if __name__ == "__main__":``. Close it,
    or use it in a ``with`` block.
    """

    def __init__(
        self, tags: TagMatrix, shards: int, folder: str | os.PathLike[str], **settings: Any
    ) -> None:
        self.folder = Path(folder)
        self._edits = Edits(self.folder / "edits.jsonl", kept=True)
        known = read_edits(self.folder / "edits.jsonl")
        layout = read_layout(self.folder)
        if layout is not None and layout.shards != shards:
            raise OutputError(
                "live_interest.other_shards", path=folder, found=layout.shards, expected=shards
            )
        context = multiprocessing.get_context("spawn")
        self._shards: list[_Shard] = []
        for at in range(shards):
            here, there = context.Pipe()
            own = [edit for edit in known if shard_of(edit.user, shards) == at]
            arguments = (there, tags, {**settings, "edits": own})
            process = context.Process(target=_serve, args=arguments, daemon=True)
            process.start()
            there.close()
            self._shards.append(_Shard(process, here))
        self.offset = 0
        try:
            if layout is not None:
                self.offset = layout.offset
                path = layout.path(self.folder)
                self._each("load", [(path / str(at),) for at in range(shards)])
            clocks = self._each("clock", [()] * shards)
        except BaseException:
            self.close()
            raise
        self._now: float = max(now for now, _ in clocks)
        self._last_edit = max([number for _, number in clocks])

    def update(self, events: AnyEvents) -> Updated:
        """Let events change the interests of their users; see `InterestEngine.update`."""
        batch = as_batch(events)
        self._now = max(self._now, float(batch.ts.max(initial=0.0)))
        parts = split(batch, len(self._shards))
        told: list[Updated] = self._each("update_batch", [(part,) for part in parts])
        return Updated(*(sum(column) for column in zip(*map(astuple, told), strict=True)))

    def interest(
        self, user: Id, at: float | None = None, k: int = 20, scene: Id | None = None
    ) -> tuple[TagInterest, ...]:
        """Return the `k` strongest interests of a user; see `InterestEngine.interest`."""
        at = self._now if at is None else at
        answer: tuple[TagInterest, ...] = self._ask(user, "interest", at, k, scene)
        return answer

    def scores(
        self,
        user: Id,
        content: ArrayLike | pa.Array[Any],
        at: float | None = None,
        scene: Id | None = None,
    ) -> Floats:
        """Scores (n,) of content for a user; see `InterestEngine.scores`."""
        at = self._now if at is None else at
        scores: Floats = self._ask(user, "scores", content, at, scene)
        return scores

    def explain(self, user: Id, tag: str, at: float | None = None) -> InterestReason:
        """Say which events an interest comes from."""
        at = self._now if at is None else at
        reason: InterestReason = self._ask(user, "explain", tag, at)
        return reason

    def edits(self, user: Id) -> tuple[Edit, ...]:
        """Edits of a user that are in force."""
        edits: tuple[Edit, ...] = self._ask(user, "edits")
        return edits

    def edit(
        self,
        user: Id,
        kind: EditKind,
        tag: str | None,
        amount: float = 0.0,
        at: float | None = None,
    ) -> Edit:
        """Put an edit into force, and keep it."""
        at, number = self._now if at is None else at, self._last_edit + 1
        made: Edit = self._ask(user, "edit", kind, tag, amount, at, number)
        self._last_edit = number
        self._edits.write(made)
        return made

    def unlearn(self, user: Id) -> bool:
        """Remove a user and all that they did and said; see `InterestEngine.unlearn`."""
        found: bool = self._ask(user, "unlearn")
        self._edits.drop(id_key(user))
        return found

    def add_content(
        self,
        tags: TagMatrix,
        segments: pl.DataFrame | None = None,
        embeddings: ArrayLike | None = None,
    ) -> None:
        """Add content everywhere; see `InterestEngine.add_content`."""
        self._each("add_content", [(tags, segments, embeddings)] * len(self._shards))

    def save(self, offset: int = 0) -> Path:
        """Write a snapshot of every shard, which count together once all are there."""
        layout = Layout(len(self._shards), offset)
        path = layout.path(self.folder)
        paths = [(path / str(at), offset) for at in range(layout.shards)]
        self._each("save", paths)
        write_layout(self.folder, layout)
        return path

    @property
    def now(self) -> float:
        """Newest event seen, epoch seconds."""
        return self._now

    def close(self) -> None:
        """End the processes; what has not been saved is gone."""
        for shard in self._shards:
            shard.wire.close()
        for shard in self._shards:
            shard.process.join(_PATIENCE)
            if shard.process.is_alive():
                shard.process.terminate()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ask(self, user: Id, verb: str, *arguments: object) -> Any:
        at = shard_of(id_key(user), len(self._shards))
        self._send(at, verb, (user, *arguments))
        return self._answer(at)

    def _each(self, verb: str, arguments: Sequence[tuple[object, ...]]) -> list[Any]:
        """Put a question to every shard, all at once."""
        for at, its in enumerate(arguments):
            self._send(at, verb, its)
        answers = [self._reply(at) for at in range(len(arguments))]
        return [_unpacked(answer) for answer in answers]

    def _send(self, at: int, verb: str, arguments: tuple[object, ...]) -> None:
        try:
            self._shards[at].wire.send((verb, arguments))
        except (OSError, EOFError) as gone:
            raise ServerError("live_interest.shard_gone", at=at, path=self.folder) from gone

    def _answer(self, at: int) -> Any:
        return _unpacked(self._reply(at))

    def _reply(self, at: int) -> Any:
        try:
            return self._shards[at].wire.recv()
        except (OSError, EOFError) as gone:
            raise ServerError("live_interest.shard_gone", at=at, path=self.folder) from gone


def _unpacked(answer: Any) -> Any:
    """Return an answer; an error that a shard has sent is raised here."""
    if isinstance(answer, _Failed):
        raise answer.kind(answer.key, **answer.facts)
    return answer


def _plain(fact: object) -> object:
    """Return a fact of an error as it can be sent."""
    return fact if isinstance(fact, int | float) else str(fact)


def shard_of(user: int, shards: int) -> int:
    """Shard of a user's key."""
    return int(jump(np.uint64(user), shards))


def split(batch: Batch, shards: int) -> list[Batch]:
    """Events by the shard of their user, in the order they came."""
    shard = jump_all(batch.user, shards)
    rows = [np.flatnonzero(shard == at) for at in range(shards)]
    return [chosen(batch, its) for its in rows]


def _serve(wire: Connection, tags: TagMatrix, settings: Mapping[str, Any]) -> None:
    """Answer the questions of a `ShardedEngine` until it hangs up."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides when to end
    engine = InterestEngine(tags, **settings)
    answers: dict[str, Callable[..., Any]] = {
        "update_batch": engine.update_batch,
        "interest": engine.interest,
        "scores": engine.scores,
        "explain": engine.explain,
        "edit": engine.edit,
        "edits": engine.edits,
        "unlearn": engine.unlearn,
        "add_content": engine.add_content,
        "save": engine.save,
        "load": engine.load,
        "clock": lambda: (engine.now, engine.edits_made.last),
    }
    while True:
        try:
            verb, arguments = wire.recv()
        except EOFError:
            return
        try:
            answer: object = answers[verb](*arguments)
        except TagCFError as wrong:
            facts = {name: _plain(fact) for name, fact in wrong.facts.items()}
            answer = _Failed(type(wrong), wrong.key, facts)
        wire.send(answer)
