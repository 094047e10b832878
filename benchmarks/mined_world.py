"""Names that do nothing, on items that some audience happens to like: what co-use must not sell.

Items under one tag carry one of many free-form names each, at random: no name has any effect, for
anybody. What an item is to each community of users is drawn, too, whatever its name. Names whose
items the same community happens to like are used together, so that co-use groups them; a group's
items *are* liked by that community, and the sub-tag looks as if it raised clicks there.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import polars as pl
import pyarrow as pa

from tagcf.data.arrays import log_from_arrays, tags_from_arrays
from tagcf.tags.roles.engagement import engaged_table
from tagcf.tags.tree.mined import Mined, part_to_mine, units_of, unseen_items
from tagcf.tags.tree.propose import propose
from tagcf.types import EventLog, IdMap, Tag, TagMatrix

PARENT = Tag("warmth", "温情", "Warmth", "topic")
ALIKE = 0.45  # similarity in meaning of any two names: context decides which are grouped
COMMUNITIES = 3
APPEAL = 2.0  # spread of what an item is to a community, in log odds


@dataclass(frozen=True)
class MinedWorld:
    """A log with a segment "community", the parent tag, and names without effects."""

    log: EventLog
    carried: np.ndarray  # (I,) of the parent
    named: np.ndarray  # (I,) number of the item's name; -1 none
    ids: tuple[str, ...]

    @property
    def free(self) -> pl.DataFrame:
        """Free-form names, as `propose` takes them."""
        at = np.flatnonzero(self.named >= 0)
        return pl.DataFrame(
            {"item_id": [self.ids[k] for k in at], "name": [f"name {self.named[k]}" for k in at]}
        )


def mined_world(
    seed: int, *, items: int = 4000, users: int = 1500, names: int = 320, rows: int = 160
) -> MinedWorld:
    """Draw a world; times are in the order of the rows, over a million seconds."""
    draw = np.random.default_rng(seed)
    under = 2 * items // 5
    carried = (np.arange(items) < under).astype(float)
    named = np.where(carried > 0, draw.integers(names, size=items), -1)
    community = draw.integers(COMMUNITIES, size=users)
    appeal = draw.normal(0, APPEAL, (items, COMMUNITIES))
    count = np.clip(rows * np.exp(0.5 * draw.normal(size=users)), 5, items).astype(int)
    user = draw.permutation(np.repeat(np.arange(users), count))
    item = draw.integers(items, size=len(user))
    odds = appeal[item, community[user]] - 3
    click = (draw.random(len(user)) < 1 / (1 + np.exp(-odds))).astype(float)
    ids = tuple(f"item-{k}" for k in range(items))
    log = log_from_arrays(
        item=item,
        user=user,
        outcomes={"click": click},
        ts=np.linspace(0, 1e6, len(user)),
        segments={"community": community[user].astype(str)},
        items=IdMap(pa.array(ids)),
        simulated=True,
    )
    return MinedWorld(log, carried, named, ids)


def found_tags(
    world: MinedWorld, share: float, until: float | None = None
) -> tuple[TagMatrix, Mined]:
    """Every sub-tag that co-use proposes, accepted, and what it was mined from."""
    part, mined = part_to_mine(world.log, units_of(world.ids), share, until)
    matrix = tags_from_arrays(world.log.items, world.carried[:, None], [PARENT])
    made = propose(
        matrix, [PARENT], world.free, engaged=engaged_table(part), mined=mined, embed=_alike
    )
    groups = [set(one.names) for one in made if one.kind == "sub_tag"]
    return _with_children(world, groups), mined


def random_tags(world: MinedWorld, seed: int, groups: int = 8, size: int = 8) -> TagMatrix:
    """Sub-tags of names drawn at random: what honest estimates of tags without effect look like."""
    names = np.random.default_rng(seed).permutation(world.named.max() + 1)[: groups * size]
    return _with_children(world, [{f"name {k}" for k in names[g::groups]} for g in range(groups)])


def fair(world: MinedWorld, tags: TagMatrix, mined: Mined) -> TagMatrix:
    """Tags as `load_tags` gives them: with the items that had no part in finding them."""
    unseen = unseen_items(world.log, units_of(world.ids), mined)
    return replace(tags, unseen=tuple((tag.slug, unseen) for tag in tags.tags[1:]))


def _with_children(world: MinedWorld, groups: list[set[str]]) -> TagMatrix:
    columns = [world.carried]
    columns += [np.array([f"name {k}" in group for k in world.named], float) for group in groups]
    tags = [PARENT]
    tags += [Tag(f"sub-{k}", f"子{k}", f"Sub {k}", "topic", "warmth") for k in range(len(groups))]
    return tags_from_arrays(world.log.items, np.column_stack(columns), tags)


def _alike(names: list[str]) -> np.ndarray:
    """Names that are all equally near each other, as spellings of one thing are."""
    same = np.full((len(names), 1), ALIKE**0.5)
    return np.hstack([same, (1 - ALIKE) ** 0.5 * np.eye(len(names))]).astype(np.float32)
