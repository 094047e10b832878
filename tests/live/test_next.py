"""What comes next, learned from switches whose law is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from tagcf.errors import DataError
from tagcf.live.dynamics.coming import (
    DAY,
    InterestHistory,
    Surroundings,
    fit_coming,
    loved,
    untouched,
)
from tagcf.live.dynamics.next_interest import FEATURES, NextInterest, hit

T = 8


def certain(tag: int) -> np.ndarray:
    return (np.arange(T) == tag).astype(np.float64)


def taught(law: np.ndarray, n: int = 3000, users: int = 20, seed: int = 0) -> NextInterest:
    """A model that saw everybody move by a law (T, T)."""
    draw = np.random.default_rng(seed)
    model, now = NextInterest(users, T), draw.integers(0, T, users)
    for k in range(n):
        user = int(draw.integers(users))
        target = int(draw.choice(T, p=law[now[user]]))
        model.observe(user, 60.0 * k, int(now[user]), target)
        now[user] = target
    return model


def law_of(seed: int = 1) -> np.ndarray:
    law = np.random.default_rng(seed).dirichlet(np.full(T, 0.4), T)
    np.fill_diagonal(law, 0)
    return law / law.sum(axis=1, keepdims=True)


def test_chances_come_near_the_law() -> None:
    law = law_of()
    model = taught(law, 6000)
    told = np.array([model.chances(0, certain(tag), 4e5) for tag in range(T)])
    assert np.allclose(told.sum(axis=1), 1)
    assert np.abs(told - law).sum(axis=1).mean() < 0.35  # of at most 2
    assert (told.argmax(axis=1) == law.argmax(axis=1)).mean() >= 0.75
    assert told.diagonal().max() < 1e-6  # nobody moves to where they are


def test_a_belief_in_two_tags_gives_a_mixture() -> None:
    model = taught(law_of())
    both = model.chances(0, 0.5 * certain(0) + 0.5 * certain(1), 4e5)
    one, other = (model.chances(0, certain(tag), 4e5) for tag in (0, 1))
    far = [t for t in range(T) if t > 1]
    low, high = np.minimum(one, other)[far], np.maximum(one, other)[far]
    assert ((both[far] > 0.4 * low) & (both[far] < 1.8 * high + 0.02)).all()


def test_friends_draw_along() -> None:
    friends = sparse.csr_array(np.array([[0.0, 1.0], [1.0, 0.0]]))
    model = NextInterest(2, T, friends=friends)
    draw = np.random.default_rng(0)
    tag = 0
    for k in range(400):  # the second always follows the first
        new = int(draw.choice([t for t in range(T) if t != tag]))
        model.observe(0, 600.0 * k, tag, new)
        model.observe(1, 600.0 * k + 60, tag, new)
        tag = new
    new = (tag + 3) % T
    model.observe(0, 600.0 * 400, tag, new)
    assert model.chances(1, certain(tag), 600.0 * 400 + 60).argmax() == new
    assert model.likely(1, certain(tag), 600.0 * 400 + 60)[0].because == "friends"


def loving(n_users: int = 200, seed: int = 0) -> tuple[InterestHistory, np.ndarray, np.ndarray]:
    """Forty days of users who love two tags of twelve and one day a third, where one leads.

    Returns the history, (U,) the third tag, and (U,) the day from which it is loved.
    """
    draw, n_tags = np.random.default_rng(seed), 12
    first = np.array([draw.permutation(n_tags)[:2] for _ in range(n_users)])
    third = (first[:, 0] + 1 + 5 * (first[:, 1] == (first[:, 0] + 1) % n_tags)) % n_tags
    since = draw.uniform(3, 40, n_users)
    rows = []
    for user in range(n_users):
        now = int(first[user, 0])
        for ts in np.sort(draw.uniform(0, 40, 160)):
            mine = [*first[user], *([third[user]] if ts > since[user] else [])]
            target = int(draw.choice(mine) if draw.random() < 0.97 else draw.integers(n_tags))
            rows.append((ts * DAY, user, now, target))
            now = target
    rows.sort()
    ts, who, source, target = (np.array(column) for column in zip(*rows, strict=True))
    return InterestHistory(who, source, target, ts, n_users, n_tags), third, since


def test_what_comes_to_be_loved_is_told_and_how_likely() -> None:
    history, third, since = loving()
    logic = np.roll(np.eye(12), 1, axis=1)
    past = history.before(20 * DAY)
    model = fit_coming(past, [5 * DAY, 10 * DAY], 10 * DAY, Surroundings(logic))
    later = np.flatnonzero(since > 20)
    told = [model.coming_interests(past, int(user), k=2, days=20) for user in later]
    right = [third[user] in [one.tag for one in row] for user, row in zip(later, told, strict=True)]
    popular = np.argsort(-past.counts().sum(axis=0))
    common = [third[u] in [t for t in popular if untouched(past)[u, t]][:2] for u in later]
    assert np.mean(right) > np.mean(common) + 0.3
    assert "logic graph" in {row[0].because for row in told}
    chances = model.chances(past, 20 * DAY)
    came = loved(history.between(20 * DAY, 40 * DAY)) & untouched(past)
    assert np.nansum(chances) == pytest.approx(came.sum(), rel=0.5)
    assert np.isnan(chances[~untouched(past)]).all()


def test_where_nothing_came_to_be_loved_nothing_can_be_learned() -> None:
    history, _, _ = loving(10)
    with pytest.raises(DataError, match="history"):
        fit_coming(history.before(5 * DAY), [4.99 * DAY], 0.001 * DAY)


def test_the_logic_graph_helps_before_anything_is_learned() -> None:
    logic = np.zeros((T, T))
    logic[2, 6] = 1.0
    model = NextInterest(1, T, logic=logic)
    assert model.chances(0, certain(2), 0.0).argmax() == 6
    assert model.likely(0, certain(2), 0.0, k=2)[0].because == "logic graph"
    assert len(model.weights) == len(FEATURES)


@pytest.mark.parametrize(("target", "expected"), [(0, True), (2, True), (3, False)])
def test_hits_are_among_the_first_three(target: int, expected: bool) -> None:
    assert hit([0.4, 0.3, 0.2, 0.1], target) is expected
