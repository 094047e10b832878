"""Which events an interest comes from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tagcf.live.interest.content import Shelf
from tagcf.live.interest.index.kernels import find, pair_key
from tagcf.live.interest.index.rows import FORGOTTEN, WRITTEN
from tagcf.live.interest.reading.answers import InterestReason, TagEvent
from tagcf.live.interest.reading.user import UserView
from tagcf.types import Floats
from tagcf.types.live import ACTIONS


def reason_of(view: UserView, tag: int, slugs: Sequence[str], shelf: Shelf) -> InterestReason:
    """Shares of the remembered events in the strength of a tag, and what older ones left."""
    when, what, evidence = _remembered(view)
    carried = _strengths_of(shelf, what, tag)
    until = _reset_until(view, tag)
    counted = (carried != 0.0) & (when // 256 / 1e6 > until)
    when, what, evidence = when[counted], what[counted], evidence[counted]
    ts = when // 256 / 1e6
    fading = np.exp2(-(view.at - ts)[:, None] * np.array(view.rates))
    shares = (evidence * carried[counted])[:, None] * fading  # (n, S)
    of_strength = shares @ (view.blend.mix / (view.lengths + 1.0))
    events = tuple(
        TagEvent(
            float(ts[i]),
            ACTIONS[when[i] % 256],
            shelf.items[what[i]],
            float(evidence[i]),
            float(of_strength[i]),
            tuple(shares[i].tolist()),
        )
        for i in np.argsort(-np.abs(of_strength), kind="stable")
    )
    behaviour = float(view.behaviour[tag])
    sums = view.sums[tag]
    return InterestReason(
        tag=slugs[tag],
        strength=float(view.strengths[tag]),
        behaviour=behaviour,
        events=events,
        older=behaviour - float(of_strength.sum()),
        evidence=tuple(sums.tolist()),
        older_evidence=tuple((sums - shares.sum(axis=0)).tolist()),
        edit=view.edited.get(tag),
    )


def _remembered(view: UserView) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats]:
    """Moment and action, content, and evidence of a user's events in the ring."""
    memory = view.state.memory
    if view.row < 0 or not memory.when.shape[1]:
        return np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0)
    about = view.state.users.rows.about[view.row]
    n = min(int(about[WRITTEN]), memory.when.shape[1])
    when = memory.when[view.row, :n, 0].copy()
    what = memory.what[view.row, :n, 2].astype(np.int64)
    evidence = memory.weight[view.row, :n, 3].astype(np.float64)
    kept = (what >= 0) & (when // 256 / 1e6 > about[FORGOTTEN])
    return when[kept], what[kept], evidence[kept]


def _strengths_of(shelf: Shelf, what: NDArray[np.int64], tag: int) -> Floats:
    """(n,) strength that content carries a tag with."""
    return np.array([shelf.strength[at, tag] for at in what], np.float64)


def _reset_until(view: UserView, tag: int) -> float:
    """Time up to which a tag has been reset."""
    resets = view.state.resets
    key = np.uint64(pair_key(view.user, np.uint64(tag + 1)))
    at = int(find(resets.slots, key))
    return float(resets.until[at]) if at >= 0 else 0.0
