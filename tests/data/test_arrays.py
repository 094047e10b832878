from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from tagcf.data.arrays import log_from_arrays, tags_from_arrays
from tagcf.errors import DataError
from tagcf.types import EventBatch, EventLog, IdMap, Tag


def whole(log: EventLog) -> EventBatch:
    (batch,) = log.batches()
    return batch


def test_ids_of_any_type_become_dense_in_sorted_order() -> None:
    log = log_from_arrays(item=["b", "a", "b"], user=[30, 7, 7], outcomes={"click": [1, 0, 1]})
    assert log.items.ids.to_pylist() == ["a", "b"]
    assert log.users.ids.to_pylist() == ["7", "30"]
    assert whole(log).item.tolist() == [1, 0, 1]
    assert whole(log).user.tolist() == [1, 0, 0]
    assert [(axis.name, axis.n_clusters) for axis in log.clusters] == [
        ("user_id", 2),
        ("item_id", 2),
    ]


def test_integers_with_a_map_are_codes_and_strings_are_looked_up() -> None:
    items = IdMap(pa.array(["x", "y", "z"]))
    by_code = log_from_arrays(item=[2, 0], items=items, outcomes={"click": [1, 0]})
    by_name = log_from_arrays(item=["z", "x"], items=items, outcomes={"click": [1, 0]})
    assert whole(by_code).item.tolist() == whole(by_name).item.tolist() == [2, 0]
    with pytest.raises(DataError, match="2 ids of item"):
        log_from_arrays(item=["z", "q", "r"], items=items, outcomes={"click": [1, 0, 1]})


def test_trials_weights_and_missing_values() -> None:
    log = log_from_arrays(
        item=[0, 1, 2],
        outcomes={"ctr": [2, 3, 4], "liked": [1, np.nan, 0]},
        kinds={"ctr": "count"},
        trials={"ctr": [10, 0, 8]},
        weight=[1, 1, 5],
    )
    batch = whole(log)
    np.testing.assert_allclose(batch.outcomes[:, 0], [0.2, np.nan, 0.5])
    np.testing.assert_allclose(batch.weights[:, 0], [10, 0, 40])
    np.testing.assert_allclose(batch.weights[:, 1], [1, 0, 5])
    assert [(one.name, one.kind) for one in log.outcomes] == [("ctr", "count"), ("liked", "binary")]


def test_batches_are_bounded_repeatable_and_complete() -> None:
    log = log_from_arrays(item=np.arange(25), outcomes={"seconds": np.arange(25.0)}, batch_rows=10)
    for _ in range(2):
        batches = list(log.batches())
        assert [batch.n_rows for batch in batches] == [10, 10, 5]
        joined = np.concatenate([batch.outcomes[:, 0] for batch in batches])
        np.testing.assert_array_equal(joined, np.arange(25))


def test_only_columns_that_are_the_users_own_become_user_segments() -> None:
    log = log_from_arrays(
        item=[0, 1, 0, 1],
        user=["u", "u", "v", "v"],
        outcomes={"click": [0, 1, 1, 0]},
        segments={"tier": ["1", "1", "2", None], "daypart": ["am", "pm", "am", "am"]},
    )
    assert log.segments[0].levels == ("1", "2")
    assert whole(log).segments[:, 0].tolist() == [0, 0, 1, -1]
    assert log.user_segments[:, 1].tolist() == [-1, -1]


def test_covariates_strata_authors_and_instruments() -> None:
    log = log_from_arrays(
        item=["a", "b", "c", "a"],
        user=[0, 1, 2, 3],
        outcomes={"click": [0, 1, 1, 0]},
        covariates={"hour": [1, 2, 3, 4], "device": ["ios", None, "android", "ios"]},
        stratum=[5, 5, 9, 9],
        author={"a": "anna", "b": "ben"},
        randomized=[1, 0, 0, 1],
        instruments={"bucket": (["on", "off", "on", "off"], ["music"])},
        ts=np.array(["2025-01-01", "2025-01-02", "NaT", "2025-01-04"], dtype="datetime64[s]"),
    )
    batch = whole(log)
    assert [(one.name, one.kind) for one in log.covariates] == [
        ("hour", "number"),
        ("device", "category"),
    ]
    assert batch.covariates[:, 1].tolist() == [1, -1, 0, 1]
    assert [axis.name for axis in log.clusters] == ["stratum"]
    assert log.n_strata == 2
    assert log.item_author is not None
    assert log.item_author.tolist() == [0, 1, -1]
    assert log.n_authors == 2
    assert log.instruments[0].tags == ("music",)
    assert batch.randomized is not None
    assert batch.randomized.tolist() == [True, False, False, True]
    np.testing.assert_array_equal(np.isnan(batch.ts), [False, False, True, False])
    assert batch.ts[1] - batch.ts[0] == 86_400


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"outcomes": {"click": [0, 1]}}, "click"),
        ({"outcomes": {"click": [0, 1, 2]}, "kinds": {"click": "binary"}}, "binary"),
        ({"outcomes": {"n": [0, 1, -1]}, "kinds": {"n": "count"}}, "-1"),
        ({"outcomes": {"click": [0, 1, 1]}, "author": ["a", "b"]}, "author"),
        ({"outcomes": {"click": [0, 1, 1]}, "weight": [1]}, "weight"),
    ],
)
def test_wrong_arrays_are_refused_by_name(wrong: dict[str, object], says: str) -> None:
    with pytest.raises(DataError, match=says):
        log_from_arrays(item=[0, 1, 2], **wrong)  # type: ignore[arg-type]  # wrong on purpose


def test_tag_matrix_shares_one_pattern_and_checks_its_shape() -> None:
    items = IdMap(pa.array(["a", "b"]))
    tags = tags_from_arrays(items, [[1, 0.3], [0, 1]], [Tag("x", "甲", "X", "topic"), "y"])
    assert tags.carried().toarray().tolist() == [[1, 0], [0, 1]]
    assert tags.strength.nnz == tags.confidence.nnz == tags.source.nnz == 3
    assert [tag.slug for tag in tags.tags] == ["x", "y"]
    with pytest.raises(DataError, match=r"\(1, 2\)"):
        tags_from_arrays(items, [[1, 0]], ["x", "y"])
