"""Simulated people whose roles cause their tastes: what the logic graph has to find, and to leave.

Items carry one to three topics and often a role. In the *roles* world a user has one role z: it
draws them to items that carry the role tag z and to the three topics of z. True edges are the pairs
(topic of z, z). In the *tastes* world users like some topics and some roles, independently: there
is no edge. In both, a few topics and roles sit on the same items nearly always (`mechanical`) and
nobody's taste links them. With `shown` the log has impressions, and in the *targeted* world a
platform shows each group of users one topic and one role, which they like no more than others do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from tagcf.data.arrays import log_from_arrays, tags_from_arrays
from tagcf.types import EventLog, Tag, TagMatrix

Kind = Literal["roles", "tastes", "targeted"]


@dataclass(frozen=True)
class LogicWorld:
    """A log with its tags and roles, and what is true of it."""

    log: EventLog
    tags: TagMatrix
    roles: TagMatrix
    true: np.ndarray  # (T, R) bool
    mechanical: np.ndarray  # (T, R) bool
    role_of_user: np.ndarray  # (U,) -1 where users have none


def logic_world(
    kind: Kind = "roles",
    *,
    users: int = 2000,
    items: int = 800,
    topics: int = 30,
    roles: int = 12,
    pull: float = 1.2,
    shown: bool = False,
    seed: int = 0,
) -> LogicWorld:
    """Draw a world."""
    draw = np.random.default_rng(seed)
    carried = np.zeros((items, topics))
    for i in range(items):
        carried[i, draw.choice(topics, draw.integers(1, 4), replace=False)] = 1
    audience = np.zeros((items, roles))
    for i in range(items):
        if draw.random() < 0.6:
            audience[i, draw.integers(roles)] = 1
    mechanical = np.zeros((topics, roles), bool)
    for k in range(4):
        topic, role = topics - 1 - k, roles - 1 - k
        mechanical[topic, role] = True
        audience[(carried[:, topic] > 0) & (draw.random(items) < 0.9), role] = 1
    true = np.zeros((topics, roles), bool)
    for role in range(roles):
        true[draw.choice(topics - 4, 3, replace=False), role] = True
    role_of_user = np.full(users, -1)
    if kind == "roles":
        role_of_user = draw.integers(roles, size=users)
        likes = pull * true.T[role_of_user].astype(float)
        seeks = pull * np.eye(roles)[role_of_user]
    else:
        true = np.zeros((topics, roles), bool)
        likes = pull * (draw.random((users, topics)) < 0.12)
        seeks = pull * (draw.random((users, roles)) < 0.12)
    if kind == "targeted":
        likes, seeks = likes * 0.3, seeks * 0.3
    utility = likes @ carried.T + seeks @ audience.T
    popular = draw.normal(0, 0.8, items)
    activity = np.clip(np.exp(draw.normal(3.2, 0.8, users)), 3, 200).astype(int)
    feed = popular + (0.0 if shown else utility)
    if kind == "targeted":
        group = draw.integers(6, size=users)
        feed = feed + 1.5 * (carried[:, group].T + audience[:, group].T)
    noise = feed + draw.gumbel(size=(users, items))
    order = np.argsort(-noise, axis=1)
    count = np.minimum(activity * (3 if shown else 1), items)
    user = np.repeat(np.arange(users), count)
    item = np.concatenate([order[u, : count[u]] for u in range(users)])
    engaged = np.ones(len(user))
    if shown:
        quality = draw.normal(0, 0.5, items)
        logit = -1.5 + quality[item] + utility[user, item]
        engaged = (draw.random(len(user)) < 1 / (1 + np.exp(-logit))).astype(float)
    log = log_from_arrays(
        item=item,
        user=user,
        outcomes={"like": engaged},
        simulated=True,
    )
    at = np.array([int(one) for one in log.items.ids.to_pylist()])
    who = np.array([int(one) for one in log.users.ids.to_pylist()])
    named = [Tag(f"topic-{k}", f"题材{k}", f"topic {k}", "topic") for k in range(topics)]
    spoken_to = [Tag(f"role-{k}", f"角色{k}", f"role {k}", "role") for k in range(roles)]
    return LogicWorld(
        log=log,
        tags=tags_from_arrays(log.items, carried[at], named),
        roles=tags_from_arrays(log.items, audience[at], spoken_to),
        true=true,
        mechanical=mechanical,
        role_of_user=role_of_user[who],
    )
