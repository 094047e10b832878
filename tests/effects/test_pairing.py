"""Sort-and-search matching against comparing everybody with everybody."""

import numpy as np
import pytest

from tagcf.effects.matching.pairing import pair


def brute_force(
    score: np.ndarray, carries: np.ndarray, cell: np.ndarray, w: np.ndarray, caliper: float | None
) -> tuple[np.ndarray, np.ndarray]:
    matched, reuse = np.zeros(len(score), dtype=bool), np.zeros(len(score))
    for row in np.flatnonzero(carries):
        same = np.flatnonzero(~carries & (cell == cell[row]))
        if not same.size:
            continue
        distance = np.abs(score[same] - score[row])
        if caliper is not None and distance.min() > caliper:
            continue
        nearest = same[distance == distance.min()]
        # A tie between the two sides goes to the lower score.
        nearest = nearest[score[nearest] == score[nearest].min()]
        matched[row] = True
        reuse[nearest] += w[row] * w[nearest] / w[nearest].sum()
    return matched, reuse


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("caliper", [None, 0.05])
def test_pairs_like_brute_force(seed: int, caliper: float | None) -> None:
    random = np.random.default_rng(seed)
    n = 300
    score = np.round(random.normal(size=n), 1 if seed % 2 else 6)  # with and without ties
    carries = random.random(n) < 0.4
    cell = random.integers(0, 5, n)
    w = random.integers(1, 4, n).astype(float)
    found = pair(score, carries, cell, w, caliper)
    matched, reuse = brute_force(score, carries, cell, w, caliper)
    np.testing.assert_array_equal(found.matched, matched)
    np.testing.assert_allclose(found.reuse, reuse)
    assert found.reuse.sum() == pytest.approx(w[found.matched].sum())


def test_nobody_to_match_with() -> None:
    everybody = pair(np.zeros(3), np.ones(3, dtype=bool), np.zeros(3, dtype=int), np.ones(3), None)
    assert not everybody.matched.any()
    assert everybody.reuse.sum() == 0


def test_cells_are_never_crossed() -> None:
    found = pair(
        np.array([0.0, 0.0, 5.0]),
        np.array([True, False, False]),
        np.array([1, 0, 1]),
        np.ones(3),
        None,
    )
    np.testing.assert_array_equal(found.reuse, [0, 0, 1])
