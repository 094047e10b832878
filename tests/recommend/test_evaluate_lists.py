"""Coverage, concentration, novelty, diversity, calibration, slices and intervals, by hand."""

import numpy as np
import pytest
from scipy import sparse, stats

from tagcf.recommend.evaluate.beyond import calibration, coverage, diversity, gini, novelty
from tagcf.recommend.evaluate.intervals import mean_interval, paired_interval
from tagcf.recommend.evaluate.ranking import Ranked
from tagcf.recommend.evaluate.slices import (
    author_slice,
    history_slice,
    record_slice,
    slice_rows,
)
from tagcf.recommend.evaluate.splits import Holdout
from tagcf.recommend.histories import Histories

TAGS = sparse.csr_array(
    np.array([[1, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0], [0, 0, 0]], np.float32)
)


def test_coverage_and_gini() -> None:
    top = np.array([[0, 1], [0, 2], [0, -1]], np.int32)
    assert coverage(top, 6) == 0.5
    # Shown 3, 1, 1, 0, 0, 0 times: mean absolute difference over twice the mean.
    shown = np.array([3, 1, 1, 0, 0, 0])
    by_pairs = np.abs(shown[:, None] - shown).sum() / (2 * 6 * shown.sum())
    assert gini(top, 6) == pytest.approx(by_pairs)
    assert gini(np.array([[0, 1, 2]]), 3) == 0
    assert gini(np.full((1, 3), -1), 3) == 0


def test_novelty_is_the_surprise_of_what_is_shown() -> None:
    count = np.array([4, 2, 1, 1, 0])  # of 8 events: 1, 2, 3, 3 bits; unseen as if had once
    found = novelty(np.array([[0, 1], [2, 4], [1, -1], [-1, -1]], np.int32), count)
    assert found[:3].tolist() == [1.5, 3.0, 2.0]
    assert np.isnan(found[3])


def test_diversity_is_one_less_the_mean_cosine() -> None:
    top = np.array([[0, 1, -1], [0, 2, -1], [0, 2, 3], [0, 4, -1], [0, -1, -1]], np.int32)
    found = diversity(top, TAGS)
    half = 1 / np.sqrt(2)
    assert found[:4] == pytest.approx([0, 1, 1 - 2 * half / 3, 1])
    assert np.isnan(found[4])


def test_calibration_is_the_divergence_of_the_tags_shown() -> None:
    had = Histories.of([[0, 1, 2, 2], [0], [4], [3]], 5)
    top = np.array([[0, 2], [2, 2], [0, 1], [0, 2]], np.int32)
    found = calibration(top, had, TAGS)
    assert found[0] == pytest.approx(0, abs=1e-12)  # half and half in both
    assert found[1] == pytest.approx(np.log(1 / 0.01))  # nothing of what was wanted
    assert np.isnan(found[2])  # a history without tags
    assert found[3] == pytest.approx(0, abs=1e-12)


def test_interval_of_one_seed_is_the_t_interval() -> None:
    values = np.random.default_rng(0).normal(size=(1, 30))
    found = mean_interval(values)
    low, high = stats.t.interval(0.95, 29, values.mean(), stats.sem(values[0]))
    assert (found.low, found.high) == pytest.approx((low, high))


def test_one_user_tells_no_interval() -> None:
    found = mean_interval(np.array([[0.5]]))
    assert found.mean == 0.5
    assert np.isnan([found.se, found.low, found.high]).all()


def test_pairs_cancel_what_users_have_in_common() -> None:
    rng = np.random.default_rng(1)
    common = rng.normal(0, 5, 400)
    first, second = (common + rng.normal(shift, 0.1, 400) for shift in (0.1, 0.0))
    gap = paired_interval(first[None], second[None])
    assert gap.low > 0
    assert gap.high - gap.low < 0.05
    assert mean_interval(first[None]).se > 0.2


def test_intervals_cover_over_users_and_seeds() -> None:
    rng = np.random.default_rng(2)
    covered = []
    for _ in range(600):
        luck = rng.normal(0, 0.3, (4, 1))  # of each training
        values = 1 + rng.normal(0, 1, 50) + luck + rng.normal(0, 0.5, (4, 50))
        found = paired_interval(values, np.zeros((1, 50)))
        covered.append(found.low < 1 < found.high)
    assert 0.93 < np.mean(covered) < 0.99


@pytest.fixture
def holdout() -> Holdout:
    train = Histories.of([[0] * 6 + [1, 2], [0, 1], [3] * 20], 5)
    history = Histories.of([[0] * 6 + [1, 2], [], [3] * 21], 5)
    place = np.arange(3, dtype=np.int32)
    return Holdout(train, history, np.array([1, 3, 4], np.int32), place, np.full(3, np.nan))


def test_slices_by_hand(holdout: Holdout) -> None:
    top = np.array([[3, 0], [3, 0], [0, 4]], np.int32)
    ranked = Ranked(np.array([1.0, np.inf, 3.0]), top, 1.0)
    slices = [history_slice(holdout), record_slice(holdout.train)]
    rows = {(row.slice, row.level): row for row in slice_rows("m", [ranked], holdout, slices)}
    assert list(rows) == [
        *(("history", level) for level in ("0", "6-20", "21+")),
        *(("item events", level) for level in ("0", "1-4", "20+")),
    ]
    assert rows["history", "6-20"].ndcg_10 == 1
    assert rows["history", "21+"].ndcg_10 == 0.5
    cold = rows["item events", "0"]
    assert (cold.n_users, cold.recall_10, cold.exposure, cold.events) == (1, 1, 1 / 6, 0)
    assert rows["item events", "20+"].exposure == 2 / 6
    assert rows["item events", "20+"].events == pytest.approx(20 / 30)
    assert rows["item events", "20+"].items == 1 / 5


def test_authors_are_cut_into_thirds_of_the_events(holdout: Holdout) -> None:
    author = np.array([0, 1, 1, 2, -1], np.int32)  # 7, 3 and 20 events
    assert author_slice(holdout.train, author).code.tolist() == [0, 0, 0, 1, -1]
    even = author_slice(Histories.of([[0, 1, 2]], 3), np.array([0, 1, 2], np.int32))
    assert even.code.tolist() == [0, 1, 2]
