"""Sort-and-search matching against comparing everybody with everybody."""

import numpy as np
import pytest

from tagcf.effects.matching.bins import pair_in_bins
from tagcf.effects.matching.pairing import pair


def brute_force(
    score: np.ndarray,
    carries: np.ndarray,
    pool: np.ndarray,
    w: np.ndarray,
    caliper: float | None,
    neighbours: int,
    company: float,
) -> tuple[np.ndarray, np.ndarray]:
    treated, reuse = np.zeros(len(score)), np.zeros(len(score))
    for unit in np.flatnonzero(carries):
        same = np.flatnonzero(~carries & (pool == pool[unit]))
        # By distance; a tie between the two sides goes to the lower score.
        values = np.unique(score[same])
        values = values[np.lexsort((values, np.abs(values - score[unit])))]
        taken = np.empty(0, dtype=int)
        for value in values:
            limit = np.inf if caliper is None else caliper
            if taken.size:
                limit = min(limit, company)
            if taken.size >= neighbours or abs(value - score[unit]) > limit:
                break
            taken = np.concatenate([taken, same[score[same] == value]])
        if taken.size:
            total = w[taken].sum()
            counted = w[unit] * total / (w[unit] + total) * (1 + taken.size) / taken.size
            treated[unit] = counted
            reuse[taken] += counted * w[taken] / total
    return treated, reuse


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("caliper", [None, 0.05])
@pytest.mark.parametrize(("neighbours", "company"), [(1, np.inf), (4, np.inf), (4, 0.1)])
def test_pairs_like_brute_force(
    seed: int, caliper: float | None, neighbours: int, company: float
) -> None:
    random = np.random.default_rng(seed)
    n = 300
    score = np.round(random.normal(size=n), 1 if seed % 2 else 6)  # with and without ties
    carries = random.random(n) < 0.4
    pool = random.integers(0, 5, n)
    w = random.integers(1, 4, n).astype(float)
    found = pair(score, carries, pool, w, caliper, neighbours, company)
    treated, reuse = brute_force(score, carries, pool, w, caliper, neighbours, company)
    np.testing.assert_allclose(found.treated, treated)
    np.testing.assert_allclose(found.reuse, reuse)
    assert found.reuse.sum() == pytest.approx(found.treated.sum())


def test_equal_weights_answer_for_the_treated() -> None:
    random = np.random.default_rng(1)
    score, carries = random.normal(size=200), random.random(200) < 0.4
    for found in (
        pair(score, carries, np.zeros(200, dtype=int), np.ones(200), None, 4),
        pair_in_bins(score, carries, np.zeros(200, dtype=int), np.ones(200), None, 5),
    ):
        np.testing.assert_allclose(found.treated, carries.astype(float))


def test_nobody_to_match_with() -> None:
    everybody = np.ones(3, dtype=bool)
    for found in (
        pair(np.zeros(3), everybody, np.zeros(3, dtype=int), np.ones(3), None),
        pair_in_bins(np.zeros(3), everybody, np.zeros(3, dtype=int), np.ones(3), None, 3),
    ):
        assert not found.treated.any()
        assert found.reuse.sum() == 0


def test_pools_are_never_crossed() -> None:
    score, carries = np.array([0.0, 0.0, 5.0]), np.array([True, False, False])
    for found in (
        pair(score, carries, np.array([1, 0, 1]), np.ones(3), None),
        pair_in_bins(score, carries, np.array([1, 0, 1]), np.ones(3), None, 1),
    ):
        np.testing.assert_allclose(found.reuse, [0, 0, found.treated[0]])
        assert found.treated[0] > 0


@pytest.mark.parametrize("bins", [0, 1, 20])
def test_neither_side_is_made_of_more_popular_units(bins: int) -> None:
    """Weight and value go together, and nothing else does: the matched mean what controls mean."""
    gaps = []
    for seed in range(200):
        random = np.random.default_rng(seed)
        n = 60
        value, score = random.normal(size=n), random.normal(size=n)
        carries, pool = random.random(n) < 0.4, np.zeros(n, dtype=int)
        w = np.exp(value)
        if bins:
            found = pair_in_bins(score, carries, pool, w, None, bins)
        else:
            found = pair(score, carries, pool, w, None, 2)
        gaps.append((found.treated - found.reuse) @ value / found.treated.sum())
    assert abs(np.mean(gaps)) < 4 * np.std(gaps) / np.sqrt(len(gaps))
    assert abs(np.mean(gaps)) < 0.1
