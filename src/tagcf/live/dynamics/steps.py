"""Events as the beliefs read them: which user, which content, what kind, when."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tagcf.live.dynamics.content import contents_of
from tagcf.live.dynamics.content.kernels import fill_air
from tagcf.live.dynamics.evidence import Evidence
from tagcf.live.dynamics.symbols.kernels import N_LEVELS, kinds_of, levels_of
from tagcf.live.interest.content import Shelf
from tagcf.types import Floats
from tagcf.types.live import LiveEvents

Rows = NDArray[np.int64]
Single = NDArray[np.float32]
MINUTE = 60.0
ORIGIN = 1_577_836_800.0  # 2020-01-01: ticks since then fit into 31 bits


@dataclass(frozen=True, slots=True)
class Stage:
    """Content as beliefs read it: tags with their levels, and what was on air when. T tags."""

    shelf: Shelf
    indptr: Rows
    tag: NDArray[np.int16]
    level: NDArray[np.int8]
    prior: Single  # (T,) chance that somebody wants a tag, before any event
    begins: float  # epoch seconds of the first minute on air
    ratios: Single  # (minutes + 1, T) of a showing that lacks the tag; the last row is 1
    lift: Single  # (minutes + 1, T, levels) what that is multiplied by where it has the tag

    @property
    def unknown(self) -> int:
        """The minute that stands for not knowing what was on air."""
        return len(self.ratios) - 1

    def minutes(self, ts: Floats) -> Rows:
        """(n,) minutes on air."""
        at = np.floor((ts - self.begins) / MINUTE)
        known = (at >= 0) & (at < self.unknown)
        return np.where(known, at, self.unknown).astype(np.int64)


@dataclass(frozen=True, slots=True)
class Steps:
    """Events, in the order of time; all arrays have shape (n,)."""

    event: Rows  # position in the batch
    user: Rows  # row of the user; -1: unknown
    content: Rows  # -1: unknown
    kind: Rows
    tick: Rows  # seconds since `ORIGIN`
    minute: Rows

    def __len__(self) -> int:
        return len(self.event)


def stage_of(shelf: Shelf, evidence: Evidence, prior: Floats | None = None) -> Stage:
    """Arrange content.

    Parameters
    ----------
    prior
        (T,) weights of the tags before any event. By default all tags that are the main one of
        some content count the same, and the others nothing.
    """
    strength = shelf.strength
    level = np.empty(strength.nnz, np.int8)
    levels_of(strength.data, level)
    indptr, tag = strength.indptr.astype(np.int64), strength.indices.astype(np.int16)
    begins, air = _on_air(shelf, evidence, indptr, tag, level)
    ratios, lift = _showings(air, evidence)
    if prior is None:
        prior = np.zeros(strength.shape[1])
        prior[tag[level == N_LEVELS - 1]] = 1.0
        prior += 1e-3
    whole = (prior / prior.sum()).astype(np.float32)
    return Stage(shelf, indptr, tag, level, whole, begins, ratios, lift)


def _on_air(
    shelf: Shelf, evidence: Evidence, indptr: Rows, tag: NDArray[np.int16], level: NDArray[np.int8]
) -> tuple[float, Single]:
    """Begin, and (minutes + 1, T) number of rooms over Σ exp(pull · strength), minute by minute."""
    n_tags = shelf.strength.shape[1]
    segments = shelf.segments
    if len(segments) == 0:
        return 0.0, np.ones((1, n_tags), np.float32)
    start, end = segments["start_ts"].to_numpy(), segments["end_ts"].to_numpy()
    begins = float(np.floor(start.min() / MINUTE) * MINUTE)
    content = shelf.rows(segments["segment_id"].to_arrow().cast("string"))
    first = np.ceil((start - begins) / MINUTE - 0.5).astype(np.int64)
    lasts = np.maximum(np.ceil((end - begins) / MINUTE - 0.5).astype(np.int64) - first, 0)
    which = np.repeat(np.arange(len(start)), lasts)
    minute = np.arange(len(which)) - np.repeat(lasts.cumsum() - lasts, lasts) + first[which]
    n_minutes = int(minute.max(initial=0)) + 1
    pull, rooms = np.zeros((n_minutes, n_tags)), np.zeros(n_minutes)
    fill_air(minute, content[which], indptr, tag, level, evidence.push, pull, rooms)
    air = np.ones((n_minutes + 1, n_tags), np.float32)
    several = rooms > 1
    air[:-1][several] = rooms[several, None] / (rooms[several, None] + pull[several])
    return begins, air


def _showings(air: Single, evidence: Evidence) -> tuple[Single, Single]:
    """`ratios` and `lift` of a stage; in the last minute, which is not known, all are 1."""
    searched = np.float32(evidence.search) * air
    usual = np.float32(1 - evidence.search)
    power, push = np.float32(evidence.power), evidence.push.astype(np.float32)
    ratios = (usual + searched) ** power
    lift = (usual + searched[:, :, None] * push) ** power / ratios[:, :, None]
    ratios[-1], lift[-1] = 1.0, 1.0
    return ratios, lift


def steps_of(events: LiveEvents, user: Rows, stage: Stage) -> Steps:
    """Read events; `user` (n,) are rows of their users, −1 where they are to be passed over."""
    order = np.argsort(events.ts, kind="stable")
    ts = events.ts[order]
    kind = np.empty(len(events), np.int64)
    kinds_of(events.action, np.nan_to_num(events.value), kind)
    return Steps(
        event=order,
        user=user[order],
        content=contents_of(events, stage.shelf)[order],
        kind=kind[order],
        tick=np.clip(ts - ORIGIN, 0, 2**31 - 1).astype(np.int64),
        minute=stage.minutes(ts),
    )


def first_of_each(events: LiveEvents) -> NDArray[np.bool_]:
    """(n,) whether an event is the first of its id."""
    _, first = np.unique(events.event, return_index=True)
    once = np.zeros(len(events), np.bool_)
    once[first] = True
    return once
