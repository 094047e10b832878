"""What comes next, learned from switches whose law is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

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


def test_tags_to_love_are_untouched_and_where_loved_tags_lead() -> None:
    law = np.full((T, T), 0.01)
    law[:, :] += 0.0
    law[0, 5] = law[5, 0] = 5.0
    np.fill_diagonal(law, 0)
    law /= law.sum(axis=1, keepdims=True)
    model = taught(law)
    fresh = NextInterest(21, T)
    fresh.__dict__.update({k: v for k, v in model.__dict__.items() if k != "_own"})
    for _ in range(5):
        fresh._own[20, 0] += 1
    told = fresh.may_love(20, 3)
    assert told[0][0] == 5
    assert 0 not in [tag for tag, _ in told]


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
