"""Which rows of a log are events of a history."""

import numpy as np
import pytest

from tagcf.data.arrays import log_from_arrays
from tagcf.errors import EstimationError, UnknownNameError
from tagcf.recommend.log_histories import log_histories
from tagcf.settings import RecommendSettings
from tagcf.types import EventLog


def log(batch_rows: int = 65_536) -> EventLog:
    return log_from_arrays(
        user=["b", "a", "a", "a", "b", "a"],
        item=["x", "y", "z", "x", "y", "y"],
        ts=np.array([5.0, 3, 1, 3, 4, 3]),
        outcomes={
            "click": [1, 1, 1, 0, 1, 1],
            "like": [0, 0, 1, 1, np.nan, 0],
            "share_seen": [0.2, 0.5, 0.9, 0.1, 0.6, 0.5],
            "seconds": [3.0, 40, 2, 1, 50, 40],
        },
        kinds={"share_seen": "rate", "seconds": "real"},
        batch_rows=batch_rows,
    )


@pytest.mark.parametrize("batch_rows", [2, 65_536])
def test_the_first_outcome_counts_in_the_order_of_time(batch_rows: int) -> None:
    found = log_histories(log(batch_rows))
    assert found.n_items == 3
    assert found.indptr.tolist() == [0, 2, 4]  # a: z, y (its repeat at the same time is one); b
    assert found.item.tolist() == [2, 1, 1, 0]
    assert found.ts.tolist() == [1, 3, 4, 5]


def test_another_outcome_and_its_threshold() -> None:
    liked = log_histories(log(), RecommendSettings(positive="like"))
    assert liked.item.tolist() == [2, 0]  # NaN is not measured, and no like
    seen = log_histories(log(), RecommendSettings(positive="share_seen"))
    assert seen.item.tolist() == [2, 1, 1]
    long = log_histories(log(), RecommendSettings(positive="seconds", positive_from=30))
    assert long.item.tolist() == [1, 1]


def test_bad_settings_say_what_to_do() -> None:
    with pytest.raises(UnknownNameError, match=r'"clik"\. Did you mean: click'):
        log_histories(log(), RecommendSettings(positive="clik"))
    with pytest.raises(EstimationError, match="positive_from in \\[recommend\\]"):
        log_histories(log(), RecommendSettings(positive="seconds"))
    with pytest.raises(EstimationError, match="None of 6 impressions is a positive event"):
        log_histories(log(), RecommendSettings(positive="seconds", positive_from=99))


def test_unknown_users_have_no_history() -> None:
    nobody = log_from_arrays(item=["x", "y"], outcomes={"click": [1, 1]})
    with pytest.raises(EstimationError, match="None of 2 impressions"):
        log_histories(nobody)
