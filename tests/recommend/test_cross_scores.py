"""Scores of logged rows: from what came before, by a model without the row's user, and worth it."""

from __future__ import annotations

import numpy as np
import pytest

from tagcf.data.simulate import Platform, simulate
from tagcf.recommend.cross_scores import cross_scores, unit_of
from tagcf.recommend.histories import Histories
from tagcf.recommend.linear.design import Design, Window
from tagcf.recommend.linear.model import Linear, Part
from tagcf.recommend.linear.ridge import Ridge
from tagcf.recommend.rank.ranker import Ranker
from tagcf.recommend.recommender import Recommender
from tagcf.settings import RecommendSettings


@pytest.mark.parametrize("neighbours", [None, 9])
def test_scores_are_those_of_the_other_half(neighbours: int | None) -> None:
    rng = np.random.default_rng(0)
    n_users, n_items = 40, 25
    user, item = rng.integers(0, n_users, 500).astype(np.int32), rng.integers(0, n_items, 500)
    ts = rng.permutation(500).astype(float)
    past = Histories.from_events(user, item.astype(np.int32), ts, n_users, n_items)
    windows = Part(Design((Window(1), Window(6, 0.2))), Ridge(30.0, 0.0, 0.0, neighbours))
    bags = Part(
        Design((Window(99, 0.0, 0.1),), ordered=False), Ridge(30.0, 0.0, 0.0, neighbours), 0.4
    )
    scorer = cross_scores(Linear((windows, bags)), past)
    rows = (
        rng.integers(0, n_users, 60).astype(np.int32),
        rng.integers(0, n_items, 60).astype(np.int32),
    )
    when = rng.uniform(0, 500, 60)
    found = scorer(*rows, when)
    assert found.shape == (60, 1)
    for u, i, t, value in zip(*rows, when, found[:, 0], strict=True):
        half = np.arange(n_users) % 2 != u % 2
        fitted = Linear((windows, bags)).fit(past.users(half))
        own = past.users(np.array([u]))
        own = own.where(own.ts < t)
        score = fitted.scores(own)[0, i] - fitted.popularity[i]
        assert value == pytest.approx(score / unit_of(fitted), abs=1e-5)
    lost = scorer(np.array([-1, 99, 3], np.int32), np.array([0, 0, -1], np.int32), np.zeros(3))
    assert not lost.any()


def test_the_model_raises_the_true_utility() -> None:
    """On a simulated platform: more of what is wanted than by outcomes predicted without it."""
    world = simulate(Platform(users=400, items=250, tags=16, days=28, seed=0))
    wanted = {"click": 1.0, "completion": 1.0, "like": 1.0}
    settings = RecommendSettings(utility=wanted)
    trained = Recommender.fit(world.log, world.tags, None, settings)
    assert trained.models.unit is not None
    at = [[one.name for one in world.log.outcomes].index(name) for name in wanted]
    with_it, without = [], []
    plain = Ranker().fit(world.log, world.tags)
    items = np.arange(len(world.log.items))
    users = np.arange(0, len(world.log.users), 2)
    lists = trained.recommend([trained.people.ids[u] for u in users], exclude_seen=False)
    for u, ranking in zip(users, lists, strict=True):
        true = world.expected(np.full(items.size, u), items)[:, at].sum(axis=1)
        shown = trained.catalogue.find([one.item for one in ranking.items])
        with_it.append(true[shown].mean())
        columns = [plain.names.index(name) for name in wanted]
        other = np.argsort(-plain.outcomes(int(u), items)[:, columns].sum(axis=1))[:10]
        without.append(true[other].mean())
    gain = np.array(with_it) - np.array(without)
    assert gain.mean() > 3 * gain.std() / np.sqrt(gain.size)
