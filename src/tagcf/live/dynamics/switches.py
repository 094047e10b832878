"""When users' interests move on, told within a few events.

A user's current interest is a hidden tag that moves on now and then. The belief in it is a hidden
Markov model's (forward algorithm), kept on two branches: nothing has changed since the last switch
that was told, and something has. A switch is told when the second branch has a probability of
`threshold`: the Bayes rule of quickest change detection (Shiryaev 1963).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from tagcf.live.dynamics.belief import kernels
from tagcf.live.dynamics.evidence import Evidence, default_evidence
from tagcf.live.dynamics.steps import Single, Stage, Steps, first_of_each, stage_of, steps_of
from tagcf.live.interest.content import Shelf, shelve
from tagcf.live.interest.index.kernels import find_all, put_all, rehash
from tagcf.types import Floats, TagMatrix
from tagcf.types.live import Keys, LiveEvents

FIRST_USERS = 1024


@dataclass(frozen=True, slots=True)
class Switches:
    """Switches of interest, in the order in which they were told; all arrays have shape (n,)."""

    user: Keys
    ts: Floats  # epoch seconds of the event that told
    source: NDArray[np.int64]  # tag before
    target: NDArray[np.int64]  # likeliest tag since
    probability: Single  # that there was a switch
    event: NDArray[np.int64]  # position of the event in its batch

    def __len__(self) -> int:
        return len(self.user)


class SwitchDetector:
    """Beliefs in what users want now, kept up to date by events.

    Parameters
    ----------
    content
        What can be watched; see `tagcf.live.interest.content.shelve`.
    evidence
        What events say; by default what was learned from simulated platforms.
    threshold
        Chance from which on a switch is told; by default that of the evidence.
    prior
        (T,) weights of the tags before any event.
    """

    def __init__(
        self,
        content: Shelf,
        evidence: Evidence | None = None,
        *,
        threshold: float | None = None,
        prior: Floats | None = None,
    ) -> None:
        chosen = evidence or default_evidence()
        self.evidence = chosen if threshold is None else replace(chosen, threshold=threshold)
        self.stage: Stage = stage_of(content, self.evidence, prior)
        self._gain = np.exp(self.evidence.table).astype(np.float32)
        self._slots = np.zeros((2 * FIRST_USERS, 2), np.uint64)
        self._users = 0
        self._lines: Single = np.zeros((0, kernels.width_of(len(self.stage.prior))), np.float32)

    def update(self, events: LiveEvents) -> Switches:
        """Take in events, which may be out of order within the batch; return the switches told."""
        steps = steps_of(events, self._seat(events.user), self.stage)
        at, tags, sure = self.follow(steps)
        event = steps.event[at]
        return Switches(events.user[event], events.ts[event], tags[:, 0], tags[:, 1], sure, event)

    def follow(self, steps: Steps) -> tuple[NDArray[np.int64], NDArray[np.int64], Single]:
        """Update by events that are read already: positions, tags (n, 2), chances of switches."""
        n = len(steps)
        at, sure = np.empty(n, np.int64), np.empty(n, np.float32)
        tags = np.empty((n, 2), np.int64)
        stage, evidence = self.stage, self.evidence
        found = kernels.follow(
            steps.user,
            steps.content,
            steps.kind,
            steps.tick,
            steps.minute,
            stage.indptr,
            stage.tag,
            stage.level,
            self._gain,
            stage.lift,
            stage.ratios,
            stage.prior,
            (evidence.pace, evidence.most),
            np.float32(evidence.threshold),
            *_views(self._lines),
            at,
            tags,
            sure,
        )
        return at[:found], tags[:found], sure[:found]

    def beliefs(self, users: Keys) -> Single:
        """(n, T) chance of each tag to be what a user wants now, as of their last event."""
        return self.beliefs_at(find_all(self._slots, users))

    def beliefs_at(self, rows: NDArray[np.int64]) -> Single:
        """As `beliefs`, of users by their rows, −1 where unknown."""
        out = np.empty((len(rows), len(self.stage.prior)), np.float32)
        kernels.beliefs(self._lines, self._lines.view(np.uint16), rows, self.stage.prior, out)
        return out

    def reserve(self, n_users: int) -> None:
        """Make room for so many users, so that memory need not grow under way."""
        if n_users > len(self._lines):
            lines = _aligned(n_users, self._lines.shape[1])
            lines[: self._users] = self._lines[: self._users]
            kernels.begin(*_views(lines), self._users, n_users, self.stage.prior)
            self._lines = lines
        if 2 * n_users > len(self._slots):
            slots = np.zeros((1 << (2 * n_users).bit_length(), 2), np.uint64)
            rehash(self._slots, slots)
            self._slots = slots

    def _seat(self, users: Keys) -> NDArray[np.int64]:
        """(n,) rows of users; who is new gets one."""
        rows: NDArray[np.int64] = find_all(self._slots, users)
        fresh = np.unique(users[rows < 0])
        if len(fresh):
            if self._users + len(fresh) > len(self._lines):
                self.reserve(max(FIRST_USERS, 2 * (self._users + len(fresh))))
            put_all(self._slots, fresh, self._users)
            self._users += len(fresh)
            rows = find_all(self._slots, users)
        return rows

    @property
    def memory_bytes(self) -> int:
        """Bytes held for users."""
        return self._lines.nbytes + self._slots.nbytes


def _views(lines: Single) -> tuple[Single, NDArray[np.int32], NDArray[np.uint16]]:
    """Return the same memory as the kernels read it."""
    return lines, lines.view(np.int32), lines.view(np.uint16)


def _aligned(n: int, width: int) -> Single:
    """(n, width) float32 whose rows begin where lines of memory begin; not filled."""
    whole = np.empty((n * width + kernels.PER_LINE) * 4, np.uint8)
    skipped = -whole.ctypes.data % (4 * kernels.PER_LINE)
    return whole[skipped : skipped + 4 * n * width].view(np.float32).reshape(n, width)


def detect_switches(
    events: LiveEvents,
    tags: TagMatrix,
    segments: pl.DataFrame | None = None,
    evidence: Evidence | None = None,
    *,
    threshold: float | None = None,
) -> pl.DataFrame:
    """Return the switches of a recorded stream: user_id, ts, from, to, probability.

    Parameters
    ----------
    events
        In any order; of equal event ids the first counts.
    tags, segments
        Content, as in `tagcf.live.interest.content.shelve`.
    """
    detector = SwitchDetector(shelve(tags, segments), evidence, threshold=threshold)
    once = first_of_each(events)
    rows = np.where(once, detector._seat(events.user), -1)
    steps = steps_of(events, rows, detector.stage)
    at, pairs, sure = detector.follow(steps)
    event = steps.event[at]
    slugs = np.array([tag.slug for tag in tags.tags], object)
    return pl.DataFrame(
        {
            "user_id": pl.from_arrow(events.rows["user_id"].take(pa.array(event, pa.int64()))),
            "ts": events.ts[event],
            "from": slugs[pairs[:, 0]].tolist(),
            "to": slugs[pairs[:, 1]].tolist(),
            "probability": sure,
        },
        schema_overrides={"user_id": pl.String, "from": pl.String, "to": pl.String},
    )
