"""Who is asked what: leave-one-out, its rolling hold-outs, and one cut in time."""

import numpy as np
import pytest

from tagcf.errors import EstimationError
from tagcf.recommend.evaluate.splits import (
    Holdout,
    cold_items,
    global_time,
    leave_one_out,
    rolling,
)
from tagcf.recommend.histories import Histories


def lists(histories: Histories) -> list[list[int]]:
    return [
        histories.item[start:stop].tolist()
        for start, stop in zip(histories.indptr, histories.indptr[1:], strict=False)
    ]


SEQUENCES = [[0, 1, 2, 3], [4, 5], [3, 2, 1], []]


def test_leave_one_out_by_hand() -> None:
    split = leave_one_out(Histories.of(SEQUENCES, 6))
    assert lists(split.test.train) == [[0, 1], [4, 5], [3], []]  # too short: learnt from only
    assert split.test.train is split.valid.train
    assert (split.valid.user.tolist(), split.test.user.tolist()) == ([0, 2], [0, 2])
    assert lists(split.valid.history) == [[0, 1], [3]]
    assert split.valid.target.tolist() == [2, 2]
    assert lists(split.test.history) == [[0, 1, 2], [3, 2]]
    assert split.test.target.tolist() == [3, 1]


def test_rolling_forgets_the_last_events_first() -> None:
    first, second = rolling(Histories.of(SEQUENCES, 6), 2)
    assert first.test.target.tolist() == [3, 1]
    assert second.test.user.tolist() == [0]  # the third user has only two events left
    assert second.test.target.tolist() == [2]
    assert lists(second.test.train) == [[0], [4], [3, 2], []]


def test_nobody_has_three_events() -> None:
    with pytest.raises(EstimationError, match="none has 3 positive events"):
        leave_one_out(Histories.of([[0, 1], [1]], 2))
    with pytest.raises(EstimationError, match="none has 3"):
        leave_one_out(Histories.of([], 0))


@pytest.fixture
def timed() -> Histories:
    user = np.array([0, 0, 1, 2, 0, 1, 3, 2, 1, 3], np.int32)
    item = np.arange(10, dtype=np.int32)
    return Histories.from_events(user, item, np.arange(10.0), 4, 10)


def test_one_cut_in_time_by_hand(timed: Histories) -> None:
    split = global_time(timed, share=0.4)  # events 6 to 9 are after the cut
    assert lists(split.test.train) == [[0, 1, 4], [2, 5], [3], []]
    asked = dict(zip(split.test.user.tolist(), split.test.target.tolist(), strict=True))
    assert asked == {1: 8, 2: 7, 3: 6}  # each one's first event after it; user 0 has none
    assert lists(split.test.history) == [[2, 5], [3], []]  # the last is new
    assert split.test.at.tolist() == [8.0, 7.0, 6.0]


def test_validation_is_cut_within_what_is_before(timed: Histories) -> None:
    valid = global_time(timed, share=0.4).valid  # of events 0 to 5, those from 3 on
    assert lists(valid.train) == [[0, 1], [2], [], []]
    assert dict(zip(valid.user.tolist(), valid.target.tolist(), strict=True)) == {0: 4, 1: 5, 2: 3}


def test_times_are_needed(timed: Histories) -> None:
    with pytest.raises(EstimationError, match="needs the time of every event"):
        global_time(Histories.of(SEQUENCES, 6))
    same = Histories(timed.indptr, timed.item, np.ones(10), 10)
    with pytest.raises(EstimationError, match="no events before the cut"):
        global_time(same)


def test_rows_keep_the_training_data(timed: Histories) -> None:
    whole = global_time(timed, share=0.4).test
    part: Holdout = whole.rows(np.array([True, False, True]))
    assert part.train is whole.train
    assert (part.target.tolist(), lists(part.history)) == ([8, 6], [[2, 5], []])


def test_cold_items_are_out_of_training_and_asked_for() -> None:
    rng = np.random.default_rng(0)
    sequences = [rng.choice(20, 8, replace=False).tolist() for _ in range(30)]
    histories = Histories.of([*sequences, []], 25)
    holdout, cold = cold_items(histories, share=0.2, seed=3)
    assert cold.sum() == 4
    assert not cold[20:].any()  # items that nobody had are no test
    assert not cold[holdout.train.item].any()
    for user, target, history in zip(
        holdout.user.tolist(), holdout.target.tolist(), lists(holdout.history), strict=True
    ):
        own = sequences[user]
        first = next(item for item in own if cold[item])
        assert target == first
        assert history == own[: own.index(first)]
    assert len(holdout) == sum(any(cold[item] for item in one) for one in sequences)
    with pytest.raises(EstimationError, match="nobody had any"):
        cold_items(histories, share=0.0)
