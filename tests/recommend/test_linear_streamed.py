"""Rows summed one by one, against the same counts from tables of all pairs."""

from __future__ import annotations

import numpy as np
import pytest

from tagcf.recommend.histories import Histories
from tagcf.recommend.linear.design import Design, Window
from tagcf.recommend.linear.model import Linear, Part
from tagcf.recommend.linear.solve import Ridge
from tagcf.recommend.linear.streamed import StreamedLinear

ITEMS = 15


def some(users: int = 40) -> Histories:
    rng = np.random.default_rng(3)
    lists = [rng.integers(0, ITEMS, rng.integers(0, 14)).tolist() for _ in range(users)]
    return Histories.of(lists, ITEMS)


def counts(histories: Histories, window: Window) -> np.ndarray:
    part = Part(Design((window,)), Ridge(np.inf, 0.0))
    return np.asarray(Linear((part,)).fit(histories).tables[0])


@pytest.mark.parametrize("k", [3, ITEMS])
def test_rows_are_the_strongest_of_all_pairs(k: int) -> None:
    histories, window = some(), Window(4, 0.5)
    count = np.maximum(np.bincount(histories.item, minlength=ITEMS), 1.0)
    wanted = counts(histories, window) * count**-0.25
    for row in wanted:
        row[np.argsort(-row, kind="stable")[k:]] = 0.0
    wanted *= (count**-0.5)[:, None]
    fitted = StreamedLinear(window, 0.5, 0.25, neighbours=k).fit(histories)
    np.testing.assert_allclose(fitted.table.toarray(), wanted, rtol=1e-5)
    scores = fitted.scores(Histories.of([[1, 99, 2], []], ITEMS))
    np.testing.assert_allclose(
        scores[0], wanted[2] + np.exp(-0.5) * wanted[1] + scores[1], rtol=1e-4, atol=1e-6
    )


@pytest.mark.parametrize("lists", [[], [[]], [[0]], [[0], [0]]])
def test_no_pairs_leave_popularity(lists: list[list[int]]) -> None:
    fitted = StreamedLinear().fit(Histories.of(lists, 2))
    assert fitted.table.nnz == 0
    assert np.isfinite(fitted.scores(Histories.of([[0]], 2))).all()
