"""Small worlds with a known truth that `simulate` does not have: pairs, and users who differ."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tagcf.data.arrays import log_from_arrays, tags_from_arrays
from tagcf.types import EventLog, Tag, TagMatrix


@dataclass(frozen=True)
class SmallWorld:
    """A log with its truth. T tags, U users."""

    log: EventLog
    tags: TagMatrix
    theta: np.ndarray  # (T,) average effects
    pairs: dict[tuple[str, str], float]
    of_user: np.ndarray  # (U, T) effects for each user


def small_world(
    seed: int,
    *,
    rows: int = 20_000,
    items: int = 500,
    users: int = 500,
    tags: int = 12,
    true_pairs: int = 6,
    size: float = 0.15,
    differ: float = 0.0,
    features: int = 4,
) -> SmallWorld:
    """Correlated tags, Zipf popularity, items and users with effects of their own.

    `true_pairs` pairs of tags have an interaction of ± `size`. Effects differ from user to user
    along one direction of `features` user features, with standard deviation `differ` over tags.
    """
    rng = np.random.default_rng(seed)
    log_odds = -0.9 + rng.normal(size=(items, 3)) @ (0.5 * rng.normal(size=(3, tags)))
    carried = (rng.random((items, tags)) < 1 / (1 + np.exp(-log_odds))).astype(float)
    theta = 0.2 * rng.normal(size=tags)
    names = [f"t{k:02d}" for k in range(tags)]
    every = [(a, b) for a in range(tags) for b in range(a + 1, tags)]
    surplus = np.zeros(len(every))
    chosen = rng.choice(len(every), true_pairs, replace=False)
    surplus[chosen] = size * rng.choice([-1, 1], true_pairs)
    together = np.stack([carried[:, a] * carried[:, b] for a, b in every], axis=1)
    feature = rng.normal(size=(users, features))
    direction = rng.normal(size=features)
    score = feature @ (direction / np.linalg.norm(direction))
    of_user = theta + np.outer(score, differ * rng.normal(size=tags))
    popularity = 1 / np.arange(1, items + 1) ** 0.6
    item = rng.choice(items, rows, p=rng.permutation(popularity / popularity.sum()))
    user = rng.integers(0, users, rows)
    hour = rng.normal(size=rows)
    y = np.einsum("nt,nt->n", carried[item], of_user[user]) + together[item] @ surplus
    y += 0.2 * rng.normal(size=items)[item] + 0.3 * rng.normal(size=users)[user]
    y += 0.5 * hour + 0.2 * score[user] + rng.normal(size=rows)
    log = log_from_arrays(
        item=[f"i{k:05d}" for k in item],
        user=[f"u{k:05d}" for k in user],
        outcomes={"y": y},
        covariates={"hour": hour} | {f"f{k}": feature[user, k] for k in range(features)},
    )
    shown = np.array([int(str(one)[1:]) for one in log.items.ids.to_pylist()])
    seen = np.array([int(str(one)[1:]) for one in log.users.ids.to_pylist()])
    named = [Tag(name, name, name, "topic", f"branch{k % 3}") for k, name in enumerate(names)]
    pairs = {(names[a], names[b]): float(one) for (a, b), one in zip(every, surplus, strict=True)}
    matrix = tags_from_arrays(log.items, carried[shown], named)
    return SmallWorld(log, matrix, theta, pairs, of_user[seen])


def feedback_world(
    seed: int, *, rows: int = 12_000, items: int = 300, users: int = 600, tags: int = 8
) -> SmallWorld:
    """No tag does anything; items of better unseen quality are shown more often, in proportion."""
    rng = np.random.default_rng(seed)
    log_odds = -0.85 + rng.normal(size=(items, 2)) @ (0.8 * rng.normal(size=(2, tags)))
    carried = (rng.random((items, tags)) < 1 / (1 + np.exp(-log_odds))).astype(float)
    quality = rng.normal(size=items)
    popularity = np.exp(quality)
    item = rng.choice(items, rows, p=popularity / popularity.sum())
    log = log_from_arrays(
        item=[f"i{k:05d}" for k in item],
        user=[f"u{k:05d}" for k in rng.integers(0, users, rows)],
        outcomes={"y": 0.3 * quality[item] + rng.normal(size=rows)},
    )
    shown = np.array([int(str(one)[1:]) for one in log.items.ids.to_pylist()])
    named = [Tag(f"t{k:02d}", f"t{k:02d}", f"t{k:02d}", "topic", None) for k in range(tags)]
    matrix = tags_from_arrays(log.items, carried[shown], named)
    return SmallWorld(log, matrix, np.zeros(tags), {}, np.zeros((len(log.users), tags)))
