"""Diversity and exploration: exact against definitions, chances against frequencies."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from tagcf.errors import SettingsError, UnknownNameError
from tagcf.recommend.rank.diversity import Best, Determinantal, MarginalRelevance, unit_vectors
from tagcf.recommend.rank.explore import Exploration
from tagcf.recommend.rank.utility import Utility


def made(n: int = 40, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    carried = sparse.csr_array((rng.random((n, 12)) < 0.3).astype(float))
    return rng.normal(size=n), unit_vectors(carried)


def test_determinant_order_is_the_greedy_maximum() -> None:
    utility, vectors = made()
    score = (utility - utility.mean()) / utility.std() / 1.0
    kernel = np.exp(score)[:, None] * (vectors @ vectors.T + 0.05 * np.eye(40)) * np.exp(score)
    greedy: list[int] = []
    for _ in range(8):
        rest = [i for i in range(40) if i not in greedy]
        volume = [np.linalg.slogdet(kernel[np.ix_([*greedy, i], [*greedy, i])])[1] for i in rest]
        greedy.append(rest[int(np.argmax(volume))])
    assert Determinantal(weight=0.5).pick(utility, vectors, 8).tolist() == greedy


def test_marginal_relevance_is_its_definition() -> None:
    utility, vectors = made(seed=1)
    score = (utility - utility.mean()) / utility.std()
    chosen: list[int] = []
    for _ in range(8):
        near = [max((vectors[i] @ vectors[j] for j in chosen), default=0.0) for i in range(40)]
        value = score - 0.7 * np.array(near)
        value[chosen] = -np.inf
        chosen.append(int(value.argmax()))
    assert MarginalRelevance(weight=0.7).pick(utility, vectors, 8).tolist() == chosen


@pytest.mark.parametrize("using", [MarginalRelevance(1.0), Determinantal(4.0)])
def test_lists_differ_more_and_cost_little(using: MarginalRelevance | Determinantal) -> None:
    utility, vectors = made(n=300, seed=2)

    def alike(order: np.ndarray) -> float:
        near = vectors[order] @ vectors[order].T
        return float((near.sum() - len(order)) / (len(order) * (len(order) - 1)))

    plain, diverse = Best().pick(utility, vectors, 10), using.pick(utility, vectors, 10)
    assert alike(diverse) < 0.8 * alike(plain)
    assert utility[diverse].mean() > 0.4 * utility[plain].mean()
    assert len(set(diverse.tolist())) == 10


@pytest.mark.parametrize("using", [Best(), MarginalRelevance(), Determinantal(), Determinantal(0)])
def test_odd_requests_have_defined_answers(
    using: Best | MarginalRelevance | Determinantal,
) -> None:
    utility, vectors = made(n=5)
    assert sorted(using.pick(utility, vectors, 50).tolist()) == [0, 1, 2, 3, 4]
    assert using.pick(utility, vectors, 0).size == 0
    assert using.pick(np.empty(0), np.empty((0, 3), np.float32), 3).size == 0
    utility[2] = np.nan
    assert using.pick(utility, vectors, 5)[-1] == 2
    assert using.pick(np.full(5, np.nan), vectors, 2).size == 2


def test_logged_chances_are_the_frequencies() -> None:
    rng = np.random.default_rng(0)
    order, items = np.array([3, 1, 0]), np.array([10, 11, 12, 13, 14, 15])
    draw = Exploration(share=0.3)
    chance: dict[tuple[int, ...], float] = {}
    seen: dict[tuple[int, ...], int] = {}
    n = 60_000
    for _ in range(n):
        shown = draw.draw(order, items, rng)
        key = tuple(shown.item.tolist())
        chance[key] = float(np.prod(shown.propensity))
        seen[key] = seen.get(key, 0) + 1
    for key, told in chance.items():
        error = np.sqrt(told * (1 - told) / n)
        assert abs(seen[key] / n - told) < 5 * error + 1e-4
    assert sum(chance.values()) == pytest.approx(1.0, abs=1e-3)


def test_logged_chances_make_inverse_weighting_unbiased() -> None:
    """The mean of an outcome over all candidates, from lists that favour some of them."""
    rng = np.random.default_rng(1)
    worth = rng.random(20)
    order, items = np.argsort(-worth), np.arange(20)
    total = []
    for _ in range(20_000):
        shown = Exploration(share=0.2).draw(order, items, rng, k=1)
        total.append(worth[shown.item[0]] / shown.propensity[0] / 20)
    mean, error = np.mean(total), np.std(total) / np.sqrt(len(total))
    assert abs(mean - worth.mean()) < 4 * error


def test_without_exploration_the_order_stands_and_with_all_of_it_nothing_does() -> None:
    rng = np.random.default_rng(2)
    plain = Exploration(share=0.0).draw([2, 0], [7, 8, 9], rng)
    assert plain.item.tolist() == [9, 7]
    assert plain.propensity.tolist() == [1.0, 1.0]
    assert not plain.randomized.any()
    every = Exploration(share=1.0).draw([2, 0], [7, 8, 9], rng, k=9)
    assert sorted(every.item.tolist()) == [7, 8, 9]
    np.testing.assert_allclose(every.propensity, [1 / 3, 1 / 2, 1.0])
    beyond = Exploration(share=0.0).draw([2], [7, 8, 9], rng, k=3)
    assert beyond.item[0] == 9
    assert beyond.randomized.tolist() == [False, True, True]
    with pytest.raises(SettingsError, match="from 0 to 1"):
        Exploration(share=1.2)


def test_utility_is_the_stated_sum() -> None:
    outcomes = np.array([[0.5, 0.2, np.nan], [0.1, 0.9, 0.3]])
    names = ("click", "like", "return")
    found = Utility({"click": 1.0, "like": 2.0, "return": 10.0}).of(names, outcomes)
    np.testing.assert_allclose(found, [0.9, 4.9])
    np.testing.assert_allclose(Utility({"click": -1.0}).of(names, outcomes), [-0.5, -0.1])
    with pytest.raises(UnknownNameError, match="like"):
        Utility({"likes": 1.0}).of(names, outcomes)
    with pytest.raises(SettingsError, match="no weight"):
        Utility({"click": 0.0})
    with pytest.raises(SettingsError, match="finite"):
        Utility({"click": float("nan")})
