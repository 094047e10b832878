"""Histories: order, parts, and that looking at them changes nothing."""

import numpy as np
import pytest

from tagcf.recommend.histories import Histories


@pytest.fixture
def live() -> Histories:
    return Histories.of([[], [3], [3, 5, 3, 4], [2, 1, 0]], 6)


def test_seen_counts_repeats_once_and_leaves_the_histories_alone(live: Histories) -> None:
    before = live.item.copy(), live.indptr.copy()
    for _ in range(2):
        assert live.seen().toarray().sum(1).tolist() == [0, 1, 3, 3]
        assert live.seen().data.tolist() == [1.0] * 7
    np.testing.assert_array_equal(live.item, before[0])
    np.testing.assert_array_equal(live.indptr, before[1])


def test_of_equal_times_the_order_given_stays() -> None:
    user = np.array([1, 0, 1, 1], np.int32)
    item = np.array([3, 1, 2, 0], np.int32)
    found = Histories.from_events(user, item, np.array([5.0, 1, 5, 4]), 3, 4)
    assert (found.item.tolist(), found.indptr.tolist()) == ([1, 0, 3, 2], [0, 1, 4, 4])


def test_parts_of_the_users(live: Histories) -> None:
    for at in (slice(1, 3), np.array([1, 2]), np.array([False, True, True, False])):
        part = live.users(at)
        assert (part.item.tolist(), part.indptr.tolist()) == ([3, 3, 5, 3, 4], [0, 1, 5])
    assert live.users(np.array([3, 1])).item.tolist() == [2, 1, 0, 3]
    assert live.users(slice(0, 0)).item.size == 0


def test_without_the_last(live: Histories) -> None:
    assert live.without_last(2).item.tolist() == [3, 5, 2]
    assert live.without_last(2).sizes.tolist() == [0, 0, 2, 1]
    assert len(live.without_last(9)) == 4
