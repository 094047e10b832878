"""What is learned from, and what is judged on, are kept apart."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from benchmarks.danmaku import BLIND, FRESH, judged, rows_in
from tagcf.live.danmaku.examples import shipped_examples
from tagcf.live.danmaku.labels import HEADS
from tagcf.live.danmaku.network import Training, fit_network
from tagcf.live.danmaku.normalise import normalise


def plain(texts: pl.Series) -> set[str]:
    return set(normalise(texts).str.strip_chars().to_list())


@pytest.mark.parametrize("which", ["judge", "fresh", "blind"])
def test_no_line_that_is_judged_is_learned_from(which: str) -> None:
    kept = {"judge": lambda: judged()[1], "fresh": lambda: rows_in(FRESH),
            "blind": lambda: rows_in(BLIND)}  # fmt: skip
    lines = kept[which]()
    assert len(lines) > 250
    known = plain(shipped_examples().texts_of_writers())
    both = known & plain(pl.Series([row["text"] for row in lines]))
    assert len(both) == 0  # says how many, shows none: nobody is to read the judge half


def test_fresh_lines_carry_labels_that_exist() -> None:
    for row in rows_in(FRESH):
        for head, name in zip(HEADS, ("intent", "sentiment", "emotion"), strict=True):
            assert row[name] in head, row


def test_no_example_is_there_twice_and_each_intent_has_many_in_both_languages() -> None:
    examples = shipped_examples()
    written = examples.writer != "term"
    texts = examples.texts.filter(pl.Series(written))
    assert texts.n_unique() >= 0.99 * len(texts)
    chinese = texts.str.contains(r"\p{Han}").to_numpy()
    for place, name in enumerate(HEADS[0]):
        of_intent = examples.labels[written, 0] == place
        assert (of_intent & chinese).sum() >= 300, name
        assert (of_intent & ~chinese).sum() >= 150, name


def test_a_network_learns_what_no_linear_model_can() -> None:
    rng = np.random.default_rng(0)
    signs = rng.choice([-1.0, 1.0], (2_000, 2))
    vectors = np.hstack([signs + rng.normal(0, 0.2, signs.shape), np.zeros((2_000, 6))])
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    labels = np.column_stack([signs[:, 0] * signs[:, 1] > 0, signs[:, 0] > 0]).astype(np.int64)
    how = Training(hidden=32, epochs=30, drop=0.1)
    network = fit_network(vectors[:1_500], labels[:1_500], (2, 2), np.ones(1_500), how)
    again = fit_network(vectors[:1_500], labels[:1_500], (2, 2), np.ones(1_500), how)
    scores = network(vectors[1_500:])
    assert (scores[:, :2].argmax(axis=1) == labels[1_500:, 0]).mean() > 0.97
    assert (scores[:, 2:].argmax(axis=1) == labels[1_500:, 1]).mean() > 0.97
    assert np.array_equal(scores, again(vectors[1_500:]))


def test_lines_of_no_importance_teach_nothing() -> None:
    rng = np.random.default_rng(1)
    vectors = rng.normal(size=(600, 8))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    labels = (vectors[:, :1] > 0).astype(np.int64)
    wrong, importance = labels.copy(), np.ones(600)
    wrong[:300], importance[:300] = 1 - labels[:300], 0
    network = fit_network(vectors, wrong, (2,), importance, Training(hidden=16, epochs=40))
    assert (network(vectors).argmax(axis=1) == labels[:, 0]).mean() > 0.95
