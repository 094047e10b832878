"""Ranks and the metrics made of them, computed by hand."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagcf.errors import EstimationError
from tagcf.recommend.evaluate.metrics import by_user
from tagcf.recommend.evaluate.ranking import rank_targets
from tagcf.recommend.evaluate.splits import Holdout
from tagcf.recommend.histories import Histories
from tagcf.recommend.scoring import Scores
from tagcf.types import Floats


@dataclass(frozen=True)
class Fixed:
    """Scores as given, whatever the history; users are asked in order."""

    table: np.ndarray

    def scores(self, histories: Histories, at: Floats | None = None) -> Scores:
        assert at is not None
        return self.table[at.astype(int)].astype(np.float32)


def asked(sequences: list[list[int]], target: list[int], n_items: int) -> Holdout:
    history = Histories.of(sequences, n_items)
    everything = Histories.of([list(range(n_items))], n_items)
    place = np.arange(len(target), dtype=np.int32)
    return Holdout(everything, history, np.array(target, np.int32), place, place.astype(float))


def test_history_is_masked_and_ties_get_the_mid_rank() -> None:
    table = np.array(
        [
            [9, 5, 5, 5, 1],  # item 0 was had: 1, 2 and 3 share places 1 to 3
            [3, 2, 1, 0, -1],
            [1, 1, 1, 1, 1],
        ]
    )
    found = rank_targets(Fixed(table), asked([[0], [0, 1], []], [2, 4, 0], 5), depth=3)
    assert found.rank.tolist() == [2.0, 3.0, 3.0]
    assert found.top.tolist() == [[1, 2, 3], [2, 3, 4], [0, 1, 2]]  # of equals the smaller item


def test_metrics_by_hand() -> None:
    rank = np.array([1.0, 2.5, 10.0, 10.5, 20.0, np.inf])
    assert by_user(rank, "recall@10").tolist() == [1, 1, 1, 0, 0, 0]
    assert by_user(rank, "recall@20").tolist() == [1, 1, 1, 1, 1, 0]
    assert by_user(rank, "ndcg@10") == pytest.approx([1, 0.553295, 0.289065, 0, 0, 0], abs=1e-6)
    assert by_user(rank, "ndcg@20")[4] == pytest.approx(1 / np.log2(21))
    assert by_user(rank, "mrr@10").tolist() == [1, 0.4, 0.1, 0, 0, 0]


def test_target_that_nobody_had_is_a_miss_unless_cold_items_are_asked_for() -> None:
    holdout = asked([[0]], [3], 4)
    unseen = Holdout(
        Histories.of([[0, 1, 2]], 4), holdout.history, holdout.target, holdout.user, holdout.at
    )
    best = Fixed(np.array([[0, 0, 0, 1]]))
    assert rank_targets(best, unseen).rank.tolist() == [np.inf]
    assert rank_targets(best, unseen, unseen_is_miss=False).rank.tolist() == [1.0]


def test_target_of_the_history_is_a_miss() -> None:
    found = rank_targets(Fixed(np.array([[5, 1, 0]])), asked([[0]], [0], 3))
    assert found.rank.tolist() == [np.inf]
    assert found.top[0, :3].tolist() == [1, 2, -1]


def test_everything_was_had() -> None:
    found = rank_targets(Fixed(np.zeros((1, 2))), asked([[0, 1]], [1], 2), depth=2)
    assert found.rank.tolist() == [np.inf]
    assert found.top.tolist() == [[-1, -1]]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_scores_that_are_no_numbers_are_refused(bad: float) -> None:
    table = np.zeros((3, 4))
    table[1, 2] = bad
    with pytest.raises(EstimationError, match="broken gave user number 1 a score that is NaN"):
        rank_targets(Fixed(table), asked([[], [], []], [0, 1, 2], 4), name="broken")


def test_scores_of_another_shape_are_refused() -> None:
    with pytest.raises(EstimationError, match=r"\(1, 3\) instead of \(1, 4\)"):
        rank_targets(Fixed(np.zeros((1, 3))), asked([[]], [0], 4), name="narrow")


@given(st.integers(0, 10_000), st.integers(1, 40), st.integers(1, 5))
def test_ranks_are_those_of_a_full_sort(seed: int, n_items: int, levels: int) -> None:
    rng = np.random.default_rng(seed)
    table = rng.integers(0, levels, (6, n_items)).astype(float)
    sequences = [rng.choice(n_items, rng.integers(0, n_items), False).tolist() for _ in range(6)]
    target = rng.integers(0, n_items, 6).tolist()
    holdout = asked(sequences, target, n_items)
    found = rank_targets(Fixed(table), holdout, depth=5, block_bytes=8 * n_items)
    for user in range(6):
        left = np.setdiff1d(np.arange(n_items), sequences[user])
        order = left[np.argsort(-table[user][left], kind="stable")]
        best = order[:5].tolist()
        assert found.top[user].tolist() == best + [-1] * (5 - len(best))
        if target[user] in sequences[user]:
            assert found.rank[user] == np.inf
        else:
            places = 1 + np.flatnonzero(table[user][order] == table[user][target[user]])
            assert found.rank[user] == places.mean()


def test_ranked_among_some_items_only() -> None:
    table = Fixed(np.array([[9, 8, 7, 6, 5]]))
    some = np.array([False, False, True, False, True])
    found = rank_targets(table, asked([[]], [4], 5), depth=3, among=some)
    assert (found.rank.tolist(), found.top.tolist()) == ([2.0], [[2, 4, -1]])
    assert rank_targets(table, asked([[]], [0], 5), among=some).rank.tolist() == [np.inf]
