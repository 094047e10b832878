"""The simulated log that estimators are timed and judged on; its effects are known.

Twenty impressions per user and, unless every row is its own item, per item. A user is shown
the one of four random items that suits them best (taste × topic), so that who sees which tag is
not random; covariates are half the user's, half the item's. Tags are item-level logits on the
item's features and six latent topics, hence correlated. Outcomes are linear in covariates and
tags (half the effects are zero), with random effects of item and user and noise that grows with
the first covariate. Needs numpy alone, so that peers in an environment of their own see the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from tagcf.types import EventLog, IdMap, TagMatrix

TOPICS = 6
CHOICE = 4  # items that a user's impression is picked among
ITEM_SD, USER_SD = 0.3, 0.5
PER_USER = PER_ITEM = 20


@dataclass(frozen=True, slots=True)
class Size:
    """How large a log; ``own_items``: every row its own item, so that tags cannot be compressed."""

    rows: int
    covariates: int
    tags: int
    outcomes: int
    own_items: bool = False
    instrumented: bool = False
    seed: int = 0


@dataclass(frozen=True, slots=True)
class World:
    """A log with known effects. N rows, I items, P covariates, T tags, K outcomes."""

    size: Size
    user: np.ndarray  # (N,) int32
    item: np.ndarray  # (N,) int32
    x: np.ndarray  # (N, P) float32
    y: np.ndarray  # (N, K) float32
    carried: np.ndarray  # (I, T) uint8
    theta: np.ndarray  # (T, K) true effects
    moved: np.ndarray  # (N, T) uint8 random assignments, one per tag; (N, 0) unless instrumented

    @property
    def names(self) -> list[str]:
        """(T,) names of the tags."""
        return [f"t{t}" for t in range(self.size.tags)]

    def fingerprint(self) -> float:
        """Sum of the data, by which to see that peers were given the same."""
        return round(float(self.y.sum(dtype=np.float64) + self.x.sum(dtype=np.float64)), 1)

    def log(self, outcomes: int | None = None) -> EventLog:
        """The world as an `EventLog`, with its first `outcomes` outcomes."""
        from tagcf.data.arrays import log_from_arrays

        k = self.size.outcomes if outcomes is None else outcomes
        return log_from_arrays(
            item=self.item,
            user=self.user,
            items=_numbered(len(self.carried)),
            users=_numbered(int(self.user.max()) + 1),
            outcomes={f"y{at}": self.y[:, at] for at in range(k)},
            kinds={f"y{at}": "real" for at in range(k)},
            covariates={f"x{at}": self.x[:, at] for at in range(self.x.shape[1])},
            instruments={
                f"z{t}": (self.moved[:, t], [f"t{t}"]) for t in range(self.moved.shape[1])
            },
            simulated=True,
        )

    def tags(self) -> TagMatrix:
        """What the items carry, as a `TagMatrix`."""
        from tagcf.data.arrays import tags_from_arrays

        return tags_from_arrays(_numbered(len(self.carried)), self.carried, self.names)


def make_world(size: Size) -> World:
    """Draw a world; the same size and seed give the same world."""
    rng = np.random.default_rng([size.seed, size.rows, size.covariates, size.tags])
    n, t, k = size.rows, size.tags, size.outcomes
    n_users, n_items = n // PER_USER, n // PER_ITEM
    of_user, of_item = size.covariates // 2, size.covariates - size.covariates // 2
    user_x = _normal(rng, n_users, of_user)
    taste = user_x @ _normal(rng, of_user, TOPICS) / np.sqrt(max(of_user, 1))
    taste += _normal(rng, n_users, TOPICS)
    user = np.repeat(np.arange(n_users, dtype=np.int32), PER_USER)[:n]
    item_x, topics, carried = _items(rng, n if size.own_items else n_items, of_item, t)
    moved = np.zeros((n, 0), np.uint8)
    mood = np.zeros(n, np.float32)
    if size.instrumented:
        moved = (rng.random((n, t), dtype=np.float32) < 0.5).astype(np.uint8)
        mood = _normal(rng, n, 1)[:, 0]
    item = (
        np.arange(n, dtype=np.int32)
        if size.own_items
        else _shown(rng, user, taste, topics, carried, moved, mood)
    )
    x = np.concatenate([user_x[user], item_x[item]], axis=1)
    theta = rng.normal(0.0, 0.2, (t, k)) * (np.arange(t) % 2 == 0)[:, None]
    y = _outcomes(rng, x, carried, theta, user, item)
    y += mood[:, None]
    return World(size, user, item, x, y, carried, theta, moved)


def _items(
    rng: np.random.Generator, n_items: int, of_item: int, t: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw features, topics and tags of the items; in blocks, for there may be a million."""
    loading = _normal(rng, of_item, t) * (0.6 / np.sqrt(max(of_item, 1)))
    topical = _normal(rng, TOPICS, t) * (1.0 / np.sqrt(TOPICS))
    level = rng.normal(-1.8, 0.5, t).astype(np.float32)
    item_x, topics = _normal(rng, n_items, of_item), _normal(rng, n_items, TOPICS)
    carried = np.empty((n_items, t), np.uint8)
    for start in range(0, n_items, 16_384):
        rows = slice(start, start + 16_384)
        logit = item_x[rows] @ loading + topics[rows] @ topical + level
        draw = rng.random(logit.shape, dtype=np.float32)
        carried[rows] = draw * (1.0 + np.exp(-logit)) < 1.0
    return item_x, topics, carried


def _shown(
    rng: np.random.Generator,
    user: np.ndarray,
    taste: np.ndarray,
    topics: np.ndarray,
    carried: np.ndarray,
    moved: np.ndarray,
    mood: np.ndarray,
) -> np.ndarray:
    """(N,) item of each impression: the one of four that suits best.

    With instruments, a random assignment lifts the items with its tag, and whoever is in the mood
    (unseen, and good for every outcome) is shown items with more tags.
    """
    item = np.empty(user.size, np.int32)
    pull = carried.astype(np.float32)
    rich = pull.sum(axis=1)
    rich = (rich - rich.mean()) / max(float(rich.std()), 1e-6)
    for start in range(0, user.size, 16_384):
        rows = slice(start, min(start + 16_384, user.size))
        offered = rng.integers(0, len(topics), (rows.stop - start, CHOICE))
        appeal = np.einsum("nd,ncd->nc", taste[user[rows]], topics[offered]) / np.sqrt(TOPICS)
        appeal += rng.gumbel(size=appeal.shape)
        if moved.shape[1]:
            appeal += 4.0 * np.einsum("nt,nct->nc", moved[rows] - 0.5, pull[offered])
            appeal += mood[rows, None] * rich[offered]
        item[rows] = offered[np.arange(len(offered)), appeal.argmax(axis=1)]
    return item


def _outcomes(
    rng: np.random.Generator,
    x: np.ndarray,
    carried: np.ndarray,
    theta: np.ndarray,
    user: np.ndarray,
    item: np.ndarray,
) -> np.ndarray:
    k = theta.shape[1]
    slopes = _normal(rng, x.shape[1], k) * (0.5 / np.sqrt(max(x.shape[1], 1)))
    of_items = carried.astype(np.float32) @ theta.astype(np.float32)
    of_items += ITEM_SD * _normal(rng, len(carried), k)
    of_users = USER_SD * _normal(rng, int(user.max()) + 1, k)
    y = x @ slopes + of_items[item] + of_users[user]
    spread = 0.5 + 0.5 * np.abs(x[:, :1]) if x.shape[1] else np.float32(1.0)
    y += spread * _normal(rng, len(x), k)
    return np.asarray(y, dtype=np.float32)


def _normal(rng: np.random.Generator, rows: int, columns: int) -> np.ndarray:
    return rng.standard_normal((rows, columns), dtype=np.float32)


def _numbered(n: int) -> IdMap:
    import pyarrow as pa

    from tagcf.types import IdMap

    return IdMap(pa.array(np.arange(n)).cast(pa.string()))
