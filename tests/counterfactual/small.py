"""A small platform made by hand: tags, a log and joint fits whose every number is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa

from tagcf.counterfactual.model import fit_response
from tagcf.counterfactual.prepare import Prepared, prepare
from tagcf.data.arrays import log_from_arrays, tags_from_arrays
from tagcf.types import EventLog, IdMap, JointFit, Outcome, Tag, TagEffects, TagMatrix

N_ITEMS, N_USERS, N_TAGS = 400, 60, 8
NAMES = ["camping", "outdoor", "nostalgia", "humour", "pets", "night", "travel", "rare"]
CAMPING, OUTDOOR, NOSTALGIA, HUMOUR, PETS, NIGHT, TRAVEL, RARE = range(N_TAGS)


def tag_list() -> list[Tag]:
    tags = [Tag(name, f"{name}中", name.title(), "topic", aliases=(f"a-{name}",)) for name in NAMES]
    tags[CAMPING] = replace(tags[CAMPING], parent="outdoor")
    return tags


def carried_matrix(seed: int = 0) -> np.ndarray:
    """Camping never without outdoor; pets and night never together; the rest independent."""
    rng = np.random.default_rng(seed)
    carried = rng.random((N_ITEMS, N_TAGS)) < [0.25, 0.3, 0.4, 0.3, 0.3, 0.3, 0.3, 0.03]
    carried[carried[:, CAMPING], OUTDOOR] = True
    carried[carried[:, PETS], NIGHT] = False
    return carried


def small_log(seed: int = 0) -> EventLog:
    rng = np.random.default_rng(seed)
    n = 6000
    item, user = rng.integers(0, N_ITEMS, n), rng.integers(0, N_USERS, n)
    quality, taste = rng.normal(0, 0.1, N_ITEMS), rng.normal(0, 0.1, N_USERS)
    chance = np.clip(0.5 + quality[item] + taste[user], 0, 1)
    return log_from_arrays(
        item=item.astype(np.int32),
        items=ids("i", N_ITEMS),
        user=user.astype(np.int32),
        users=ids("u", N_USERS),
        outcomes={"click": rng.random(n) < chance, "seconds": rng.normal(20, 5, n)},
        kinds={"click": "binary", "seconds": "real"},
        derived=(Outcome("return_7d", "binary", derive="return"),),
    )


def ids(letter: str, n: int) -> IdMap:
    return IdMap(pa.array([f"{letter}{k:03}" for k in range(n)], pa.string()))


def joint_fit(outcome: str = "click", scale: float = 0.01, seed: int = 0) -> JointFit:
    rng = np.random.default_rng(seed)
    root = rng.normal(0, scale, (N_TAGS, N_TAGS))
    usable = np.ones(N_TAGS, dtype=bool)
    usable[TRAVEL] = False
    return JointFit(
        outcome=outcome,
        kind="binary" if outcome != "seconds" else "real",
        tags=tuple(NAMES),
        coef=rng.normal(0, 5 * scale, N_TAGS),
        cov=root @ root.T / N_TAGS,
        df=rng.uniform(10, 60, N_TAGS),
        usable=usable,
        baseline=0.4,
    )


def small_tags(seed: int = 0) -> TagMatrix:
    return tags_from_arrays(ids("i", N_ITEMS), carried_matrix(seed), tag_list())


def small_effects() -> TagEffects:
    direct = [joint_fit("click"), joint_fit("seconds", 0.2, 1), joint_fit("return_7d", 0.005, 2)]
    return TagEffects(effects=(), joint=(*direct, replace(joint_fit("click"), estimand="total")))


def small_ready() -> Prepared:
    return prepare(small_effects(), small_tags(), fit_response(small_log()))
