"""One user's interests at one time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tagcf.live.interest.content import Shelf
from tagcf.live.interest.index.kernels import pair_key
from tagcf.live.interest.index.rows import LANDMARK, NEWEST
from tagcf.live.interest.reading.answers import Edit, EditKind, TagInterest
from tagcf.live.interest.reading.kernels import mix_scene, read_user, score, taste_vector
from tagcf.live.interest.state import State
from tagcf.types import Floats, Mask

_NO_TASTE = np.zeros(0)


@dataclass(frozen=True, slots=True)
class Blend:
    """How time scales, scenes and embeddings are put together; see `InterestEngine`."""

    mix: Floats  # (S,) adds up to 1
    tag_part: float
    scene_part: float


class UserView:
    """What the state says of a user, edits laid over it."""

    def __init__(
        self,
        state: State,
        blend: Blend,
        user: np.uint64,
        at: float,
        scene: np.uint64,
        laid: Mapping[str, Edit],
        tag_at: Mapping[str, int],
    ) -> None:
        self.state, self.blend, self.laid, self.user = state, blend, laid, user
        self.row = row = state.users.row(user)
        self.rates = tuple(1.0 / half_life for half_life in state.sizes.half_lives)
        about = state.users.rows.about
        self.at = at if row < 0 else max(at, float(about[row, NEWEST]))
        n_tags, n_scales = state.sizes.n_tags, len(self.rates)
        if row < 0:
            self.sums, self.strengths = np.zeros((n_tags, n_scales)), np.zeros(n_tags)
            self.lengths = np.zeros(n_scales)
        else:
            self.sums, self.strengths = np.empty((n_tags, n_scales)), np.empty(n_tags)
            self.lengths = read_user(
                *(state.users.line(row), state.users.cell_of, self.at - about[row, LANDMARK]),
                *(self.rates, blend.mix, self.sums, self.strengths),
            )
        self.in_scene = bool(scene) and self._move_to(scene)
        self.edited = {tag_at[slug]: edit for slug, edit in laid.items()}
        self.behaviour = self.strengths.copy() if laid else self.strengths
        for tag, edit in self.edited.items():
            self.strengths[tag] = edited_strength(edit, self.strengths[tag])

    def _move_to(self, scene: np.uint64) -> bool:
        pairs = self.state.pairs
        row = pairs.row(np.uint64(pair_key(self.user, scene))) if pairs.capacity else -1
        if row >= 0:
            since = self.at - pairs.rows.about[row, LANDMARK]
            rates = (1.0 / self.state.sizes.scene_half_life,)
            part = self.blend.scene_part
            mix_scene(pairs.line(row), pairs.cell_of, since, rates, part, self.strengths)
        return row >= 0

    @cached_property
    def muted(self) -> Mask:
        """(T,) tags that the user does not want."""
        muted = np.zeros(len(self.strengths), np.bool_)
        muted[[tag for tag, edit in self.edited.items() if edit.kind == "mute"]] = True
        return muted

    def taste(self) -> Floats:
        """(d,) embedding interest; (0,) where there are no embeddings."""
        vectors = self.state.vectors
        if not len(vectors):
            return _NO_TASTE
        taste = np.zeros(vectors.shape[2])
        if self.row >= 0:
            since = self.at - self.state.users.rows.about[self.row, LANDMARK]
            taste_vector(vectors[self.row], since, self.rates, self.blend.mix, taste)
        return taste

    def scores(self, content: np.ndarray[tuple[int], np.dtype[np.int64]], shelf: Shelf) -> Floats:
        """Scores (n,) of content by position; see `InterestEngine.scores`."""
        out = np.empty(len(content))
        part = self.blend.tag_part
        score(content, shelf.arrays, self.strengths, self.muted, self.taste(), part, out)
        return out


def edited_strength(edit: Edit, behaviour: float) -> float:
    """Strength that an edit makes of one from behaviour."""
    if edit.kind == "boost":
        return float(np.clip(edit.amount * behaviour, -1.0, 1.0))
    return edit.amount  # of a mute it is 0


def top_tags(view: UserView, slugs: Sequence[str], k: int) -> tuple[TagInterest, ...]:
    """Return the strongest interests, and those that were edited; nothing of no strength else."""
    strengths = view.strengths
    order = np.argsort(-strengths, kind="stable")[: max(k, 0)]
    return tuple(
        TagInterest(
            slugs[tag],
            float(strengths[tag]),
            tuple(view.sums[tag].tolist()),
            _said(view.edited.get(tag)),
        )
        for tag in order.tolist()
        if strengths[tag] != 0.0 or _said(view.edited.get(tag)) is not None
    )


def _said(edit: Edit | None) -> EditKind | None:
    """Return what a user said of a tag; to count behaviour once is to say nothing."""
    return None if edit is None or (edit.kind == "boost" and edit.amount == 1.0) else edit.kind
