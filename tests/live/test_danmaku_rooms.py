"""Counts by room and second, against counting by hand; and fitting to another platform."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from tagcf.errors import DataError
from tagcf.live.danmaku.fitted import fit_danmaku, macro_f1
from tagcf.live.danmaku.labels import INTENTS
from tagcf.live.danmaku.read import read_danmaku
from tagcf.live.danmaku.rooms import danmaku_by_room

LINES = ["多少钱", "求链接", "哈哈哈", "太贵了 骗子", "已经下单了"]


def test_counts_are_those_of_a_plain_count() -> None:
    rng = np.random.default_rng(0)
    n = 3000
    room = rng.integers(1, 4, n).astype(np.uint64)
    user = rng.integers(0, 6, n).astype(np.uint64)
    ts = 1000 + rng.random(n) * 30
    readings = read_danmaku([LINES[k] for k in rng.integers(0, len(LINES), n)])
    found = danmaku_by_room(room, user, ts, readings)
    where = list(zip(room.tolist(), np.floor(ts).astype(int).tolist(), strict=True))
    assert list(zip(found.room.tolist(), found.second.tolist(), strict=True)) == sorted(set(where))
    lines = Counter(where)
    for k, place in enumerate(sorted(set(where))):
        chosen = np.array([one == place for one in where])
        assert found.lines[k] == lines[place] == found.intents[k].sum() == found.emotions[k].sum()
        known = set(user[chosen].tolist()) - {0}
        assert found.users[k] == len(known) + int((user[chosen] == 0).sum())
        for label in range(len(INTENTS)):
            assert found.intents[k, label] == (readings.intent[chosen] == label).sum()


def test_no_lines_are_no_rows() -> None:
    none = np.zeros(0, np.uint64)
    assert len(danmaku_by_room(none, none, np.zeros(0), read_danmaku([]))) == 0


def test_lengths_and_times_are_checked() -> None:
    keys, readings = np.ones(2, np.uint64), read_danmaku(["a", "b"])
    with pytest.raises(DataError, match="differ in length"):
        danmaku_by_room(keys, keys, np.zeros(3), readings)
    with pytest.raises(DataError, match="row 1"):
        danmaku_by_room(keys, keys, np.array([0.0, np.nan]), readings)


def made_lines(n: int, seed: int) -> tuple[list[str], list[str]]:
    rng = np.random.default_rng(seed)
    good, bad, plain = "味道不错很好吃", "太难吃了很差", "今天周三下雨"
    labels = rng.choice(["好", "坏", "无"], n, p=[0.3, 0.2, 0.5]).tolist()
    said = {"好": good, "坏": bad, "无": plain}
    return ["".join(rng.permutation(list(said[one]))[:5]) for one in labels], labels


def test_a_fitted_model_learns_labels_of_its_own() -> None:
    texts, labels = made_lines(600, 0)
    model = fit_danmaku(texts, labels)
    assert model.classes == ("坏", "好", "无")
    fresh, wanted = made_lines(300, 1)
    read = np.array([model.classes.index(one) for one in model.labels(fresh)])
    truth = np.array([model.classes.index(one) for one in wanted])
    assert macro_f1(truth, read, 3) > 0.9
    np.testing.assert_allclose(model.chances(fresh).sum(axis=1), 1, atol=1e-5)
    again = fit_danmaku(texts, labels)
    assert np.array_equal(model.chances(fresh), again.chances(fresh))


def test_shuffled_labels_teach_nothing() -> None:
    texts, labels = made_lines(600, 0)
    np.random.default_rng(2).shuffle(labels)
    model = fit_danmaku(texts, labels)
    fresh, wanted = made_lines(300, 1)
    right = np.mean([one == other for one, other in zip(model.labels(fresh), wanted, strict=True)])
    assert right < 0.6


def test_what_cannot_be_fitted_is_refused() -> None:
    with pytest.raises(DataError, match="only one label"):
        fit_danmaku(["a"] * 20, ["x"] * 20)
    with pytest.raises(DataError, match='"y" has 3'):
        fit_danmaku(["a"] * 20, ["x"] * 17 + ["y"] * 3)
    with pytest.raises(DataError, match="differ in length"):
        fit_danmaku(["a"], ["x", "y"])


def test_macro_f1_of_a_case_done_by_hand() -> None:
    wanted, read = np.array([0, 0, 1, 1, 2]), np.array([0, 1, 1, 1, 0])
    assert macro_f1(wanted, read, 3) == pytest.approx((0.5 + 0.8 + 0) / 3)
