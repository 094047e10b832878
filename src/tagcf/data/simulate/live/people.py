"""Users of the live platform: tastes, budgets, friends, and when they are there. U users."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from tagcf.data.simulate.live.platform import LivePlatform
from tagcf.data.simulate.live.scene import FACTORS, SCENE_FACTORS, Topics
from tagcf.types import Codes, Floats

FRIENDS = 6
DEVICES = ("android", "ios", "web")
TRUST_FACTORS = 3
NEWCOMERS = 0.3  # share of users who have never been in one of the scenes before
SESSION_MINUTES = 95.0
SESSIONS_A_DAY = 3.2
ADOPTED = 1.5  # what a newly loved tag gains


@dataclass(frozen=True, slots=True)
class People:
    """What stays the same of a user over the days of the world."""

    kind: Codes  # (U,) type of user
    taste: Floats  # (U, T) slow: shared across scenes, of the scene, and the user's own
    adopted: Floats  # (U, T) day from which a tag is newly loved; inf where it never is
    trusting: Floats  # (U, TRUST_FACTORS)
    activity: Floats  # (U,) log rate of liking, commenting …
    chatty: Floats  # (U,) log rate of danmaku
    budget: Floats  # (U,) money
    buyer: Floats  # (U,) log-odds
    device: Codes  # (U,)
    friends: sparse.csr_array  # (U, U) rows sum to one
    new_scene: Codes  # (U,) scene that the user has never been in; -1: none
    new_from: Floats  # (U,) inner seconds from which the user goes there


@dataclass(frozen=True, slots=True)
class Sessions:
    """Times on the platform, in the order of user and start; inner seconds."""

    user: Codes
    start: Floats
    end: Floats
    leaving: Floats  # from here on the user is about to go


def gather_people(settings: LivePlatform, topics: Topics, rng: np.random.Generator) -> People:
    """Draw users; friends have similar shared tastes."""
    n, n_tags, n_scenes = settings.users, len(topics.tags), len(topics.scenes)
    shared = rng.normal(size=(n, FACTORS))
    of_scene = rng.normal(size=(n, n_scenes, SCENE_FACTORS))
    specific = np.einsum("ntq,tq->nt", of_scene[:, topics.scene_of], topics.scene_factors)
    specific[:, topics.scene_of < 0] = 0
    taste = 0.8 * shared @ topics.factors.T + 0.5 * specific + 0.4 * rng.normal(size=(n, n_tags))
    new_scene = np.where(rng.random(n) < NEWCOMERS, rng.integers(0, n_scenes, n), -1)
    new_from = settings.seconds * rng.uniform(0.45, 0.7, n)
    return People(
        kind=((shared[:, 0] > 0) + 2 * (shared[:, 1] > 0)).astype(np.int32),
        taste=taste,
        adopted=_adoptions(settings, topics, taste, rng),
        trusting=rng.normal(size=(n, TRUST_FACTORS)) / np.sqrt(TRUST_FACTORS),
        activity=0.5 * rng.normal(size=n),
        chatty=0.8 * rng.normal(size=n),
        budget=rng.lognormal(np.log(90), 0.6, n),
        buyer=0.5 * rng.normal(size=n),
        device=rng.choice(3, n, p=[0.6, 0.3, 0.1]).astype(np.int32),
        friends=_befriend(shared, rng),
        new_scene=new_scene.astype(np.int32),
        new_from=new_from,
    )


def _adoptions(
    settings: LivePlatform, topics: Topics, taste: Floats, rng: np.random.Generator
) -> Floats:
    """(U, T) days from which tags are newly loved: one in ten days, where loved tags lead."""
    leads = np.exp(np.clip(taste, -3, 3)) @ topics.logic / (1 + topics.logic.sum(axis=0))
    leads[:, topics.scene_of < 0] = -np.inf
    leads[taste > 0] = -np.inf
    adopted = np.full(taste.shape, np.inf)
    for day in range(1, settings.days):
        users = np.flatnonzero(rng.random(len(taste)) < 0.1)
        chosen = (leads[users] + rng.gumbel(0, 0.5, (len(users), taste.shape[1]))).argmax(axis=1)
        adopted[users, chosen] = np.minimum(adopted[users, chosen], day)
    return adopted


def _befriend(shared: Floats, rng: np.random.Generator) -> sparse.csr_array:
    """Of a few random others, those most alike become friends; friendship is mutual."""
    n = len(shared)
    met = rng.integers(0, n, (n, 5 * FRIENDS))
    distance = np.linalg.norm(shared[:, None] - shared[met], axis=2)
    distance[met == np.arange(n)[:, None]] = np.inf
    near = np.argsort(distance, axis=1)[:, : FRIENDS // 2 + 1]
    user = np.repeat(np.arange(n), near.shape[1])
    friend = np.take_along_axis(met, near, axis=1).ravel()
    apart = user != friend
    links = sparse.coo_array((np.ones(apart.sum()), (user[apart], friend[apart])), shape=(n, n))
    both = sparse.csr_array(links.tocsr() + links.T.tocsr())
    both.data[:] = 1.0
    degree = np.maximum(np.asarray(both.sum(axis=1)).ravel(), 1.0)
    return sparse.csr_array(sparse.diags_array(1 / degree) @ both)


def draw_sessions(settings: LivePlatform, rng: np.random.Generator) -> Sessions:
    """Draw when users are there: most in the later hours, each at times of their own."""
    n, window = settings.users, settings.window
    late = rng.beta(2.2, 1.6, n)  # the share of the day around which a user comes
    parts: list[tuple[Codes, Floats, Floats]] = []
    for day in range(settings.days):
        count = rng.poisson(SESSIONS_A_DAY * window / 18_000, n)
        user = np.repeat(np.arange(n, dtype=np.int32), count)
        centre = np.clip(late[user] + 0.3 * rng.normal(size=len(user)), 0.02, 0.97)
        minutes = np.clip(rng.lognormal(np.log(SESSION_MINUTES), 0.5, len(user)), 8, 240)
        start = np.clip(centre * window - 30 * minutes, 0, window - 600)
        end = np.minimum(start + 60 * minutes, window - 1.0)
        order = np.lexsort((start, user))
        user, start, end = user[order], start[order], end[order]
        following = np.append(np.where(user[1:] == user[:-1], start[1:], np.inf), np.inf)
        end = np.minimum(end, following[: len(end)] - 300)
        kept = end - start >= 300
        parts.append((user[kept], start[kept] + day * window, end[kept] + day * window))
    user, start, end = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.lexsort((start, user))
    leaving = end - rng.uniform(60, 180, len(end))
    return Sessions(user[order], start[order], end[order], leaving[order])
