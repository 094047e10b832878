"""The engine: events in, interests out, one process."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import astuple
from pathlib import Path
from typing import Any, cast

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import ArrayLike, NDArray

from tagcf.errors import DataError, OutputError, UnknownNameError
from tagcf.live.interest import forgetting, snapshot
from tagcf.live.interest.batches import LAST_TIME, AnyEvents, as_batch, check_times
from tagcf.live.interest.content import Shelf, restocked, shelve
from tagcf.live.interest.edits import Editable, Edits, read_edits, resets_of
from tagcf.live.interest.evidence import Weight, evidence_table, weight_rows
from tagcf.live.interest.index.kernels import find_all
from tagcf.live.interest.reading.answers import (
    Edit,
    EditKind,
    InterestReason,
    TagInterest,
    Updated,
)
from tagcf.live.interest.reading.explain import reason_of
from tagcf.live.interest.reading.user import Blend, UserView, top_tags
from tagcf.live.interest.state import Sizes, State, absorb, new_state, ready
from tagcf.live.interest.update.arrays import Batch
from tagcf.live.interest.update.kernels import take_one
from tagcf.live.wire.event import Id
from tagcf.live.wire.keys import id_key, id_keys, id_text
from tagcf.text import did_you_mean
from tagcf.types import Floats, TagMatrix
from tagcf.types.live import ACTIONS

MINUTE, DAY = 60.0, 86_400.0
AHEAD = 3_600.0  # seconds by which a client's clock may be ahead of ours
HALF_LIVES = (30 * MINUTE, 7 * DAY, 90 * DAY)
MIX = (0.5, 0.3, 0.2)
_ACTION_AT = {action: at for at, action in enumerate(ACTIONS)}


class InterestEngine(Editable):
    """Interests that follow every event, in memory, for the users of one process.

    Parameters
    ----------
    tags
        Content and its tags; more can come later with `add_content`.
    half_lives
        Seconds after which what an event counts has halved, the shortest first.
    mix
        Part of each time scale in a strength; by default .5, .3, .2 of three, else equal parts.
    segments
        Rooms cut in time, so that an event in a room is of what the room showed; see `shelve`.
    embeddings
        (I, d) vectors of the content of `tags`: content without tags counts by its vector.
    tag_part
        Part of the tags in a score, where there are embeddings; the rest is the embeddings'.
    evidence
        Changes of `tagcf.live.interest.evidence.EVIDENCE`.
    scene_half_life
        Seconds, of the strengths in one scene; 0 keeps none.
    scene_part
        Part that they have at most where a scene is asked for.
    users_at_most, scenes_at_most
        Users, and pairs of user and scene, that there is room for; new ones beyond are told and not
        kept. Memory is taken only as they come: `memory_bytes` tells.
    remembered
        Events remembered of each user, for `explain`.
    edits
        File that edits are kept in as they are made, and read from now; or edits that were kept
        elsewhere.

    Notes
    -----
    Not to be used by several threads at once.
    """

    def __init__(
        self,
        tags: TagMatrix,
        half_lives: Sequence[float] = HALF_LIVES,
        *,
        mix: Sequence[float] | None = None,
        segments: pl.DataFrame | None = None,
        embeddings: ArrayLike | None = None,
        tag_part: float = 0.7,
        evidence: Mapping[str, Weight | float] | None = None,
        scene_half_life: float = 7 * DAY,
        scene_part: float = 0.5,
        users_at_most: int = 1_000_000,
        scenes_at_most: int | None = None,
        remembered: int = 32,
        edits: str | os.PathLike[str] | Sequence[Edit] | None = None,
    ) -> None:
        self.shelf: Shelf = shelve(tags, segments, embeddings)
        self.slugs = tuple(tag.slug for tag in tags.tags)
        self.tag_at = {slug: at for at, slug in enumerate(self.slugs)}
        self.evidence = evidence_table(evidence)
        self.blend = _blend(half_lives, mix, tag_part, scene_part)
        pairs = 2 * users_at_most if scenes_at_most is None else scenes_at_most
        self.state: State = new_state(
            Sizes(
                half_lives=tuple(float(one) for one in half_lives),
                scene_half_life=scene_half_life or 1.0,
                users=users_at_most,
                scenes=pairs if scene_half_life else 0,
                remembered=remembered,
                n_tags=len(self.slugs),
                d=self.shelf.embedding.shape[1],
            )
        )
        self._weights: Floats = weight_rows(self.evidence)
        file = Path(edits) if isinstance(edits, str | os.PathLike) else None
        self.edits_made = Edits(file, kept=edits is not None)
        self.overreached = False  # see `load`
        for edit in read_edits(file) if file else cast("Sequence[Edit]", edits or ()):
            self._enforce(edit)

    # events in

    def update(self, events: AnyEvents) -> Updated:
        """Let events change the interests, in any order of time.

        Events are taken as they are: a log drops those that come twice.

        Raises
        ------
        DataError
            A time is no number of seconds before the year 2100; nothing of the batch is kept.
        """
        return self.update_batch(as_batch(events))

    def update_batch(self, batch: Batch) -> Updated:
        """Let the columns of events change the interests; see `as_batch`."""
        check_times(batch.ts)
        before = self.state.tally.counts.copy()
        absorb(self.state, batch, self.shelf, self._weights)
        return Updated(len(batch.ts), *(int(n) for n in self.state.tally.counts - before))

    def update_one(
        self,
        user: Id,
        action: str,
        ts: float,
        *,
        item: Id | None = None,
        product: Id | None = None,
        room: Id | None = None,
        scene: Id | None = None,
        value: float = np.nan,
    ) -> None:
        """Let one event change the interests, at once; `update` for many."""
        at = _ACTION_AT.get(action)
        if at is None:
            hint, known = did_you_mean(action, ACTIONS), ", ".join(ACTIONS)
            raise UnknownNameError(
                "live_interest.unknown_action", name=action, hint=hint, known=known
            )
        if not 0.0 < ts < LAST_TIME:
            raise DataError("live_interest.bad_time", row=1, value=ts)
        held = ready(self.state, 1, self.shelf, self._weights)
        where = (id_text(item), id_text(product), id_text(room), id_text(scene))
        take_one(held, id_text(user), where, at, ts, value)

    def add_content(
        self,
        tags: TagMatrix,
        segments: pl.DataFrame | None = None,
        embeddings: ArrayLike | None = None,
    ) -> None:
        """Add content, or new tags of known content, which count from now on.

        Raises
        ------
        DataError
            The tags are not those of the engine, in their order.
        """
        if tuple(tag.slug for tag in tags.tags) != self.slugs:
            raise DataError("live_interest.other_tags", n=len(self.slugs), found=len(tags.tags))
        self.shelf = restocked(self.shelf, shelve(tags, segments, embeddings))

    # interests out

    def interest(
        self, user: Id, at: float | None = None, k: int = 20, scene: Id | None = None
    ) -> tuple[TagInterest, ...]:
        """Return the `k` strongest interests of a user, the strongest first.

        Parameters
        ----------
        at
            Epoch seconds; by default the newest event seen, of anybody. What a user was interested
            in earlier than their newest event is not kept: an earlier `at` means that event.
        scene
            Interests in this scene: those that are shared, moved by what was done there.
        """
        return top_tags(self._view(user, at, scene), self.slugs, k)

    def scores(
        self,
        user: Id,
        content: ArrayLike | pa.Array[Any],
        at: float | None = None,
        scene: Id | None = None,
    ) -> Floats:
        """Scores (n,) of content for a user: how far its tags and its embedding are theirs.

        Parameters
        ----------
        content
            Positions as `content_rows` gives them, or ids.

        Returns
        -------
        About -1..1; -inf for content that carries a muted tag, NaN for unknown content.
        """
        rows = self.content_rows(content) if isinstance(content, pa.Array) else np.asarray(content)
        return self._view(user, at, scene).scores(rows.astype(np.int64, copy=False), self.shelf)

    def explain(self, user: Id, tag: str, at: float | None = None) -> InterestReason:
        """Say which events an interest comes from.

        Raises
        ------
        UnknownNameError
            There is no such tag.
        """
        return reason_of(self._view(user, at, None), self._tag(tag), self.slugs, self.shelf)

    def content_rows(self, ids: pa.Array[Any] | Sequence[str]) -> NDArray[np.int64]:
        """Positions (n,) of content by id; -1 where one is unknown."""
        return self.shelf.rows(pa.array(ids, pa.string()))

    def knows(self, user: Id) -> bool:
        """Whether anything that the user did or said counts."""
        key = np.uint64(id_key(user))
        return self.state.users.row(key) >= 0 or bool(self.edits_made.of(int(key)))

    def knows_in(self, user: Id, scene: Id) -> bool:
        """Whether anything that the user did in a scene counts there."""
        return self._view(user, None, scene).in_scene

    @property
    def now(self) -> float:
        """Newest event seen, epoch seconds; no clock that runs ahead of ours moves it far."""
        return min(float(self.state.tally.clock[0]), _latest())

    # what users say

    def edit(
        self,
        user: Id,
        kind: EditKind,
        tag: str | None,
        amount: float = 0.0,
        at: float | None = None,
        number: int | None = None,
    ) -> Edit:
        """Put an edit into force, on disk first; see `Editable` for what there is.

        `number` is given where several engines count their edits together.
        """
        if tag is not None:
            self._tag(tag)
        key = id_key(user)
        with self.edits_made.alone() as others:
            for edit in others.made:
                self._enforce(edit)
            if others.dropped:
                self.state.resets = resets_of(self.edits_made.every(), self.tag_at)
            stamp = self.now if at is None else at
            stamp = forgetting.reset_time(self.state, np.uint64(key), stamp, _latest())
            number = self.edits_made.last + 1 if number is None else number
            made = Edit(number, key, kind, tag, float(amount), stamp)
            self.edits_made.write(made)
        self._enforce(made)
        return made

    def edits(self, user: Id) -> tuple[Edit, ...]:
        """Edits of a user that are in force."""
        return self.edits_made.of(id_key(user))

    def unlearn(self, user: Id) -> bool:
        """Remove a user and all that they did and said; whether there was anything.

        Snapshots and logs keep their own copies: save again, and erase there.
        """
        found = self.knows(user)
        forgetting.remove_user(self.state, np.uint64(id_key(user)))
        self.edits_made.drop(id_key(user))
        self.state.resets = resets_of(self.edits_made.every(), self.tag_at)
        return found

    # to disk and back

    def save(self, folder: str | os.PathLike[str], offset: int = 0) -> Path:
        """Write a snapshot, which contains the log up to `offset`; earlier ones are removed.

        A process that is killed leaves the earlier snapshot as it was.
        """
        content = id_keys(self.shelf.items.ids.cast(pa.string()))
        own = self.edits_made
        beside = snapshot.Saved(self.made_with(), content, own.every(), own.last)
        return snapshot.save(self.state, beside, Path(folder), offset)

    def load(self, folder: str | os.PathLike[str]) -> int:
        """Take over the newest snapshot in a folder; return the offset that it was saved with.

        Edits of this engine stay in force beside those of the snapshot. A reset that the snapshot
        does not know takes with it what came after the reset too, and `overreached` is True:
        `restart`, and the events from the first, bring that back.

        Raises
        ------
        OutputError
            There is none, it is broken, or it was made with other tags, half-lives or evidence.
        """
        path, head = snapshot.find(Path(folder))
        snapshot.check_made_with(path, head.made_with, self.made_with())
        try:
            state, beside = snapshot.load(self.state.sizes, path, head)
        except OutputError:
            if snapshot.newest(Path(folder)) == path:
                raise
            return self.load(folder)  # its writer has replaced it meanwhile
        position = find_all(self.shelf.arrays.slots, beside.content)
        snapshot.repoint(state.memory, position, state.users.used)
        self._take_over(state, beside.edits, beside.last_edit)
        return head.offset

    def restart(self) -> None:
        """Go back to before the first event; content and what users said stay."""
        self.state, self.overreached = new_state(self.state.sizes), False
        for edit in self.edits_made.every():
            if edit.kind == "reset":
                forgetting.forget(self.state, edit, self.tag_at.get(edit.tag or ""))
        self.state.resets = resets_of(self.edits_made.every(), self.tag_at)

    def memory_bytes(self) -> int:
        """Bytes that the users and scenes so far take."""
        return snapshot.bytes_used(self.state)

    def made_with(self) -> dict[str, Any]:
        """Return what the state depends on beside the events."""
        sizes = self.state.sizes
        return {
            "tags": hashlib.sha256("\n".join(self.slugs).encode()).hexdigest()[:16],
            "n_tags": sizes.n_tags,
            "half_lives": list(sizes.half_lives),
            "scene_half_life": sizes.scene_half_life if sizes.scenes else 0.0,
            "remembered": sizes.remembered,
            "d": sizes.d,
            "evidence": {name: list(astuple(one)) for name, one in self.evidence.items()},
        }

    def _take_over(self, state: State, edits: Sequence[Edit], last_edit: int) -> None:
        """Go on from a state and the edits in force in it, of which `last_edit` was the last made.

        Edits that this engine has read from a file of its own stay in force; resets among them
        that came after the snapshot are done again.
        """
        own = self.edits_made
        if not own.kept:
            own = self.edits_made = Edits()
        later = [edit for edit in own.every() if edit.number > last_edit]
        missing = [edit for edit in edits if edit.number > own.last]
        self.state = state
        for edit in missing:
            own.apply(edit)
        own.last = max(own.last, last_edit)
        resets = [edit for edit in later if edit.kind == "reset"]
        self.overreached = any(forgetting.acted_since(state, edit) for edit in resets)
        for edit in resets:
            forgetting.forget(state, edit, self.tag_at.get(edit.tag or ""))
        state.resets = resets_of(own.every(), self.tag_at)

    def _view(self, user: Id, at: float | None, scene: Id | None) -> UserView:
        key = np.uint64(id_key(user))
        scene_key = np.uint64(0 if scene is None else id_key(scene))
        laid = self.edits_made.laid.get(int(key), {}) if self.edits_made.laid else {}
        asked = self.now if at is None else at
        return UserView(self.state, self.blend, key, asked, scene_key, laid, self.tag_at)

    def _tag(self, tag: str) -> int:
        at = self.tag_at.get(tag)
        if at is None:
            raise UnknownNameError(
                "error.unknown_tag", name=tag, hint=did_you_mean(tag, self.slugs)
            )
        return at

    def _enforce(self, edit: Edit) -> None:
        self.edits_made.apply(edit)
        if edit.kind == "reset":
            tag = None if edit.tag is None else self.tag_at.get(edit.tag)
            forgetting.forget(self.state, edit, tag)
            self.state.resets = resets_of(self.edits_made.every(), self.tag_at)


def _latest() -> float:
    """Latest time that is believed: an hour ahead, as some clocks are."""
    return time.time() + AHEAD


def _blend(
    half_lives: Sequence[float], mix: Sequence[float] | None, tag_part: float, scene_part: float
) -> Blend:
    n = len(half_lives)
    if not 1 <= n <= 8 or list(half_lives) != sorted(half_lives) or min(half_lives) <= 0:
        raise DataError("live_interest.bad_half_lives", value=list(half_lives))
    if mix is None:
        mix = MIX if n == len(MIX) else [1 / n] * n
    if len(mix) != n or min(mix) < 0 or sum(mix) <= 0:
        raise DataError("live_interest.bad_mix", value=list(mix), n=n)
    return Blend(np.asarray(mix, np.float64) / sum(mix), tag_part, scene_part)
